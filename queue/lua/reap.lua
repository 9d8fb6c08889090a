-- reap: takes back the jobs of one dead worker, at most 100 or 1 MiB of records a call. Whether it is dead is decided here
-- and now, whatever the caller was told before: its heartbeat key is absent, the observation window is full (2.5
-- intervals), and the last observation is younger than the gap (1.5 intervals). After an outage of Redis longer than the
-- TTL all keys are gone though everyone lives; the window gives them the time to say so. A key that has more than the TTL
-- left is from before the clock stepped back, and so is its worker, if its registration has run out: it counts as absent.
--
-- KEYS  processing:<victim>, heartbeat:<victim>, workers, meta, jobs, scheduled, dead, attempts, errors, wake, stats,
--       unique, cancelled, control:<victim>, groups
-- ARGV  victim, seed, most jitter (ms), default max_retry
-- Reply {'reaped', rescheduled, dead, left on the list, cancelled} · {'gone'} not registered · {'alive'} heartbeat key exists ·
--       {'early'} not enough is known yet
-- An attempt was counted at claim: a job that has used up max_retry + 1 of them goes to dead, the others come back after
-- a random 0 to jitter ms; one that is being cancelled is gone. The dead and the gone give up their unique keys. While something
-- is left the victim is marked in meta, and is answered 'fenced'; with an empty
-- list it leaves the registry.
-- Moves: processing -> scheduled, processing -> dead, processing -> none
-- Cost  O(n log N) for n ids (at most 100, 1 MiB) and N scheduled
local processing, heartbeat, workers, meta, jobs, scheduled, dead, attempts, errors, wake, stats, unique, cancelled, control, groups = unpack(KEYS)
local victim, jitter, default_retry = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
math.randomseed(tonumber(ARGV[2]))

-- Read and check everything first.
local now = now_ms()
local until_ms = redis.call('ZSCORE', workers, victim)
if not until_ms then return {'gone'} end
local m = redis.call('HMGET', meta, 'interval', 'window_start', 'window_seen', 'timekeeper', 'ttl')
local stale = (tonumber(until_ms) or 0) < now and redis.call('PTTL', heartbeat) > (tonumber(m[5] or '') or math.huge)
if not stale and redis.call('EXISTS', heartbeat) == 1 then return {'alive'} end
local interval, start, seen = tonumber(m[1] or ''), tonumber(m[2] or ''), tonumber(m[3] or '')
if not (interval and start and seen and seen <= now and now - seen < interval * 1.5 and now - start >= interval * 2.5) then
  return {'early'} -- asked this way round, what is no number (nan) fails too
end

local list = redis.call('LRANGE', processing, 0, 99)
local length = redis.call('LLEN', processing)
local token = redis.call('LLEN', wake)
local head = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')
local head_due = head[2] and tonumber(head[2]) or math.huge
redis.call('ZCARD', dead)
redis.call('HLEN', jobs)
redis.call('HLEN', attempts)
redis.call('HLEN', errors)
redis.call('HLEN', stats)
redis.call('HLEN', unique)
local ending = redis.call('SCARD', cancelled) > 0 -- some job is being cancelled
local took, moves, gone, keys, tally, rescheduled, buried, corrupt, bytes = 0, {}, {}, {}, nil, 0, 0, 0, 0
for _, element in ipairs(list) do
  if bytes >= max_bytes then break end
  took = took + 1
  local j = {id = element_id(element)}
  local record = redis.call('HGET', jobs, j.id)
  bytes = bytes + #(record or '')
  if ending and redis.call('SISMEMBER', cancelled, j.id) == 1 then
    gone[#gone + 1] = j.id
    keys[#keys + 1] = looks_readable(record) and held_key(unique, scalars(record), j.id) or nil
  else
    local retries, r = nil, nil
    if looks_readable(record) then retries, r = max_retry(record, default_retry) end
    local attempt = attempt_count(redis.call('HGET', attempts, j.id))
    local entry = {error = 'worker lost: ' .. victim .. ' stopped sending heartbeats', worker = victim, attempt = attempt or nil}
    if not retries or not attempt then
      local reason = record and (retries and 'attempts are not a number' or 'record is not JSON') or 'record is missing'
      j.record, j.drop_attempts = last_record(reason, record), not attempt
      entry.error = 'unreadable: ' .. reason
      corrupt = corrupt + 1
    end
    if j.record or attempt > retries then
      buried = buried + 1
      j.key = held_key(unique, r, j.id)
      tally = tally or grouping(groups)
      tally.count(tally.find(j.record or record, entry), now)
    else
      j.due = now + math.random(0, jitter)
      rescheduled = rescheduled + 1
    end
    j.errors = with_error(redis.call('HGET', errors, j.id), entry, now)
    moves[#moves + 1] = j
  end
end
local counters = counts(stats, {reaped = took, dead = buried, corrupt = corrupt, cancelled = #gone})

-- Write. The first write cannot grow, so that reaping goes on at maxmemory.
redis.call('LTRIM', processing, took, -1)
if stale then redis.call('DEL', heartbeat) end
local first = math.huge
if #gone > 0 then
  redis.call('HDEL', jobs, unpack(gone))
  redis.call('HDEL', attempts, unpack(gone))
  redis.call('HDEL', errors, unpack(gone))
  redis.call('SREM', cancelled, unpack(gone))
  for _, key in ipairs(keys) do redis.call('HDEL', unique, key) end
end
for _, j in ipairs(moves) do
  if j.record then redis.call('HSET', jobs, j.id, j.record) end
  if j.drop_attempts then redis.call('HDEL', attempts, j.id) end
  redis.call('HSET', errors, j.id, j.errors)
  if j.due then
    redis.call('ZADD', scheduled, int(j.due), j.id)
    if j.due < first then first = j.due end
  else
    redis.call('ZADD', dead, int(now), j.id)
    if j.key then redis.call('HDEL', unique, j.key) end
  end
end
if tally then tally.keep() end
if #counters > 0 then redis.call('HSET', stats, unpack(counters)) end
if length > took then
  redis.call('HSET', meta, 'reaping:' .. victim, '1')
else
  redis.call('ZREM', workers, victim)
  redis.call('HDEL', meta, 'reaping:' .. victim, 'order:' .. victim)
  redis.call('DEL', control)
end
local kept_time = m[4] == victim
if kept_time then redis.call('HDEL', meta, 'timekeeper', 'timekeeper_due', 'timekeeper_until') end
local something_waits = head[2] or first < math.huge
if (first < head_due or kept_time and something_waits) and token == 0 then redis.call('LPUSH', wake, '1') end
return {'reaped', int(rescheduled), int(buried), int(length - took), int(#gone)}
