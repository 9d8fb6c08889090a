-- pause: stops the claims of a queue, or lets them go on. While it is paused claim takes nothing and heartbeats tell of no due
-- time, as if nothing were scheduled; so a timekeeper gives its lease up with its next claim. Jobs are taken in, settled and
-- reaped as ever. When it goes on, the wake token asks a worker to look.
--
-- KEYS  meta, scheduled, wake
-- ARGV  'pause' or 'resume'
-- Reply {'changed'} · {'same'}: it was so already
-- Moves: none
-- Cost  O(1)
local meta, scheduled, wake = unpack(KEYS)
local pause = ARGV[1] == 'pause'
local paused = redis.call('HGET', meta, 'paused') == '1'
local waiting = redis.call('ZCARD', scheduled)
local token = redis.call('LLEN', wake)
if pause == paused then return {'same'} end

redis.call('HDEL', meta, 'paused') -- a first write that cannot grow
if pause then redis.call('HSET', meta, 'paused', '1') end
if not pause and waiting > 0 and token == 0 then redis.call('LPUSH', wake, '1') end
return {'changed'}
