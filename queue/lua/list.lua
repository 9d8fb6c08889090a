-- list: up to n jobs of one state behind a position, in order, with their records. Reads only.
--
-- KEYS  jobs, attempts, cancelled, errors, <place>
-- ARGV  state, 'oldest' or 'newest' first, n (at most 1000), score and id of the position, or '' and '' for the beginning, the group
--       that the dead are to be in or ''
-- <place> is scheduled, dead or done; of state processing, processing:<worker> of one worker or more, in order. There the number
-- of the claim stands for a score, and the position is one in the first list.
-- Reply {'ok', now, '1' if there is more behind those that were looked at, how many these are, score and id of the last of them,
--       then for each job that is wanted: id, score, record or '', attempts or '', and of state processing: '1' if it is being
--       cancelled or '', number of its list}
-- Stops at 1 MiB of records and failures. A position is a score and an id, not a rank: what is moved away before it shifts nothing.
-- Moves: none
-- Cost  O((log N)^2 + n log N) for N jobs in the set; O(L log L + n) for L elements in the lists
local jobs, attempts, cancelled, errors, place = unpack(KEYS, 1, 5)
local state, newest, want, score, id, group = ARGV[1], ARGV[2] == 'newest', tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]

-- As a sorted set compares its members, byte by byte: '<' of Lua goes by the language of the server.
local function before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- Ids and scores behind the position in a sorted set: of those of the same score it is sought by halves.
local ids, scores, lists = {}, {}, {}
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
  local members = last >= first and redis.call('ZRANGE', place, first, last, 'WITHSCORES') or {}
  local n = #members / 2
  for i = 1, n do
    local at = newest and n + 1 - i or i
    ids[at], scores[at] = members[2 * i - 1], members[2 * i]
  end
  return newest and first > 0 or not newest and last + 1 < size
end

-- The same of lists: by list, number of the claim, id.
local function of_lists()
  local function follows(a, b)
    if a.number ~= b.number then return a.number < b.number end
    return before(a.id, b.id)
  end
  local position = score ~= '' and {number = tonumber(score), id = id}
  for l = 5, #KEYS do
    local processing, held, from, bite = KEYS[l], {}, 0, nil
    repeat
      bite = redis.call('LRANGE', processing, from, from + 999)
      for _, element in ipairs(bite) do
        local digits = string.match(element, '^(%d+):.')
        local one = {id = element_id(element), digits = digits or '-1', number = tonumber(digits or -1)}
        local behind = not position or l > 5 or newest and follows(one, position) or not newest and follows(position, one)
        if behind then held[#held + 1] = one end
      end
      from = from + 1000
    until #bite < 1000
    table.sort(held, newest and function(a, b) return follows(b, a) end or follows)
    for _, one in ipairs(held) do
      if #ids == want then return true end
      ids[#ids + 1], scores[#scores + 1], lists[#lists + 1] = one.id, one.digits, int(l - 4)
    end
  end
  return false
end

local now = now_ms()
local in_hand = state == 'processing'
local cancelling = redis.call('SCARD', cancelled) > 0
redis.call('HLEN', jobs)
redis.call('HLEN', errors)
local any_begun = redis.call('HLEN', attempts) > 0
local more
if in_hand then more = of_lists() else more = of_set() end

-- Of a group only those that are in it are wanted: wanted has their numbers among those that are looked at.
local all, wanted, looked, size = #ids, nil, #ids, 0
if group ~= '' then
  wanted, looked = {}, 0
  while looked < all and size < max_bytes do
    local last = math.min(looked + 100, all)
    for i, failures in ipairs(redis.call('HMGET', errors, unpack(ids, looked + 1, last))) do
      size = size + #(failures or '')
      if group_of_dead(failures) == group then wanted[#wanted + 1] = looked + i end
    end
    looked = last
  end
end
local function number(n) return wanted and wanted[n] or n end

-- Records are read in bites of 16: what is read beyond the limit is read in vain.
local reply, r, bytes, told, found = {'ok', int(now), '', '0', '', ''}, 6, 0, 0, wanted and #wanted or all
while told < found and bytes < max_bytes do
  local from, last, names = told, math.min(told + 16, found), {}
  for n = from + 1, last do names[n - from] = ids[number(n)] end
  local records = redis.call('HMGET', jobs, unpack(names))
  local begun = any_begun and redis.call('HMGET', attempts, unpack(names)) or {}
  while told < last and bytes < max_bytes do
    told = told + 1
    local one, record = names[told - from], records[told - from] or ''
    bytes = bytes + #record
    reply[r + 1], reply[r + 2], reply[r + 3], reply[r + 4] = one, scores[number(told)], record, begun[told - from] or ''
    r = r + 4
    if in_hand then
      reply[r + 1] = cancelling and redis.call('SISMEMBER', cancelled, one) == 1 and '1' or ''
      reply[r + 2] = lists[told]
      r = r + 2
    end
  end
end
if told < found then looked = number(told) end
if more or looked < all then reply[3] = '1' end
if looked > 0 then reply[4], reply[5], reply[6] = int(looked), scores[looked], ids[looked] end
return reply
