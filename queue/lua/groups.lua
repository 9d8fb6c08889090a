-- groups: the groups of the dead, and how many dead jobs there are, all of one instant. Reads only.
--
-- KEYS  groups, dead
-- ARGV  -
-- Reply {'ok', dead jobs, then for each group: id, JSON of its type, error, jobs, first and last}
-- Moves: none
-- Cost  O(n) for n groups (at most 500)
local groups, dead = unpack(KEYS)
local reply = {'ok', int(redis.call('ZCARD', dead))}
for _, word in ipairs(redis.call('HGETALL', groups)) do reply[#reply + 1] = word end
return reply
