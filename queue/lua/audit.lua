-- audit: where jobs are and what belongs to them, all of one instant. Reads only.
--
-- KEYS  jobs, scheduled, dead, done, attempts, errors, workers, wake, stats, processing:<worker>
-- ARGV  mode, the names of the workers whose lists are the last keys (as many or none as the caller wants looked at), ids
-- Modes: ids      where these ids are (at most 100)
--        records  the same with their records; ends at 1 MiB of them, so that the last ids may not be answered
--        totals   how many there are of everything
-- Reply {'ok', now, '1' if no worker is registered but those named, then for each list '0' if it is empty, '1' if its worker
--        is registered, '2' if not, then the answer of the mode}
--       ids, records: for each id '' or '+' and its record, its score in scheduled, in dead and in done or '', '' or '+' and
--        its attempts, '' or '+' if it has errors, how often it stands in the lists, then for each: which list, the element
--       totals: jobs, scheduled, dead, done, elements in the lists, workers, tokens, then enqueued, adjusted, done,
--        dead_trimmed, cancelled, purged_scheduled and purged_dead of stats or ''
-- Moves: none
-- Cost  O(n log N + L) for n ids, N jobs and L elements in the lists
local jobs, scheduled, dead, done, attempts, errors, workers, wake, stats = unpack(KEYS, 1, 9)
local mode, lists = ARGV[1], #KEYS - 9
local reply = {'ok', int(now_ms()), '1'}

local named = 0
for l = 1, lists do
  local registered = redis.call('ZSCORE', workers, ARGV[1 + l])
  if registered then named = named + 1 end
  reply[3 + l] = redis.call('LLEN', KEYS[9 + l]) == 0 and '0' or registered and '1' or '2'
end
if redis.call('ZCARD', workers) > named then reply[3] = '0' end

if mode == 'totals' then
  local held = 0
  for l = 1, lists do held = held + redis.call('LLEN', KEYS[9 + l]) end
  for _, n in ipairs({redis.call('HLEN', jobs), redis.call('ZCARD', scheduled), redis.call('ZCARD', dead),
    redis.call('ZCARD', done), held, redis.call('ZCARD', workers), redis.call('LLEN', wake)}) do
    reply[#reply + 1] = int(n)
  end
  local counters = redis.call('HMGET', stats, 'enqueued', 'adjusted', 'done', 'dead_trimmed', 'cancelled', 'purged_scheduled',
    'purged_dead')
  for i = 1, 7 do reply[#reply + 1] = counters[i] or '' end
  return reply
end

local places = {} -- id → {list, element, …}
for i = 2 + lists, #ARGV do places[ARGV[i]] = {} end
for l = 1, lists do
  local from, bite = 0, nil
  repeat
    bite = redis.call('LRANGE', KEYS[9 + l], from, from + 999)
    for _, element in ipairs(bite) do
      local held = places[element_id(element)]
      if held then held[#held + 1], held[#held + 2] = int(l), element end
    end
    from = from + 1000
  until #bite < 1000
end
local bytes = 0
for i = 2 + lists, #ARGV do
  local id = ARGV[i]
  local record
  if mode == 'records' then
    if bytes >= max_bytes then break end
    record = redis.call('HGET', jobs, id)
    bytes = bytes + #(record or '')
  else
    record = redis.call('HEXISTS', jobs, id) == 1 and ''
  end
  local attempt = redis.call('HGET', attempts, id)
  local held = places[id]
  reply[#reply + 1] = record and '+' .. record or ''
  for _, set in ipairs({scheduled, dead, done}) do reply[#reply + 1] = redis.call('ZSCORE', set, id) or '' end
  reply[#reply + 1] = attempt and '+' .. attempt or ''
  reply[#reply + 1] = redis.call('HEXISTS', errors, id) == 1 and '+' or ''
  reply[#reply + 1] = int(#held / 2)
  for _, word in ipairs(held) do reply[#reply + 1] = word end
end
return reply
