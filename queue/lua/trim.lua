-- trim: drops dead jobs past their retention or beyond their number, oldest first, at most 100 a call; each is counted.
--
-- KEYS  dead, jobs, attempts, errors, stats
-- ARGV  most dead jobs to keep, retention (ms)
-- Reply {dropped, '1' if there is more to drop}
-- Moves: dead -> none
-- Cost  O(n log D) for n dropped (at most 100) of D dead
local dead, jobs, attempts, errors, stats = unpack(KEYS)
local most, retention, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), 100
local now = now_ms()
local excess = redis.call('ZCARD', dead) - most
local expired = redis.call('ZCOUNT', dead, '-inf', int(now - retention))
local surplus = math.max(excess, expired, 0)
if surplus == 0 then return {'0', '0'} end
local ids = redis.call('ZRANGE', dead, 0, math.min(surplus, limit) - 1)
redis.call('HLEN', jobs)
redis.call('HLEN', attempts)
redis.call('HLEN', errors)
local counters = counts(stats, {dead_trimmed = #ids})

redis.call('ZREM', dead, unpack(ids))
redis.call('HDEL', jobs, unpack(ids))
redis.call('HDEL', attempts, unpack(ids))
redis.call('HDEL', errors, unpack(ids))
redis.call('HSET', stats, unpack(counters))
return {int(#ids), surplus > #ids and '1' or '0'}
