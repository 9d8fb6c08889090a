-- get: one job as it is now. Reads only; a script so that what it reads is of one moment.
--
-- KEYS  jobs, scheduled, dead, attempts, errors, done
-- ARGV  id
-- Reply {} no such job
--       {'scheduled' | 'processing' | 'dead' | 'done', record, attempts or '', errors or '', when it is due, has died or may be
--        forgotten (ms) or ''}
-- Moves: none
-- Cost  O(log N)
local jobs, scheduled, dead, attempts, errors, done = unpack(KEYS)
local id = ARGV[1]
local record = redis.call('HGET', jobs, id)
if not record then return {} end
local due = redis.call('ZSCORE', scheduled, id)
local died = redis.call('ZSCORE', dead, id)
local ends = redis.call('ZSCORE', done, id)
local state = due and 'scheduled' or died and 'dead' or ends and 'done' or 'processing'
return {state, record, redis.call('HGET', attempts, id) or '', redis.call('HGET', errors, id) or '', due or died or ends or ''}
