-- list: up to n jobs of one state behind a position, in order, with their records. Reads only.
--
-- KEYS  jobs, attempts, cancelled, <place>
-- ARGV  state, 'oldest' or 'newest' first, n (at most 1000), score and id of the position, or '' and '' for the beginning
-- <place> is scheduled, dead or done; of state processing, processing:<worker> of one worker or more, in order. There the number
-- of the claim stands for a score, and the position is one in the first list.
-- Reply {'ok', now, '1' if there is more behind these, then for each job: id, score, record or '', attempts or '',
--       '1' if it is being cancelled, number of its list or ''}
-- Stops at 1 MiB of records. A position is a score and an id, not a rank: what is moved away before it shifts nothing.
-- Moves: none
-- Cost  O((log N)^2 + n log N) for N jobs in the set; O(L log L + n) for L elements in the lists
local jobs, attempts, cancelled, place = unpack(KEYS, 1, 4)
local state, newest, want, score, id = ARGV[1], ARGV[2] == 'newest', tonumber(ARGV[3]), ARGV[4], ARGV[5]

-- As a sorted set compares its members, byte by byte: '<' of Lua goes by the language of the server.
local function before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- {id, score} behind the position in a sorted set: of those of the same score it is sought by halves.
local function of_set()
  local size = redis.call('ZCARD', place)
  local from = newest and size or 0
  if score ~= '' then
    from = redis.call('ZCOUNT', place, '-inf', '(' .. score)
    local beyond = redis.call('ZCOUNT', place, '-inf', score)
    while from < beyond do
      local middle = math.floor((from + beyond) / 2)
      local member = redis.call('ZRANGE', place, middle, middle)[1]
      if before(member, id) or not newest and member == id then from = middle + 1 else beyond = middle end
    end
  end
  local first, last = from, math.min(from + want, size) - 1
  if newest then first, last = math.max(0, from - want), from - 1 end
  local found, more = {}, newest and first > 0 or not newest and last + 1 < size
  local members = last >= first and redis.call('ZRANGE', place, first, last, 'WITHSCORES') or {}
  for i = 1, #members, 2 do
    found[newest and (#members - i + 1) / 2 or (i + 1) / 2] = {id = members[i], score = members[i + 1], list = ''}
  end
  return found, more
end

-- The same of lists: by list, number of the claim, id.
local function of_lists()
  local found = {}
  local function follows(a, b)
    if a.number ~= b.number then return a.number < b.number end
    return before(a.id, b.id)
  end
  local position = score ~= '' and {number = tonumber(score), id = id}
  for l = 4, #KEYS do
    local processing, held, from, bite = KEYS[l], {}, 0, nil
    repeat
      bite = redis.call('LRANGE', processing, from, from + 999)
      for _, element in ipairs(bite) do
        local digits = string.match(element, '^(%d+):.')
        local one = {id = element_id(element), score = digits or '-1', number = tonumber(digits or -1), list = int(l - 3)}
        local behind = not position or l > 4 or newest and follows(one, position) or not newest and follows(position, one)
        if behind then held[#held + 1] = one end
      end
      from = from + 1000
    until #bite < 1000
    table.sort(held, newest and function(a, b) return follows(b, a) end or follows)
    for _, one in ipairs(held) do
      if #found == want then return found, true end
      found[#found + 1] = one
    end
  end
  return found, false
end

local now = now_ms()
local cancelling = redis.call('SCARD', cancelled) > 0
redis.call('HLEN', jobs)
redis.call('HLEN', attempts)
local found, more
if state == 'processing' then found, more = of_lists() else found, more = of_set() end

-- Records are read in bites of 16: what is read beyond the limit is read in vain.
local reply, bytes, told = {'ok', int(now), ''}, 0, 0
while told < #found and bytes < max_bytes do
  local ids = {}
  for i = told + 1, math.min(told + 16, #found) do ids[#ids + 1] = found[i].id end
  local records = redis.call('HMGET', jobs, unpack(ids))
  local begun = redis.call('HMGET', attempts, unpack(ids))
  for i, one in ipairs(ids) do
    if bytes >= max_bytes then break end
    told = told + 1
    local r, flagged = #reply, cancelling and state == 'processing' and redis.call('SISMEMBER', cancelled, one) == 1
    bytes = bytes + #(records[i] or '')
    reply[r + 1], reply[r + 2], reply[r + 3], reply[r + 4] = one, found[told].score, records[i] or '', begun[i] or ''
    reply[r + 5], reply[r + 6] = flagged and '1' or '', found[told].list
  end
end
if more or told < #found then reply[3] = '1' end
return reply
