-- limit: lets one request of a subject through, if it may be made now (GCRA: what is kept is when the subject would be idle again).
--
-- KEYS  limit:<hash>
-- ARGV  µs that each request takes up, how many may come at once
-- Reply {'ok', µs to wait until it may be made: 0 if it was let through, else nothing was written}
-- Moves: none
-- Cost  O(1)
local limit = KEYS[1]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local now = now_us()
local longest = interval * burst
local idle = tonumber(redis.call('GET', limit) or '') or now
if not (idle >= now) then idle = now end
idle = math.min(idle, now + longest) -- more was never granted: the clock has stepped back
local wait = idle + interval - longest - now
if wait > 0 then return {'ok', int(math.ceil(wait))} end

redis.call('DEL', limit) -- a first write that cannot grow: the next is not refused at maxmemory
redis.call('SET', limit, int(idle + interval), 'PX', int(math.ceil((idle + interval - now) / 1000)))
return {'ok', '0'}
