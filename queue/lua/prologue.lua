-- Helpers. script.go puts before each script those that it uses: one block without an empty line each, and its name is that
-- of its first local.

-- How much of records one call reads: a bigger bite would hold up everyone else.
local max_bytes = 1048576

-- The clock of Redis in Unix ms: the only clock that due times, leases and windows know.
local function now_ms()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

-- The same in µs.
local function now_us()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end

-- The clock in ms, rounded up: what due times are reckoned from, so that no job is early by the rest of a millisecond.
local function next_ms()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.ceil(tonumber(t[2]) / 1000)
end

-- A number as Redis should store and return it: Lua would turn large ones into 1.764e+12.
local function int(n) return string.format('%.0f', n) end

-- The job id in a list element '<claim number>:<id>'. A foreign element is its own id.
local function element_id(element) return string.match(element, '^%d+:(.+)$') or element end

-- Whether a job stands on a processing list.
local function is_listed(processing, id)
  local from, bite = 0, nil
  repeat
    bite = redis.call('LRANGE', processing, from, from + 999)
    for _, element in ipairs(bite) do
      if string.sub(element, -#id) == id and element_id(element) == id then return true end
    end
    from = from + 1000
  until #bite < 1000
  return false
end

-- What a record looks like from outside: { … }. Its JSON is decoded in Go, where that is cheap.
local function looks_readable(record)
  return record and string.byte(record) == 123 and string.byte(record, -1) == 125
end

-- An attempt counter: absent means 0, anything but digits means unreadable (nil).
local function attempt_count(value)
  if not value then return 0 end
  return string.match(value, '^%d+$') and tonumber(value)
end

-- The record that replaces one that is gone or cannot be read: readable, and it keeps what was there.
local function tombstone(reason, was)
  local r = {type = 'unreadable', max_retry = 0, reason = reason}
  if was then r.was = string.sub(was, 1, 4096) end
  return cjson.encode(r)
end

-- The record under which an unreadable id goes to dead: its own, whole, if only its attempts cannot be read.
local function last_record(reason, was)
  local ok, r = pcall(cjson.decode, looks_readable(was) and was or '')
  return ok and type(r) == 'table' and was or tombstone(reason, was)
end

-- What stands in a record before its payload, as a table, and where its payload begins; nil if the record cannot be read. No
-- big or deep payload is decoded, unless another hand has written the record.
local function scalars(record)
  local before, behind = string.match(record, '^(.-),?"payload":()')
  local ok, r = pcall(cjson.decode, before and before .. '}' or record)
  if not ok and before then ok, r = pcall(cjson.decode, record) end
  if not ok or type(r) ~= 'table' then return nil end
  return r, behind
end

-- How often a job may be retried, nil if the record cannot be read; then its scalars. Only where these do not tell, and the text
-- behind them may, the whole is decoded.
local function max_retry(record, default)
  local r, behind = scalars(record)
  if not r then return nil end
  local retries = r.max_retry
  if retries == nil and behind and string.find(record, '"max_retry"', behind, true) then
    local fine, whole = pcall(cjson.decode, record)
    if fine and type(whole) == 'table' then retries = whole.max_retry end
  end
  return tonumber(retries) or default, r
end

-- The unique key that a job holds, of which r are the scalars of its record; nil for none.
local function held_key(unique, r, id)
  local key = r and type(r.unique) == 'string' and type(r['until']) == 'string' and r.unique
  return key and redis.call('HGET', unique, key) == id and key or nil
end

-- One failure as JSON, its fields in the same order each time: people read these.
local function failure_text(f)
  local fields = {}
  for _, name in ipairs({'group', 'at', 'attempt', 'error', 'worker', 'took_ms'}) do
    local value = f[name]
    if type(value) == 'number' then
      fields[#fields + 1] = '"' .. name .. '":' .. int(value)
    elseif type(value) == 'string' then
      fields[#fields + 1] = '"' .. name .. '":' .. cjson.encode(value)
    end
  end
  return '{' .. table.concat(fields, ',') .. '}'
end

-- Prepends failure (a table) to the array old, keeping the last 5, and dates it.
local function with_error(old, failure, now)
  failure.at = now
  local list = {failure_text(failure)}
  local ok, past = pcall(cjson.decode, old or '[]')
  if ok and type(past) == 'table' then
    for i = 1, math.min(#past, 4) do
      if type(past[i]) == 'table' then
        past[i].group = nil -- of an earlier death: it counts no more
        list[#list + 1] = failure_text(past[i])
      end
    end
  end
  return '[' .. table.concat(list, ',') .. ']'
end

-- The group in which a dead job is counted, as the newest of its failures says; nil for none.
local function group_of_dead(failures) return string.match(failures or '', '^%[{"group":"(%x+)"') end

-- The groups of the dead, for a call that changes them: one helper, made only when somebody died, for most calls need none of it.
-- Each that is touched is read once, before the first write, and kept at the end. Groups are lines of JSON, and there are 500 at most.
local function grouping(groups)
  local tally, touched, room = {}, {}, 500 - redis.call('HLEN', groups)
  tally.touched = touched
  -- false: there is none, or what is there makes no sense.
  local function touch(id)
    if touched[id] == nil then
      local ok, g = pcall(cjson.decode, redis.call('HGET', groups, id) or '')
      ok = ok and type(g) == 'table' and type(g.type) == 'string' and type(g.error) == 'string'
      for _, name in ipairs({'jobs', 'first', 'last'}) do
        local n = ok and g[name]
        ok = type(n) == 'number' and n >= 0 and n < 1e15 and n % 1 == 0
      end
      touched[id] = ok and g
    end
    return touched[id]
  end
  -- What errors of one kind have in common, of their first lines at most 200 bytes: ids and numbers are #. Behind it may come a stack.
  local function common(text)
    text = string.match(text, '[^\n]+') or ''
    local four = '%x%x%x%x'
    local uuid = four .. four .. '%-' .. four .. '%-' .. four .. '%-' .. four .. '%-' .. four .. four .. four
    local kind = string.gsub(string.gsub(string.sub(text, 1, 400), uuid, '#'), four .. four .. '+', '#')
    kind = string.gsub(kind, '%d+', '#')
    if #kind > 200 or #text > 400 then -- no half of a letter at the end
      kind = string.gsub(string.sub(kind, 1, 200), '[\192-\255][\128-\191]*$', '')
    end
    return kind
  end
  -- The group of a job that is to die with this record, or a tombstone; the failure names it from here on. nil: there are too many.
  function tally.find(record, failure)
    local r = looks_readable(record) and scalars(record)
    local job_type = r and type(r.type) == 'string' and string.sub(r.type, 1, 64) or 'unreadable'
    local kind = common(type(failure.error) == 'string' and failure.error or '')
    local id = string.sub(redis.sha1hex(job_type .. '\n' .. kind), 1, 16)
    local g = touch(id)
    if not g then
      if room < 1 then return nil end
      room = room - 1
      g = {type = job_type, error = kind, jobs = 0}
      touched[id] = g
    end
    failure.group = id
    return g
  end
  -- Counts a death in its group, if it has one.
  function tally.count(g, now)
    if g then g.jobs, g.first, g.last, g.changed = g.jobs + 1, g.first or now, now, true end
  end
  -- Takes a job that is dead no more out of its group.
  function tally.leave(failures)
    local id = group_of_dead(failures)
    local g = id and touch(id)
    if g then g.jobs, g.changed = g.jobs - 1, true end
  end
  -- Writes what has changed and has jobs.
  function tally.keep()
    for id, g in pairs(touched) do
      if g and g.changed and g.jobs > 0 then
        redis.call('HSET', groups, id, '{"type":' .. cjson.encode(g.type) .. ',"error":' .. cjson.encode(g.error) .. ',"jobs":' .. int(g.jobs) ..
          ',"first":' .. int(g.first) .. ',"last":' .. int(g.last) .. '}')
      end
    end
  end
  return tally
end

-- Deletes the groups that no job is in any more.
local function drop_groups(groups, tally)
  for id, g in pairs(tally.touched) do
    if g and g.changed and g.jobs < 1 then redis.call('HDEL', groups, id) end
  end
end

-- The state of a job, as its sets tell it, and its score there; nil if there is no such job.
local function state_of(id, jobs, scheduled, dead, done)
  local due, died, ended = redis.call('ZSCORE', scheduled, id), redis.call('ZSCORE', dead, id), redis.call('ZSCORE', done, id)
  if redis.call('HEXISTS', jobs, id) == 0 then return nil end
  if due then return 'scheduled', due end
  if died then return 'dead', died end
  if ended then return 'done', ended end
  return 'processing'
end

-- Adds to the counters of the stats hash. changes = {name = n}; reads all before it writes any, and a counter
-- that is not a number starts anew, so that it can never fail after the move that it counts.
local function counts(stats, changes)
  local names, args = {}, {}
  for name, n in pairs(changes) do
    if n > 0 then names[#names + 1] = name end
  end
  if #names == 0 then return args end
  for i, old in ipairs(redis.call('HMGET', stats, unpack(names))) do
    args[2 * i - 1], args[2 * i] = names[i], int((tonumber(old or 0) or 0) + changes[names[i]])
  end
  return args
end
