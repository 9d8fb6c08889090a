-- repair: puts one job where it belongs, after damage, by these rules alone, on what is so at this instant:
--   A job in several places stays on the list of a registered worker (its latest claim), else in scheduled, in dead, in done,
--   and is taken off the others. An element that is not <claim number>:<id> is taken off its list.
--   A job in no place is scheduled, due now: it was accepted and must run. If its attempts are used up, or cannot be read, it
--   goes to dead, as reap would have it.
--   A job whose record is missing or unreadable goes to dead with a readable record, unless it is on a list: then its worker,
--   or who reaps that, does the same.
--   What is left of a job that has neither record nor place is dropped. What goes to dead gives up its unique key.
--
-- KEYS  jobs, scheduled, dead, done, attempts, errors, workers, wake, stats, unique, groups, processing:<worker>
-- ARGV  id, the record if it was found unreadable or '', default max_retry, then the names of the workers whose lists are the
--       last keys: all that are registered, and any other whose list exists
-- Reply {'fixed', what was done} · {'well'} nothing is wrong with it now · {'again'} a worker is registered that is not named
-- Moves: none -> scheduled, none -> dead, scheduled -> dead, processing -> scheduled, processing -> dead, done -> dead
-- Cost  O(log N + L) for N jobs and L elements in the lists
local jobs, scheduled, dead, done, attempts, errors, workers, wake, stats, unique, groups = unpack(KEYS, 1, 11)
local id, unreadable, default_retry = ARGV[1], ARGV[2], tonumber(ARGV[3])

-- Read and check everything first.
local now = now_ms()
local named, keep, others, off = 0, nil, {}, {}
for l = 1, #KEYS - 11 do
  local list, from, bite = KEYS[11 + l], 0, nil
  local registered = redis.call('ZSCORE', workers, ARGV[3 + l])
  if registered then named = named + 1 end
  repeat
    bite = redis.call('LRANGE', list, from, from + 999)
    for _, element in ipairs(bite) do
      if element_id(element) == id then
        local h = {list = list, name = 'processing:' .. ARGV[3 + l], element = element, registered = registered}
        h.foreign = not string.find(element, '^%d+:.')
        others[#others + 1] = h
        if not h.foreign and (not keep or h.list == keep.list or registered and not keep.registered) then keep = h end
      end
    end
    from = from + 1000
  until #bite < 1000
end
if redis.call('ZCARD', workers) > named then return {'again'} end
local record = redis.call('HGET', jobs, id)
local raw = redis.call('HGET', attempts, id)
local past = redis.call('HGET', errors, id)
local token = redis.call('LLEN', wake)
redis.call('HLEN', stats)
redis.call('HLEN', unique)
local head = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')
local sets = {}
for _, set in ipairs({{scheduled, 'scheduled'}, {dead, 'dead'}, {done, 'done'}}) do
  if redis.call('ZSCORE', set[1], id) then sets[#sets + 1] = {key = set[1], name = set[2]} end
end
if keep and not keep.registered and #sets > 0 then keep = nil end
if not keep and #sets > 0 then keep = table.remove(sets, 1) end

-- Where it goes, and why.
local to, reason, tomb
local readable = record and record ~= unreadable and looks_readable(record)
local attempt = attempt_count(raw)
local nowhere = not keep and #others == 0
local drop = nowhere and not record
if drop then
  if not raw and not past then return {'well'} end
elseif not readable and not (keep and keep.element) then
  to, reason = 'dead', record and 'record is not JSON' or 'record is missing'
  tomb = tombstone(reason, record)
elseif not keep then
  local retries = max_retry(record, default_retry)
  if not retries then
    to, reason = 'dead', 'record is not JSON'
    tomb = tombstone(reason, record)
  elseif not attempt then
    to, reason = 'dead', 'attempts are not a number'
  elseif attempt > retries then
    to, reason = 'dead', 'found in no place by the audit, with its attempts used up'
  else
    to = 'scheduled'
  end
end
if keep and to and keep.key then sets[#sets + 1] = keep end
for _, h in ipairs(others) do
  if h ~= keep then off[#off + 1] = h.name end
end
for _, set in ipairs(sets) do off[#off + 1] = set.name end
if #off == 0 and not to and not drop then return {'well'} end
local tally, failures = grouping(groups), nil
for _, set in ipairs(sets) do
  if set.key == dead then tally.leave(past) end
end
if to == 'dead' then
  local failure = {error = (tomb and 'unreadable: ' or '') .. reason, attempt = attempt or nil}
  tally.count(tally.find(tomb or record, failure), now)
  failures = with_error(past, failure, now)
end
local buried = to == 'dead' and 1 or 0
local key = to == 'dead' and readable and held_key(unique, scalars(record), id)
local counters = counts(stats, {repaired = 1, dead = buried, corrupt = (tomb or not attempt) and buried or 0})

-- Write. The first write cannot grow, so that nothing after it is refused at maxmemory.
redis.call('LREM', wake, 0, '-')
if drop then
  redis.call('HDEL', attempts, id)
  redis.call('HDEL', errors, id)
end
for _, h in ipairs(others) do
  if h ~= keep then redis.call('LREM', h.list, 1, h.element) end -- the first that is like it: the kept one is the last
end
for _, set in ipairs(sets) do redis.call('ZREM', set.key, id) end
if tomb then redis.call('HSET', jobs, id, tomb) end
if to and not attempt then redis.call('HDEL', attempts, id) end
if key then redis.call('HDEL', unique, key) end
if failures then redis.call('HSET', errors, id, failures) end
tally.keep()
drop_groups(groups, tally)
if to then redis.call('ZADD', to == 'dead' and dead or scheduled, int(now), id) end
if #counters > 0 then redis.call('HSET', stats, unpack(counters)) end
if to == 'scheduled' and token == 0 and not (head[2] and tonumber(head[2]) <= now) then redis.call('LPUSH', wake, '1') end

if drop then return {'fixed', 'dropped what was left of it'} end
local what = {}
if #off > 0 then what[1] = 'taken off ' .. table.concat(off, ', ') end
if to == 'scheduled' then what[#what + 1] = 'scheduled, due now' end
if to == 'dead' then what[#what + 1] = 'put to dead: ' .. reason end
if not to then what[#what + 1] = 'left in ' .. keep.name end
return {'fixed', table.concat(what, '; ')}
