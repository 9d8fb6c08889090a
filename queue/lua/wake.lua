-- wake: pushes the wake token if there is none: a token that reached a worker without a free slot is passed on.
--
-- KEYS  wake
-- ARGV  -
-- Reply {'ok'}
-- Moves: none
-- Cost  O(1)
local wake = KEYS[1]
if redis.call('LLEN', wake) == 0 then
  redis.call('LREM', wake, 0, '-') -- a first write that cannot grow: the push is not refused at maxmemory
  redis.call('LPUSH', wake, '1')
end
return {'ok'}
