-- cancel: takes a job out. One that waits is gone, with its unique key; the id of one that is being run is noted, so that settle and reap drop it in
-- place of giving it back, and its worker is woken to be told by its next heartbeat. What counts is what is noted: the token
-- on the control list only makes it quick, and may be lost.
--
-- KEYS  scheduled, jobs, attempts, errors, unique, dead, done, cancelled, stats, workers, processing:<worker>, control:<worker>
-- ARGV  id, TTL of a control list (ms), the names of the workers whose two lists are the last keys: all that are registered
-- Reply {'scheduled'} it waited, and is gone · {'processing'} it is being run, and will not be retried ·
--       {'dead'} · {'done'} · {'missing'}: nothing was changed · {'again'} a worker is registered that is not named
-- Moves: scheduled -> none
-- Cost  O(log N + L) for N jobs and L elements in the lists
local scheduled, jobs, attempts, errors, unique, dead, done, cancelled, stats, workers = unpack(KEYS, 1, 10)
local id, ttl = ARGV[1], ARGV[2]

-- Read and check everything first.
local record = redis.call('HGET', jobs, id)
local waits = redis.call('ZSCORE', scheduled, id)
local died = redis.call('ZSCORE', dead, id)
local finished = redis.call('ZSCORE', done, id)
redis.call('SCARD', cancelled)
redis.call('HLEN', attempts)
redis.call('HLEN', errors)
redis.call('HLEN', unique)
local counters = counts(stats, {cancelled = 1})
if died then return {'dead'} end
if finished then return {'done'} end

if waits then
  local key = looks_readable(record) and held_key(unique, scalars(record), id)
  redis.call('ZREM', scheduled, id)
  redis.call('HDEL', jobs, id)
  redis.call('HDEL', attempts, id)
  redis.call('HDEL', errors, id)
  if key then redis.call('HDEL', unique, key) end
  if #counters > 0 then redis.call('HSET', stats, unpack(counters)) end
  return {'scheduled'}
end

local named, control = 0, nil
for w = 11, #KEYS, 2 do
  if redis.call('ZSCORE', workers, ARGV[3 + (w - 11) / 2]) then named = named + 1 end
  if is_listed(KEYS[w], id) then
    control = KEYS[w + 1]
    break
  end
end
if not control then
  return {redis.call('ZCARD', workers) > named and 'again' or 'missing'}
end
local token = redis.call('LLEN', control)

-- Write. The first write cannot grow, so that nothing after it is refused at maxmemory.
redis.call('SREM', cancelled, '-')
redis.call('SADD', cancelled, id)
if token == 0 then redis.call('LPUSH', control, '1') end
redis.call('PEXPIRE', control, ttl)
return {'processing'}
