-- edit: puts another record in the place of that of a scheduled job, if it is still the one that the caller has read.
--
-- KEYS  jobs, scheduled, dead, done, attempts, errors, meta
-- ARGV  id, the record that was read, the record that is to be
-- Reply {'ok', attempts or '', errors or '', due time} · {'changed'}: another was faster: read it again
--       {'processing' | 'dead' | 'done' | 'missing'}: not scheduled
-- Moves: none
-- Cost  O(log N)
local jobs, scheduled, dead, done, attempts, errors, meta = unpack(KEYS)
local id, was, record = ARGV[1], ARGV[2], ARGV[3]

-- Read and check everything first.
local state, due = state_of(id, jobs, scheduled, dead, done)
local attempt = redis.call('HGET', attempts, id)
local failures = redis.call('HGET', errors, id)
redis.call('HLEN', meta)
if state ~= 'scheduled' then return {state or 'missing'} end
if redis.call('HGET', jobs, id) ~= was then return {'changed'} end

-- Write. The first write cannot grow, so that nothing after it is refused at maxmemory.
redis.call('HDEL', meta, '-')
redis.call('HSET', jobs, id, record)
return {'ok', attempt or '', failures or '', due}
