-- heartbeat: says that a worker lives, and that Redis could be reached just now (the observation that reaping needs).
--
-- KEYS  heartbeat:<worker>, workers, meta, processing:<worker>, scheduled, cancelled, stats, minutes
-- ARGV  mode, worker, info (JSON: host, pid, started, concurrency, build, dir, stuck, quiet), interval (ms), TTL (ms), layout version
-- Modes: new      registers a fresh id; refused ('timing') if other workers live with another interval or TTL
--        renew    'fenced' unless the id is registered and not being reaped
--        observe  registers nobody: the tick of a process that only reaps
-- Reply {'ok', now, next due time or '' (also while the queue is paused), one overdue worker to try reaping or '',
--        what this worker was told ('quiet', 'stop') or '', how many elements of its own list are being cancelled,
--        these elements …, all elements of its own list …}
--       {'fenced', now} · {'timing', interval, TTL} · {'layout', version}: nothing was changed
-- The observation window restarts when no heartbeat was seen for the gap (1.5 intervals), or when the clock stepped back. In
-- that case no registration may last longer than the TTL from now: those of the dead would else outlive them by the step.
-- The first heartbeat of a minute writes into minutes by how much the counters of stats have grown since the first of that minute in
-- which one was seen before. 'last' is what they were then. Minutes stand in a ring of a day, and those without growth do not.
-- The lease of the timekeeper is renewed with the heartbeat of the worker that holds it, unless that is to claim no more.
-- Moves: none
-- Cost  O(log W + L) for W workers and a list of L; O(W log W) once after the clock stepped back
local heartbeat, workers, meta, processing, scheduled, cancelled, stats, minutes = unpack(KEYS)
local mode, worker, info = ARGV[1], ARGV[2], ARGV[3]
local interval, ttl, layout = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

-- Read and check everything first.
local now = now_ms()
local m = redis.call('HMGET', meta, 'layout', 'interval', 'ttl', 'window_start', 'window_seen', 'reaping:' .. worker,
  'timekeeper', 'timekeeper_until', 'paused', 'order:' .. worker, 'minute')
if m[1] and (tonumber(m[1]) or math.huge) > layout then return {'layout', m[1]} end
local registered = redis.call('ZSCORE', workers, worker)
if mode == 'renew' then
  if not registered or m[6] then return {'fenced', int(now)} end
elseif m[2] and (tonumber(m[2]) ~= interval or tonumber(m[3] or '') ~= ttl) then
  local living = redis.call('ZCOUNT', workers, int(now), '+inf')
  if registered and tonumber(registered) >= now then living = living - 1 end
  if living > 0 then return {'timing', m[2], m[3] or ''} end
end
local head = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')
local next_due = m[9] ~= '1' and head[2] or ''
local list = mode ~= 'observe' and redis.call('LRANGE', processing, 0, -1) or {}
local ending = {}
if redis.call('SCARD', cancelled) > 0 then
  for _, element in ipairs(list) do
    if redis.call('SISMEMBER', cancelled, element_id(element)) == 1 then ending[#ending + 1] = element end
  end
end
local start, seen = tonumber(m[4] or ''), tonumber(m[5] or '')
-- Asked this way round, what is no number (nan) fails too.
if not (start and seen and start <= now and seen <= now and now - seen < interval * 1.5) then start = now end

-- One overdue worker, each in turn: one that cannot be reaped must not hide the others. This one is not overdue any more.
local overdue = redis.call('ZCOUNT', workers, '-inf', '(' .. int(now))
local victim = ''
if overdue > 0 then
  local next = redis.call('ZRANGEBYSCORE', workers, '-inf', '(' .. int(now), 'LIMIT', int(now % overdue), 2)
  victim = next[1] ~= worker and next[1] or next[2] or ''
end
local too_late = seen and seen > now and redis.call('ZRANGEBYSCORE', workers, '(' .. int(now + ttl), '+inf') or {}

-- What has grown since the last minute that was seen.
redis.call('HLEN', stats)
redis.call('HLEN', minutes)
local minute, ring = int(math.floor(now / 60000)), {}
if m[11] ~= minute then
  local last, before, grown, counters = redis.call('HGET', minutes, 'last'), {}, {}, {}
  for name, n in string.gmatch(last or '', '([%l%d_]+)=(%d+)') do before[name] = tonumber(n) end
  local all = redis.call('HGETALL', stats)
  for i = 1, #all, 2 do
    local name, n = all[i], all[i + 1]
    if string.find(name, '^[%l%d_]+$') and string.find(n, '^%d+$') then
      counters[#counters + 1] = name .. '=' .. n
      local more = tonumber(n) - (before[name] or 0)
      if more > 0 then grown[#grown + 1] = name .. '=' .. int(more) end
    end
  end
  table.sort(counters)
  table.sort(grown)
  local text = table.concat(counters, ' ')
  if text ~= last then ring = {'last', text} end
  if last and #grown > 0 and string.find(m[11] or '', '^%d+$') then -- else nobody knows since when
    ring[3], ring[4] = int(tonumber(m[11]) % 1440), m[11] .. ' ' .. table.concat(grown, ' ')
  end
end

-- Write. The first write cannot grow, so that a heartbeat is never refused at maxmemory.
redis.call('HDEL', meta, '-')
for _, w in ipairs(too_late) do redis.call('ZADD', workers, int(now + ttl), w) end
if mode ~= 'observe' then
  redis.call('SET', heartbeat, info, 'PX', int(ttl))
  redis.call('ZADD', workers, int(now + ttl), worker)
end
if not m[1] then redis.call('HSET', meta, 'layout', int(layout)) end
if mode ~= 'renew' then redis.call('HSET', meta, 'interval', int(interval), 'ttl', int(ttl)) end
redis.call('HSET', meta, 'window_start', int(start), 'window_seen', int(now), 'minute', minute)
if #ring > 0 then redis.call('HSET', minutes, unpack(ring)) end
if m[7] == worker and not m[10] and (tonumber(m[8] or '') or 0) >= now then
  redis.call('HSET', meta, 'timekeeper_until', int(now + interval * 2.5))
end
local reply = {'ok', int(now), next_due, victim, m[10] or '', int(#ending)}
for _, element in ipairs(ending) do reply[#reply + 1] = element end
for _, element in ipairs(list) do reply[#reply + 1] = element end
return reply
