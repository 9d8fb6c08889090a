-- enqueue: writes n new jobs, each due `delay` ms from now by the clock of Redis, rounded up, or at a given time.
--
-- KEYS  jobs, scheduled, wake, stats, meta, unique, idempotency:<hash>, uniquefor:<hash>
-- (a call without special jobs ends at meta; else the last two stand there once for each job that has such a key, in any order)
-- ARGV  layout version of the caller, most scheduled jobs or 0, how many jobs are plain, for each of these: id, record (JSON),
--       delay (ms), then for each of the others: id, record, delay or '', due time (ms) or '', the number in KEYS of its
--       idempotency key or '', what that is to hold (JSON: id, request), its unique key or '', the number in KEYS of its
--       uniquefor key or '', until ('start', 'done' or ms)
-- Reply {'ok', now, word, …} one word a job, in order: 'created'
--        'replayed:<id>'  its idempotency key was used for the same request, which created that job; 'conflict' for another
--        'exists'         its id exists, or stands twice in one call
--        'unique:<id>'    that job holds its unique key
--        'full'           there are as many scheduled jobs as there may be
--       {'layout', version}: the data is of a newer layout than the caller knows; nothing was written
-- The checks are made in this order. Only what is created stores keys; a job sees those before it in its call.
-- The first write grows on purpose: at maxmemory it is refused before anything has changed.
-- A new head of the schedule pushes the wake token.
-- Moves: none -> scheduled
-- Cost  O(n log N) for n jobs (at most 100, 1 MiB) and N scheduled
local jobs, scheduled, wake, stats, meta, unique = unpack(KEYS, 1, 6)
local layout = redis.call('HGET', meta, 'layout')
if layout and (tonumber(layout) or math.huge) > tonumber(ARGV[1]) then return {'layout', layout} end

local now = next_ms()
local most, plain = tonumber(ARGV[2]), 3 * tonumber(ARGV[3])
local head = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')
local head_due = head[2] and tonumber(head[2]) or math.huge
local room = most > 0 and most - redis.call('ZCARD', scheduled) or math.huge
local token = redis.call('LLEN', wake)
local enqueued = tonumber(redis.call('HGET', stats, 'enqueued') or 0) or 0
local ids = {}
for i = 4, 3 + plain, 3 do ids[#ids + 1] = ARGV[i] end
for i = 4 + plain, #ARGV, 9 do ids[#ids + 1] = ARGV[i] end
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
for n = 1, plain / 3 do
  local id, i = ids[n], 3 * n + 1
  if seen[id] or there[n] then
    reply[n + 2] = 'exists'
  elseif room <= 0 then
    reply[n + 2] = 'full'
  else
    if ARGV[i + 2] ~= delay then -- many wait equally long
      delay = ARGV[i + 2]
      due = now + tonumber(delay)
      score = int(due)
      if due < first then first = due end
    end
    seen[id] = true
    room = room - 1
    local k = #records
    records[k + 1], records[k + 2] = id, ARGV[i + 1]
    scores[k + 1], scores[k + 2] = score, id
    reply[n + 2] = 'created'
  end
end

-- What stands in the way of a special job: the word for it, or nil.
local keep, take = {}, {} -- names of idempotency and uniquefor keys → what they are to hold · unique key → id
local function replayed(idempotency, mine)
  local value = keep[idempotency] or redis.call('GET', idempotency)
  if not value then return nil end
  local ok, old = pcall(cjson.decode, value)
  local same = ok and type(old) == 'table' and type(old.id) == 'string' and old.request == cjson.decode(mine).request
  return same and 'replayed:' .. old.id or 'conflict'
end
local function holder(key, uniquefor)
  local id = take[key] or redis.call('HGET', unique, key) or keep[uniquefor] or redis.call('GET', uniquefor)
  return id and 'unique:' .. id or nil
end
local lives = {} -- names of those keys → how long they live in ms
for i = 4 + plain, #ARGV, 9 do
  local n = plain / 3 + (i - 4 - plain) / 9 + 1
  local id, key, lasts = ARGV[i], ARGV[i + 6], ARGV[i + 8]
  local idempotency, uniquefor = KEYS[tonumber(ARGV[i + 4])], KEYS[tonumber(ARGV[i + 7])]
  local word = idempotency and replayed(idempotency, ARGV[i + 5])
    or (seen[id] or there[n]) and 'exists'
    or key ~= '' and holder(key, uniquefor)
    or room <= 0 and 'full'
  if word then
    reply[n + 2] = word
  else
    due = ARGV[i + 3] ~= '' and math.max(now, tonumber(ARGV[i + 3])) or now + tonumber(ARGV[i + 2])
    if due < first then first = due end
    seen[id] = true
    room = room - 1
    records[#records + 1], records[#records + 2] = id, ARGV[i + 1]
    scores[#scores + 1], scores[#scores + 2] = int(due), id
    reply[n + 2] = 'created'
    if idempotency then keep[idempotency], lives[idempotency] = ARGV[i + 5], '86400000' end -- 24 h
    if key ~= '' and tonumber(lasts) then
      keep[uniquefor], lives[uniquefor] = id, lasts
    elseif key ~= '' then
      take[key] = id
    end
  end
end
if #records == 0 then return reply end

redis.call('HSET', jobs, unpack(records))
redis.call('ZADD', scheduled, unpack(scores))
for key, id in pairs(take) do redis.call('HSET', unique, key, id) end
for idempotency, value in pairs(keep) do redis.call('SET', idempotency, value, 'PX', lives[idempotency]) end
redis.call('HSET', stats, 'enqueued', int(enqueued + #records / 2))
if not layout then redis.call('HSET', meta, 'layout', ARGV[1]) end
if first < head_due and token == 0 then redis.call('LPUSH', wake, '1') end
return reply
