-- trim: drops dead jobs past their retention or beyond their number, and done jobs whose time has come or beyond theirs, oldest
-- first, at most 100 a call; each is counted.
--
-- KEYS  dead, done, jobs, attempts, errors, stats, groups
-- ARGV  most dead jobs to keep, their retention (ms), most done jobs to keep
-- Reply {dropped of dead, dropped of done, '1' if there is more to drop}
-- Moves: dead -> none, done -> none
-- Cost  O(n log D) for n dropped (at most 100) of D dead and done
local dead, done, jobs, attempts, errors, stats, groups = unpack(KEYS)
local most_dead, retention, most_done, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), 100
local now = now_ms()
local old_dead = math.max(redis.call('ZCARD', dead) - most_dead, redis.call('ZCOUNT', dead, '-inf', int(now - retention)), 0)
local old_done = math.max(redis.call('ZCARD', done) - most_done, redis.call('ZCOUNT', done, '-inf', int(now)), 0)
if old_dead + old_done == 0 then return {'0', '0', '0'} end
local from_dead = math.min(old_dead, limit)
local from_done = math.min(old_done, limit - from_dead)
local dead_ids = from_dead > 0 and redis.call('ZRANGE', dead, 0, from_dead - 1) or {}
local done_ids = from_done > 0 and redis.call('ZRANGE', done, 0, from_done - 1) or {}
redis.call('HLEN', jobs)
redis.call('HLEN', attempts)
redis.call('HLEN', errors)
local tally = grouping(groups)
if from_dead > 0 then
  for _, failures in ipairs(redis.call('HMGET', errors, unpack(dead_ids))) do tally.leave(failures) end
end
local counters = counts(stats, {dead_trimmed = from_dead, done_trimmed = from_done})

if from_dead > 0 then redis.call('ZREM', dead, unpack(dead_ids)) end
if from_done > 0 then redis.call('ZREM', done, unpack(done_ids)) end
for _, ids in ipairs({dead_ids, done_ids}) do
  if #ids > 0 then
    redis.call('HDEL', jobs, unpack(ids))
    redis.call('HDEL', attempts, unpack(ids))
    redis.call('HDEL', errors, unpack(ids))
  end
end
tally.keep()
drop_groups(groups, tally)
redis.call('HSET', stats, unpack(counters))
return {int(from_dead), int(from_done), old_dead + old_done > from_dead + from_done and '1' or '0'}
