-- settle: reports the results of claimed jobs. Each names its list element '<claim number>:<id>', and that it is taken off
-- this worker's list, by one LREM or with others by one LTRIM, is the whole fence: owner, membership and claim. An element
-- that is not on it is 'lost' and changes nothing.
--
-- KEYS  processing:<worker>, jobs, scheduled, dead, attempts, errors, wake, stats, done, unique, cancelled, groups
-- ARGV  '1' if a claim follows in the same pipeline (then a new head needs no token), worker, how many of the first
--       results are just done, the elements of these,
--       then for each other result: element, outcome, delay (ms), failure (JSON object or ''), the unique key that the
--       job may hold or '': it is free once the job is done, dead or cancelled
-- Outcomes: done (kept for the delay; 0: forgotten) · retry (due again after the delay) · dead (kept with its failure) ·
--       corrupt (dead; the record, which could not be decoded, becomes a readable one that keeps it) ·
--       release (given back unrun: due now, the attempt is not counted)
-- Reply {'ok', now, 'done' | 'retry' | 'dead' | 'release' | 'cancelled' | 'lost', …} one word a result, in order.
--       A job that is being cancelled is gone whatever its result, and is 'cancelled' unless it is done.
--       A job whose record has vanished cannot be run again: it goes to dead with a readable record.
-- A death without a failure gets one. The records of the dead tell their types, and so their groups: behind 1 MiB of records the rest
-- of the dead is in none.
-- Moves: processing -> done, processing -> scheduled, processing -> dead, processing -> none
-- Cost  O(n (L + log N)) for n results, a list of L and N scheduled
local processing, jobs, scheduled, dead, attempts, errors, wake, stats, done, unique, cancelled, groups = unpack(KEYS)
local claim_follows, worker, plain = ARGV[1] == '1', ARGV[2], tonumber(ARGV[3])

-- Read and check everything first.
local now = now_ms()
redis.call('LLEN', processing)
redis.call('ZCARD', dead)
local token = redis.call('LLEN', wake)
local head = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')
local head_due = head[2] and tonumber(head[2]) or math.huge
redis.call('HLEN', jobs)
redis.call('HLEN', attempts)
redis.call('HLEN', errors)
redis.call('ZCARD', done)
redis.call('HLEN', unique)
local n = {done = 0, retry = 0, dead = 0, release = 0, lost = 0, corrupt = 0, cancelled = 0}
local ending = redis.call('SCARD', cancelled) > 0 -- some job is being cancelled
local results, tally, bytes = {}, nil, 0
for i = 4 + plain, #ARGV, 5 do
  local r = {element = ARGV[i], outcome = ARGV[i + 1], delay = tonumber(ARGV[i + 2]), failure = ARGV[i + 3], key = ARGV[i + 4]}
  assert(n[r.outcome] and r.outcome ~= 'lost' and r.outcome ~= 'cancelled' and r.delay and r.key, 'settle: a result is an outcome, a delay, a failure and a key')
  r.id = element_id(r.element)
  r.holds = r.key ~= '' and redis.call('HGET', unique, r.key) == r.id
  if r.outcome ~= 'done' and ending and redis.call('SISMEMBER', cancelled, r.id) == 1 then r.outcome = 'cancelled' end
  if r.outcome ~= 'done' and r.outcome ~= 'cancelled' then
    r.attempt = attempt_count(redis.call('HGET', attempts, r.id)) or 0
    if redis.call('HEXISTS', jobs, r.id) == 0 then
      r.outcome, r.reason = 'dead', 'record is missing'
    elseif r.outcome == 'corrupt' then
      r.outcome, r.reason = 'dead', 'record is not JSON'
      r.record = redis.call('HGET', jobs, r.id)
    end
    local failure = r.failure ~= '' and cjson.decode(r.failure)
    if r.outcome == 'dead' then
      failure = failure or {error = r.reason and 'unreadable: ' .. r.reason or 'no reason was told', worker = worker}
      local record = not r.reason and bytes < max_bytes and redis.call('HGET', jobs, r.id)
      if record or r.reason then
        tally, bytes = tally or grouping(groups), bytes + #(record or '')
        r.group = tally.find(record, failure)
      end
    end
    if failure then r.errors = with_error(redis.call('HGET', errors, r.id), failure, now) end
  elseif r.outcome == 'done' and r.delay > 0 then
    r.kept = redis.call('HEXISTS', jobs, r.id) == 1
  end
  results[#results + 1] = r
end

-- Under load results come in about the order of their claims. If these are just the head of the list, whichever way round,
-- one LTRIM does what as many LREM would.
local count = plain + #results
local at_head = count > 1
if at_head then
  local listed = {}
  for _, element in ipairs(redis.call('LRANGE', processing, 0, count - 1)) do listed[element] = true end
  local function strike(element) -- one that is reported twice is lost the second time
    at_head = at_head and listed[element]
    listed[element] = nil
  end
  for i = 4, 3 + plain do strike(ARGV[i]) end
  for _, r in ipairs(results) do strike(r.element) end
end
local stat = redis.call('HMGET', stats, 'done', 'retried', 'dead', 'released', 'lost', 'corrupt', 'cancelled')

-- Write. LTRIM or LREM comes first and cannot grow, so that nothing after it is refused at maxmemory.
local reply, gone, first = {'ok', int(now)}, {}, math.huge
if at_head then redis.call('LTRIM', processing, count, -1) end
for i = 1, plain do
  local element = ARGV[3 + i]
  local mine = at_head or redis.call('LREM', processing, 1, element) == 1
  if mine then gone[#gone + 1] = element_id(element) end
  reply[i + 2] = mine and 'done' or 'lost'
end
n.done, n.lost = #gone, plain - #gone
for _, r in ipairs(results) do
  local outcome = r.outcome
  if not at_head and redis.call('LREM', processing, 1, r.element) == 0 then
    outcome = 'lost'
  elseif outcome == 'done' then
    if r.kept then
      redis.call('ZADD', done, int(now + r.delay), r.id)
      if ending then redis.call('SREM', cancelled, r.id) end
    else
      gone[#gone + 1] = r.id
    end
  elseif outcome == 'cancelled' then
    gone[#gone + 1] = r.id
  else
    if r.reason then
      redis.call('HSET', jobs, r.id, tombstone(r.reason, r.record))
      n.corrupt = n.corrupt + 1
    end
    if r.errors then redis.call('HSET', errors, r.id, r.errors) end
    if outcome == 'dead' then
      redis.call('ZADD', dead, int(now), r.id)
      if tally then tally.count(r.group, now) end
    else
      local due = now
      if outcome == 'retry' then
        due = now + r.delay
      elseif r.attempt > 1 then
        redis.call('HSET', attempts, r.id, int(r.attempt - 1))
      else
        redis.call('HDEL', attempts, r.id)
      end
      redis.call('ZADD', scheduled, int(due), r.id)
      if due < first then first = due end
    end
  end
  if r.holds and (outcome == 'done' or outcome == 'dead' or outcome == 'cancelled') then redis.call('HDEL', unique, r.key) end
  n[outcome] = n[outcome] + 1
  reply[#reply + 1] = outcome
end
if tally then tally.keep() end
if #gone > 0 then
  redis.call('HDEL', jobs, unpack(gone))
  redis.call('HDEL', attempts, unpack(gone))
  redis.call('HDEL', errors, unpack(gone))
  if ending then redis.call('SREM', cancelled, unpack(gone)) end
end
for i, name in ipairs({'done', 'retry', 'dead', 'release', 'lost', 'corrupt', 'cancelled'}) do
  local field = ({'done', 'retried', 'dead', 'released', 'lost', 'corrupt', 'cancelled'})[i]
  if n[name] > 0 then redis.call('HSET', stats, field, int((tonumber(stat[i] or 0) or 0) + n[name])) end
end
if first < head_due and not claim_follows and token == 0 then redis.call('LPUSH', wake, '1') end
return reply
