-- forget: removes what is left of a queue in which there is no job and no worker: its counters and marks.
--
-- KEYS  jobs, scheduled, dead, done, workers, <others>: every other key of the queue that has no TTL
-- ARGV  -
-- Reply {'forgotten'} · {'kept', jobs, workers}: it is in use, and nothing was changed
-- Moves: none
-- Cost  O(n) for n keys and the fields of the marks that they hold
local jobs, scheduled, dead, done, workers = unpack(KEYS)
local places = redis.call('ZCARD', scheduled) + redis.call('ZCARD', dead) + redis.call('ZCARD', done)
local left = math.max(redis.call('HLEN', jobs), places)
local registered = redis.call('ZCARD', workers)
if left + registered > 0 then return {'kept', int(left), int(registered)} end

redis.call('DEL', unpack(KEYS))
return {'forgotten'}
