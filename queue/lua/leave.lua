-- leave: a worker says goodbye. Its heartbeat key goes at once; its registry entry only when its list is empty, for the
-- registry is how the reaper finds what is left there. If anything waits, the wake token asks another worker to look: this
-- one may have kept time, or have popped a token that it will not use.
--
-- KEYS  heartbeat:<worker>, workers, meta, processing:<worker>, scheduled, wake, control:<worker>
-- ARGV  worker
-- Reply {'left'} · {'kept', length of its list}: the rest is for the reaper
-- Moves: none
-- Cost  O(log W) for W workers
local heartbeat, workers, meta, processing, scheduled, wake, control = unpack(KEYS)
local worker = ARGV[1]
local now = now_ms()
local held = redis.call('LLEN', processing)
local waiting = redis.call('ZCARD', scheduled)
local token = redis.call('LLEN', wake)
local kept_time = redis.call('HGET', meta, 'timekeeper') == worker
local registered = redis.call('ZSCORE', workers, worker)

redis.call('DEL', heartbeat)
redis.call('DEL', control)
redis.call('HDEL', meta, 'order:' .. worker)
if held == 0 then
  redis.call('ZREM', workers, worker)
  redis.call('HDEL', meta, 'reaping:' .. worker)
elseif registered then
  redis.call('ZADD', workers, int(now - 1), worker) -- overdue from now on
end
if kept_time then redis.call('HDEL', meta, 'timekeeper', 'timekeeper_due', 'timekeeper_until') end
if waiting > 0 and token == 0 then redis.call('LPUSH', wake, '1') end
if held == 0 then return {'left'} end
return {'kept', int(held)}
