-- order: tells a worker to claim nothing more (quiet) or to shut down (stop). The order stands in meta, and comes with each
-- heartbeat of the worker; the token on the control list makes it send one now. A worker that is told so is not to keep
-- time either: another one is woken to take that over.
--
-- KEYS  workers, meta, control:<worker>, scheduled, wake
-- ARGV  worker, 'quiet' or 'stop', TTL of the control list (ms)
-- Reply {'ok', the order that stands now}: quiet after stop is still stop · {'missing'} no living worker has this id
-- Moves: none
-- Cost  O(log W) for W workers
local workers, meta, control, scheduled, wake = unpack(KEYS)
local worker, order, ttl = ARGV[1], ARGV[2], ARGV[3]

-- Read and check everything first.
local now = now_ms()
local until_ms = redis.call('ZSCORE', workers, worker)
local m = redis.call('HMGET', meta, 'order:' .. worker, 'timekeeper')
local told = redis.call('LLEN', control)
local waiting = redis.call('ZCARD', scheduled)
local token = redis.call('LLEN', wake)
if not until_ms or (tonumber(until_ms) or 0) < now then return {'missing'} end
if m[1] == 'stop' then order = 'stop' end

-- Write. The first write cannot grow, so that nothing after it is refused at maxmemory.
redis.call('HDEL', meta, '-')
redis.call('HSET', meta, 'order:' .. worker, order)
if told == 0 then redis.call('LPUSH', control, '1') end
redis.call('PEXPIRE', control, ttl)
if m[2] == worker then
  redis.call('HDEL', meta, 'timekeeper', 'timekeeper_due', 'timekeeper_until')
  if waiting > 0 and token == 0 then redis.call('LPUSH', wake, '1') end
end
return {'ok', order}
