-- overview: one queue in figures, all of one moment. Reads only.
--
-- KEYS  jobs, scheduled, dead, done, workers, meta, stats
-- ARGV  -
-- Reply {'ok', now, scheduled, of these due, processing, dead, done, due time of the oldest that is due or '', due time of the next that
--       is not or '', workers, '1' if it is paused else '0', then for each counter: name, value}
--       {'none'}: nothing was ever put into it
-- What is processed is not in any of the sets: no list needs to be looked at, and it makes no difference how many workers there are.
-- Moves: none
-- Cost  O(log N) for N scheduled
local jobs, scheduled, dead, done, workers, meta, stats = unpack(KEYS)
local now = now_ms()
local all, waiting, died, ended = redis.call('HLEN', jobs), redis.call('ZCARD', scheduled), redis.call('ZCARD', dead), redis.call('ZCARD', done)
local known = redis.call('HLEN', meta)
local counters = redis.call('HGETALL', stats)
local registered = redis.call('ZCARD', workers)
if all + waiting + died + ended + known + #counters + registered == 0 then return {'none'} end

local head = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')
local next_due = redis.call('ZRANGEBYSCORE', scheduled, '(' .. int(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
local due = redis.call('ZCOUNT', scheduled, '-inf', int(now))
local reply = {'ok', int(now), int(waiting), int(due), int(math.max(0, all - waiting - died - ended)), int(died), int(ended),
  due > 0 and head[2] or '', next_due[2] or '', int(registered), redis.call('HGET', meta, 'paused') == '1' and '1' or '0'}
for _, word in ipairs(counters) do reply[#reply + 1] = word end
return reply
