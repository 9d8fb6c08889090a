-- claim: moves due jobs, oldest first, to the processing list of a worker and counts one attempt of each.
--
-- KEYS  scheduled, processing:<worker>, jobs, attempts, workers, meta, wake, dead, errors, stats, unique, groups
-- ARGV  worker, claim number, how many (1 to 100), lease of the timekeeper (ms)
-- Reply {'ok', now, next due time or '', '1' if this worker is to arm a timer for it, length of its list,
--        then id, record, attempt, due for each job}
--       {'fenced', now}: the worker is not in the registry, or is being reaped; nothing was changed
-- A queue that is paused looks to it as if nothing were scheduled.
-- Stops at 1 MiB of records. An id whose record is gone or unreadable, or whose attempts are not a number, goes to
-- dead with the reason and a readable record, and never stops the others. A job that was never begun, and whose record says that
-- it expires so long after its due time, goes to dead too, and gives up its unique key. One that holds its key until its start
-- gives it up when it is claimed. How late they were is counted in late_<at most so many ms> and late_more of stats.
-- Timekeeper: a claim that leaves slots free arms the next due time unless another worker's lease has an earlier one;
-- a claim that fills the slots gives the lease up and pushes the wake token on if anything waits that no one is armed for.
-- Moves: scheduled -> processing, scheduled -> dead
-- Cost  O(n log N) for n claimed and N scheduled
local scheduled, processing, jobs, attempts, workers, meta, wake, dead, errors, stats, unique, groups = unpack(KEYS)
local worker, number, want, lease = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

-- Read and check everything first.
local now = now_ms()
local registered = redis.call('ZSCORE', workers, worker)
local m = redis.call('HMGET', meta, 'reaping:' .. worker, 'timekeeper', 'timekeeper_due', 'timekeeper_until', 'paused')
if not registered or m[1] then return {'fenced', int(now)} end
local held = redis.call('LLEN', processing)
local token = redis.call('LLEN', wake)
redis.call('ZCARD', dead)
redis.call('HLEN', errors)
redis.call('HLEN', unique)

-- One more than wanted: the next due time. Of a queue that is paused nothing can be seen.
local head = redis.call('ZRANGE', scheduled, 0, want, 'WITHSCORES')
if m[5] == '1' then head = {} end
local function due(i) return tonumber(head[2 * i]) or math.huge end
local waiting = #head / 2
local ripe = math.min(waiting, want) -- how many are due, of those that are wanted
if ripe > 0 and due(ripe) > now then
  local beyond = ripe -- the head is in order: the due ones end between these two
  ripe = 0
  while ripe + 1 < beyond do
    local middle = math.floor((ripe + beyond) / 2)
    if due(middle) > now then beyond = middle else ripe = middle end
  end
end
local ids = {}
for i = 1, ripe do ids[i] = head[2 * i - 1] end

-- Records are read in bites of 16: what is read beyond the limit is read in vain.
local reply, elements, begun, bad, moved, bytes = {'ok', int(now), '', '0', ''}, {}, {}, {}, 0, 0
local prefix, r, e, expired, free, tally = number .. ':', 5, 0, 0, {}, nil
while moved < ripe and bytes < max_bytes do
  local last = math.min(moved + 16, ripe)
  local records = redis.call('HMGET', jobs, unpack(ids, moved + 1, last))
  local counters = redis.call('HMGET', attempts, unpack(ids, moved + 1, last))
  for i = 1, last - moved do
    if bytes >= max_bytes then break end
    moved = moved + 1
    local id, record, attempt = ids[moved], records[i], attempt_count(counters[i])
    bytes = bytes + #(record or '')
    local late, key -- of a record that begins with what scripts read, and not with its type
    if record and string.byte(record, 3) ~= 116 then
      local s = scalars(record)
      late = s and tonumber(s.expires_ms)
      late = late and attempt == 0 and now > (tonumber(head[2 * moved]) or now) + late and late
      if s and (late or s['until'] == 'start') then key = held_key(unique, s, id) end
    end
    if not looks_readable(record) or not attempt or id == '' then
      local reason = 'attempts are not a number'
      if not record then reason = 'record is missing' elseif not looks_readable(record) and attempt then reason = 'record is not JSON' end
      if id == '' then reason = 'id is empty' end -- no element could name it
      local failure = {error = 'unreadable: ' .. reason, worker = worker}
      local left = last_record(reason, record)
      tally = tally or grouping(groups)
      tally.count(tally.find(left, failure), now)
      bad[#bad + 1] = {id = id, attempt = attempt, record = left, errors = with_error(redis.call('HGET', errors, id), failure, now)}
    elseif late then
      local failure = {error = string.format('expired: not started within %g s of its due time', late / 1000), worker = worker}
      tally = tally or grouping(groups)
      tally.count(tally.find(record, failure), now)
      bad[#bad + 1] = {id = id, attempt = attempt, errors = with_error(redis.call('HGET', errors, id), failure, now)}
      expired = expired + 1
      free[#free + 1] = key
    else
      free[#free + 1] = key
      local count = attempt == 0 and '1' or int(attempt + 1)
      e = e + 1
      elements[e], begun[2 * e - 1], begun[2 * e] = prefix .. id, id, count
      reply[r + 1], reply[r + 2], reply[r + 3], reply[r + 4] = id, record, count, head[2 * moved]
      r = r + 4
    end
  end
end
local next_due = moved < waiting and due(moved + 1) or nil
local full = e == want

-- How late they are, in buckets. They are in the order of their due times: the end of a bucket is sought by halves.
local changes = {claimed = e, dead = #bad, corrupt = #bad - expired, expired = expired}
if e > 0 then
  local function bucket(i)
    local lateness = now - (tonumber(reply[5 + 4 * i]) or now)
    if lateness <= 100 then
      return lateness <= 5 and 'late_5' or lateness <= 10 and 'late_10' or lateness <= 25 and 'late_25' or lateness <= 50 and 'late_50' or 'late_100'
    elseif lateness <= 2500 then
      return lateness <= 250 and 'late_250' or lateness <= 500 and 'late_500' or lateness <= 1000 and 'late_1000' or 'late_2500'
    end
    return lateness <= 5000 and 'late_5000' or lateness <= 10000 and 'late_10000' or lateness <= 30000 and 'late_30000' or
      lateness <= 60000 and 'late_60000' or 'late_more'
  end
  local first, latest = 1, bucket(e)
  while first <= e do
    local name, from, beyond = bucket(first), first, e + 1
    if name == latest then from = e end
    while from + 1 < beyond do
      local middle = math.floor((from + beyond) / 2)
      if bucket(middle) == name then from = middle else beyond = middle end
    end
    changes[name] = from - first + 1
    first = from + 1
  end
end
local counters = counts(stats, changes)

-- Who keeps time from here on. No keeper, or one whose lease ran out or is no number (nan): nobody.
local keeper, armed, until_ms = m[2], tonumber(m[3] or ''), tonumber(m[4] or '')
if not (keeper and armed and armed == armed and until_ms and until_ms >= now) then keeper, armed = false, math.huge end
local take, drop, push = false, false, false
if full then
  drop = keeper == worker
  push = next_due ~= nil and (next_due <= now or drop or armed > next_due)
elseif not next_due then
  drop = keeper == worker
else
  take = not keeper or keeper == worker or next_due < armed
end

-- Write. The first write cannot grow, so that nothing after it is refused at maxmemory.
if moved > 0 then
  redis.call('ZREMRANGEBYRANK', scheduled, 0, moved - 1) -- what was moved is the head
elseif take or drop or push then
  redis.call('HDEL', meta, '-')
end
if e > 0 then
  redis.call('RPUSH', processing, unpack(elements))
  redis.call('HSET', attempts, unpack(begun))
end
for _, b in ipairs(bad) do
  if b.record then redis.call('HSET', jobs, b.id, b.record) end
  if not b.attempt then redis.call('HDEL', attempts, b.id) end
  redis.call('HSET', errors, b.id, b.errors)
  redis.call('ZADD', dead, int(now), b.id)
end
if tally then tally.keep() end
for _, key in ipairs(free) do redis.call('HDEL', unique, key) end
if #counters > 0 then redis.call('HSET', stats, unpack(counters)) end
if take then
  redis.call('HSET', meta, 'timekeeper', worker, 'timekeeper_due', int(next_due), 'timekeeper_until', int(now + lease))
elseif drop then
  redis.call('HDEL', meta, 'timekeeper', 'timekeeper_due', 'timekeeper_until')
end
if push and token == 0 then redis.call('LPUSH', wake, '1') end
if next_due then reply[3] = int(next_due) end
if take then reply[4] = '1' end
reply[5] = int(held + e)
return reply
