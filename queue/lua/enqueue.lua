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
local enqueued = tonumber(redis.call('HGET', stats, 'enqueued') or 0) or 0
local ids = {}
for i = 2, #ARGV, 3 do ids[#ids + 1] = ARGV[i] end
local there, found = {}, false
for i = 1, #ids, 16 do
  local last = math.min(i + 15, #ids)
  if found then -- jobs are handed in again: their records may be big and need not be read
    for n = i, last do there[n] = redis.call('HEXISTS', jobs, ids[n]) == 1 end
  else
    for n, record in ipairs(redis.call('HMGET', jobs, unpack(ids, i, last))) do
      there[i + n - 1], found = record, found or record
    end
  end
end
local reply, records, scores, seen, first = {'ok', int(now)}, {}, {}, {}, math.huge
local delay, due, score
for n, id in ipairs(ids) do
  if seen[id] or there[n] then
    reply[n + 2] = 'exists'
  else
    local i = 3 * n
    if ARGV[i + 1] ~= delay then -- many wait equally long
      delay = ARGV[i + 1]
      due = now + tonumber(delay)
      score = int(due)
      if due < first then first = due end
    end
    seen[id] = true
    local k = #records
    records[k + 1], records[k + 2] = id, ARGV[i]
    scores[k + 1], scores[k + 2] = score, id
    reply[n + 2] = 'created'
  end
end
if #records == 0 then return reply end

redis.call('HSET', jobs, unpack(records))
redis.call('ZADD', scheduled, unpack(scores))
redis.call('HSET', stats, 'enqueued', int(enqueued + #records / 2))
if not layout then redis.call('HSET', meta, 'layout', ARGV[1]) end
if first < head_due and token == 0 then redis.call('LPUSH', wake, '1') end
return reply
