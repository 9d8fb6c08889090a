-- redrive: brings dead jobs back: due now, their attempts forgotten, their failures kept.
--
-- KEYS  dead, scheduled, done, jobs, attempts, errors, wake, stats, groups
-- ARGV  the group that they are to be in or '', then for each job (at most 100): id, the time of its death that the caller knows of, or ''
-- Reply {'ok', now, then a word for each job, in order: 'redriven'
--       'scheduled' | 'processing' | 'done' | 'missing': it is not dead · 'dead': it died again, later than the caller knows of · 'other': it is not in that group
--       'unreadable': nothing could run its record · 'later': 1 MiB of records was read before its turn came: call again}
-- A new head of the schedule pushes the wake token. A unique key that the job once held is not taken again.
-- Moves: dead -> scheduled
-- Cost  O(n log N) for n jobs, and D dead and N scheduled ones
local dead, scheduled, done, jobs, attempts, errors, wake, stats, groups = unpack(KEYS)
local wanted = ARGV[1]

local function runnable(record)
  local r = looks_readable(record) and scalars(record)
  return r and r.type ~= 'unreadable' -- which is that of a tombstone
end

-- Read and check everything first.
local now = now_ms()
local head = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')
local token = redis.call('LLEN', wake)
redis.call('HLEN', attempts)
redis.call('HLEN', errors)
local reply, back, scores, seen, tally, bytes = {'ok', int(now)}, {}, {}, {}, grouping(groups), 0
for i = 2, #ARGV, 2 do
  local id, known = ARGV[i], ARGV[i + 1]
  local state, score = state_of(id, jobs, scheduled, dead, done)
  local word = state or 'missing'
  if state == 'dead' and (known == '' or known == score) and not seen[id] then
    if bytes >= max_bytes then
      word = 'later'
    else
      local record, failures = redis.call('HGET', jobs, id), redis.call('HGET', errors, id)
      bytes = bytes + #record + #(failures or '')
      word = runnable(record) and 'redriven' or 'unreadable'
      if wanted ~= '' and group_of_dead(failures) ~= wanted then word = 'other' end
      if word == 'redriven' then tally.leave(failures) end
    end
  end
  if word == 'redriven' then
    seen[id] = true
    back[#back + 1] = id
    scores[#scores + 1], scores[#scores + 2] = int(now), id
  end
  reply[#reply + 1] = word
end
local counters = counts(stats, {redriven = #back})
if #back == 0 then return reply end

-- Write. The first write cannot grow, so that nothing after it is refused at maxmemory.
redis.call('ZREM', dead, unpack(back))
redis.call('HDEL', attempts, unpack(back))
redis.call('ZADD', scheduled, unpack(scores))
tally.keep()
drop_groups(groups, tally)
redis.call('HSET', stats, unpack(counters))
if token == 0 and not (head[2] and tonumber(head[2]) <= now) then redis.call('LPUSH', wake, '1') end
return reply
