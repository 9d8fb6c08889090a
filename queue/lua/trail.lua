-- trail: adds what somebody did by hand to the audit trail of a queue, and dates it. The last 1,000 are kept.
--
-- KEYS  trail
-- ARGV  the deed as JSON: an object that is not empty, without 'at'
-- Reply {'ok', now}
-- Moves: none
-- Cost  O(1)
local trail = KEYS[1]
local now = int(now_ms())
redis.call('LLEN', trail) -- a key of a wrong type is met before the first write

redis.call('LTRIM', trail, 0, 998) -- a first write that cannot grow: the next is not refused at maxmemory
redis.call('LPUSH', trail, '{"at":' .. now .. ',' .. string.sub(ARGV[1], 2))
return {'ok', now}
