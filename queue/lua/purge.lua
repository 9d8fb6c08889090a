-- purge: drops jobs of one state for good; each is counted.
--
-- KEYS  <place>, jobs, attempts, errors, unique, stats, groups
-- ARGV  state, the group that the dead are to be in or '', then for each job (at most 100): id, its score in <place>, which is scheduled, dead or done, or '' for any
-- Reply {'ok', now, then a word for each job, in order: 'purged' · 'moved': it is not there, or not with that score: nothing was changed
--       'other': it is not in that group
--       'later': 1 MiB of records was read before its turn came: call again}
-- The records of scheduled jobs tell which unique keys are free again; those of the others hold none.
-- Moves: scheduled -> none, dead -> none, done -> none
-- Cost  O(n log N) for n jobs and N in the set
local place, jobs, attempts, errors, unique, stats, groups = unpack(KEYS)
local state, wanted = ARGV[1], ARGV[2]

-- Read and check everything first.
local now = now_ms()
redis.call('HLEN', jobs)
redis.call('HLEN', attempts)
redis.call('HLEN', errors)
redis.call('HLEN', unique)
local reply, gone, free, seen, tally, bytes = {'ok', int(now)}, {}, {}, {}, grouping(groups), 0
for i = 3, #ARGV, 2 do
  local id, word = ARGV[i], 'purged'
  local score, known = redis.call('ZSCORE', place, id), ARGV[i + 1]
  if seen[id] or not score or (known ~= '' and known ~= score) then
    word = 'moved'
  elseif bytes >= max_bytes then
    word = 'later'
  elseif state == 'scheduled' then
    local record = redis.call('HGET', jobs, id) or ''
    bytes = bytes + #record
    -- The members of which scripts take notice stand first: few records have any.
    local special = looks_readable(record) and string.byte(record, 3) ~= 116 -- {"type"
    local key = special and held_key(unique, scalars(record), id)
    if key then free[#free + 1] = key end
  elseif state == 'dead' then
    local failures = redis.call('HGET', errors, id)
    bytes = bytes + #(failures or '')
    if wanted ~= '' and group_of_dead(failures) ~= wanted then
      word = 'other'
    else
      tally.leave(failures)
    end
  end
  if word == 'purged' then
    seen[id] = true
    gone[#gone + 1] = id
  end
  reply[#reply + 1] = word
end
local counters = counts(stats, {['purged_' .. state] = #gone})
if #gone == 0 then return reply end

-- Write. The first write cannot grow, so that nothing after it is refused at maxmemory.
redis.call('ZREM', place, unpack(gone))
redis.call('HDEL', jobs, unpack(gone))
redis.call('HDEL', attempts, unpack(gone))
redis.call('HDEL', errors, unpack(gone))
if #free > 0 then redis.call('HDEL', unique, unpack(free)) end
tally.keep()
drop_groups(groups, tally)
redis.call('HSET', stats, unpack(counters))
return reply
