-- minutes: what the counters are, and by how much they grew in the last minutes, all of one instant. Reads only.
--
-- KEYS  minutes, stats, meta
-- ARGV  how many minutes (at most 1440), of which the present one is the last
-- Reply {'ok', now, the last minute that a heartbeat has seen or '', what the counters were at its first heartbeat,
--        what they are: name=value … each, '1' if these two can be compared, then for each minute with growth that is kept: minute name=growth …}
--       Minutes are counted from 1970. Some may be of the day before: the ring has overwritten none of them yet.
-- Moves: none
-- Cost  O(n) for n minutes
local minutes, stats, meta = unpack(KEYS)
local wanted = tonumber(ARGV[1])
local now = now_ms()
local last = redis.call('HGET', minutes, 'last')
local all, counters = redis.call('HGETALL', stats), {}
for i = 1, #all, 2 do counters[#counters + 1] = all[i] .. '=' .. all[i + 1] end
local reply = {'ok', int(now), redis.call('HGET', meta, 'minute') or '', last or '', table.concat(counters, ' '), last and '1' or '0'}
local from, present = math.floor(now / 60000) - wanted + 1, math.floor(now / 60000)
while from <= present do
  local fields = {}
  for minute = from, math.min(from + 99, present) do fields[#fields + 1] = int(minute % 1440) end
  for _, line in ipairs(redis.call('HMGET', minutes, unpack(fields))) do
    if line then reply[#reply + 1] = line end
  end
  from = from + 100
end
return reply
