-- reschedule: gives a scheduled job another due time. One that is due already and is wanted now keeps its own, and its turn.
--
-- KEYS  jobs, scheduled, dead, done, wake
-- ARGV  id, when (Unix ms) or '', how long from now (ms, if there is no when), the longest way off that is taken (ms)
-- Reply {'ok', now, due time} · {'far'}: further off than that · {'processing' | 'dead' | 'done' | 'missing'}: not scheduled
-- A new head of the schedule pushes the wake token.
-- Moves: none
-- Cost  O(log N)
local jobs, scheduled, dead, done, wake = unpack(KEYS)
local id, at, delay, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

-- Read and check everything first.
local now = next_ms()
local state, score = state_of(id, jobs, scheduled, dead, done)
local head = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')
local token = redis.call('LLEN', wake)
if state ~= 'scheduled' then return {state or 'missing'} end
local due = at and math.max(now, at) or now + delay
if due > now + most then return {'far'} end
if due == now and tonumber(score) <= now then return {'ok', int(now), score} end

-- Write. The first write cannot grow, so that nothing after it is refused at maxmemory.
redis.call('LREM', wake, 0, '-')
redis.call('ZADD', scheduled, int(due), id)
if due < tonumber(head[2]) and token == 0 then redis.call('LPUSH', wake, '1') end
return {'ok', int(now), int(due)}
