-- get: one job as it is now. Reads only; a script so that what it reads is of one moment.
--
-- KEYS  jobs, scheduled, dead, done, attempts, errors, cancelled, workers, processing:<worker>
-- ARGV  id, the names of the workers whose lists are the last keys: of none, or of all that are registered
-- Reply {} no such job
--       {'scheduled' | 'processing' | 'dead' | 'done', record, attempts or '', errors or '', due, died or to be forgotten at (ms) or '',
--       '1' if it is being cancelled, while processing: number of the list that it is on, 'again' if it is on none of these and
--       another worker is registered by now, else ''}
-- Moves: none
-- Cost  O(log N + L) for N jobs and L elements in the lists, which are only looked at while it is processing
local jobs, scheduled, dead, done, attempts, errors, cancelled, workers = unpack(KEYS, 1, 8)
local id = ARGV[1]
local record = redis.call('HGET', jobs, id)
local due = redis.call('ZSCORE', scheduled, id)
local died = redis.call('ZSCORE', dead, id)
local ended = redis.call('ZSCORE', done, id)
local attempt = redis.call('HGET', attempts, id)
local failures = redis.call('HGET', errors, id)
local flagged = redis.call('SISMEMBER', cancelled, id) == 1
local registered = redis.call('ZCARD', workers)
if not record then return {} end
local state = due and 'scheduled' or died and 'dead' or ended and 'done' or 'processing'

-- Which list it is on.
local function holder()
  for l = 9, #KEYS do
    if is_listed(KEYS[l], id) then return int(l - 8) end
  end
  local named = 0
  for i = 2, #ARGV do
    if redis.call('ZSCORE', workers, ARGV[i]) then named = named + 1 end
  end
  return registered > named and 'again' or ''
end

return {state, record, attempt or '', failures or '', due or died or ended or '', flagged and state == 'processing' and '1' or '',
  state == 'processing' and holder() or ''}
