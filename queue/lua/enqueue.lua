-- enqueue: writes n new jobs, each due `delay` ms from now by the clock of Redis, rounded up.
--
-- KEYS  jobs, scheduled, wake, stats, meta
-- ARGV  layout version of the caller, then for each job: id, record (JSON), delay (ms)
-- Reply {'ok', now, 'created' | 'exists', …} one word a job, in order
--       {'layout', version}: the data is of a newer layout than the caller knows; nothing was written
-- An id that exists, or that stands twice in one call, is answered 'exists' and left as it is.
-- The first write grows on purpose: at maxmemory it is refused before anything has changed.
-- A new head of the schedule pushes the wake token.
-- Moves: none -> scheduled
-- Cost  O(n log N) for n jobs (at most 100, 1 MiB) and N scheduled
local jobs, scheduled, wake, stats, meta = unpack(KEYS)
local layout = redis.call('HGET', meta, 'layout')
if layout and (tonumber(layout) or math.huge) > tonumber(ARGV[1]) then return {'layout', layout} end

local now = next_ms()
local head = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')
local head_due = head[2] and tonumber(head[2]) or math.huge
local token = redis.call('LLEN', wake)
redis.call('HLEN', stats)
local reply, records, scores, seen, first = {'ok', int(now)}, {}, {}, {}, math.huge
for i = 2, #ARGV, 3 do
  local id, record, due = ARGV[i], ARGV[i + 1], now + tonumber(ARGV[i + 2])
  if seen[id] or redis.call('HEXISTS', jobs, id) == 1 then
    reply[#reply + 1] = 'exists'
  else
    seen[id] = true
    records[#records + 1] = id
    records[#records + 1] = record
    scores[#scores + 1] = int(due)
    scores[#scores + 1] = id
    if due < first then first = due end
    reply[#reply + 1] = 'created'
  end
end
if #records == 0 then return reply end

local counters = counts(stats, {enqueued = #records / 2})
redis.call('HSET', jobs, unpack(records))
redis.call('ZADD', scheduled, unpack(scores))
redis.call('HSET', stats, unpack(counters))
if not layout then redis.call('HSET', meta, 'layout', ARGV[1]) end
if first < head_due and token == 0 then redis.call('LPUSH', wake, '1') end
return reply
