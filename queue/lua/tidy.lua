-- tidy: mends one thing beside the jobs, after damage, if it is still so at this instant.
--
-- KEYS  jobs, workers, wake, stats, meta, heartbeat:<worker>, processing:<worker>, unique, dead, done, scheduled,
--       cancelled, groups
-- ARGV  what (a code of the audit), worker, field, unique key, job or '', the value that was found there or ''
-- What  list-unregistered       registers the worker as overdue, so that its list is reaped
--       heartbeat-unregistered  deletes the key: a worker that lives is told fenced, and registers anew
--       heartbeat-without-ttl   lets it run out after the TTL of meta: a worker that lives renews it
--       worker-never-overdue    says anew when its heartbeat runs out: when the key does, else it has
--       reaping-unregistered    deletes the mark
--       order-unregistered      deletes the order
--       cancelled-not-held      forgets that a job is being cancelled which nobody runs
--       meta-malformed, counter-malformed  deletes the field: absent is what every script can deal with
--       wake-tokens             leaves one
--       unique-stale            frees a key whose holder is gone, dead or done
--       group-malformed         deletes the group: its jobs are in none
--       groups-differ           deletes all groups, if no job is dead
--       counters-differ         writes the difference to `adjusted`, and leaves the counters alone
-- Reply {'fixed', what was done} · {'well'} it is not so now · {'left', why}
-- Moves: none
-- Cost  O(log W) for W workers
local jobs, workers, wake, stats, meta, heartbeat, processing, unique, dead, done, scheduled, cancelled, groups = unpack(KEYS)
local what, name, value = ARGV[1], ARGV[2], ARGV[3]

-- Read and check everything first.
local now = now_ms()
local registered = redis.call('ZSCORE', workers, name)
local tokens = redis.call('LLEN', wake)
local n = redis.call('HMGET', stats, 'enqueued', 'adjusted', 'done', 'dead_trimmed', 'cancelled', 'purged_scheduled', 'purged_dead')
local counter = redis.call('HGET', stats, name)
local m = redis.call('HMGET', meta, 'ttl', name, 'reaping:' .. name, 'order:' .. name)
local ttl = tonumber(m[1] or '')
local runs_out = redis.call('PTTL', heartbeat) -- -1 never, -2 is not there
local held = redis.call('LLEN', processing)
local count = redis.call('HLEN', jobs) - redis.call('ZCARD', done) -- jobs that are done are counted as done
local holds = redis.call('HGET', unique, name) == value
local died, finished = redis.call('ZSCORE', dead, value), redis.call('ZSCORE', done, value)
local ended = died or finished or redis.call('HEXISTS', jobs, value) == 0
local ending = redis.call('SISMEMBER', cancelled, value) == 1
local waits = redis.call('ZSCORE', scheduled, value)
local idle = ended or waits
local group = redis.call('HGET', groups, name)
local grouped = redis.call('HLEN', groups)
local buried = redis.call('ZCARD', dead)

-- Write. The first write cannot grow, so that nothing after it is refused at maxmemory.
local tidy = {}

tidy['list-unregistered'] = function()
  if registered or held == 0 then return end
  redis.call('HDEL', meta, '-')
  redis.call('ZADD', workers, int(now - 1), name)
  return 'registered as overdue: whoever reaps takes its ' .. int(held) .. ' jobs back'
end

tidy['heartbeat-unregistered'] = function()
  if registered or runs_out == -2 then return end
  redis.call('DEL', heartbeat)
  return 'deleted'
end

tidy['heartbeat-without-ttl'] = function()
  if runs_out ~= -1 then return end
  if not ttl or ttl < 1 then return nil, 'nobody knows the TTL: start a worker, then again' end
  redis.call('PEXPIRE', heartbeat, int(ttl))
  return 'runs out in ' .. int(ttl) .. ' ms, unless the worker renews it'
end

tidy['worker-never-overdue'] = function()
  if not registered or tonumber(registered) ~= tonumber(value) then return end
  local expiry = runs_out >= 0 and now + runs_out or now - 1
  redis.call('HDEL', meta, '-')
  redis.call('ZADD', workers, int(expiry), name)
  return runs_out >= 0 and 'runs out with its heartbeat' or 'overdue: it has no heartbeat that runs out'
end

tidy['reaping-unregistered'] = function()
  if registered or not m[3] then return end
  redis.call('HDEL', meta, 'reaping:' .. name)
  return 'mark deleted'
end

tidy['order-unregistered'] = function()
  if registered or not m[4] then return end
  redis.call('HDEL', meta, 'order:' .. name)
  return 'order deleted'
end

tidy['cancelled-not-held'] = function()
  if not ending or not idle then return end
  redis.call('SREM', cancelled, value)
  return 'forgotten'
end

tidy['meta-malformed'] = function()
  if m[2] ~= value then return end
  redis.call('HDEL', meta, name)
  return 'deleted: a heartbeat writes it anew'
end

tidy['counter-malformed'] = function()
  if counter ~= value then return end
  redis.call('HDEL', stats, name)
  return 'deleted: it begins again at 0'
end

tidy['wake-tokens'] = function()
  if tokens < 2 then return end
  redis.call('LTRIM', wake, 0, 0)
  return 'one is left'
end

tidy['unique-stale'] = function()
  if not (holds and ended) then return end
  redis.call('HDEL', unique, name)
  return 'the key is free'
end

tidy['group-malformed'] = function()
  if group ~= value then return end
  redis.call('HDEL', groups, name)
  return 'deleted: its jobs are in no group'
end

tidy['groups-differ'] = function()
  if grouped == 0 then return end
  if buried > 0 then return nil, 'some jobs are dead: which are in a group is not known' end
  redis.call('DEL', groups)
  return 'deleted: no job is dead'
end

tidy['counters-differ'] = function()
  for i = 1, 7 do
    n[i] = tonumber(n[i] or 0)
    if not n[i] then return nil, 'a counter is not a number' end
  end
  local adjusted = count + n[3] + n[4] + n[5] + n[6] + n[7] - n[1]
  if adjusted == n[2] then return end
  redis.call('HDEL', stats, '-')
  redis.call('HSET', stats, 'adjusted', int(adjusted))
  return 'adjusted is ' .. int(adjusted)
end

local did, why = tidy[what]()
if why then return {'left', why} end
return did and {'fixed', did} or {'well'}
