-- permit: asks whether this user of Redis may run what other scripts run. Redis does not roll back: a script whose user lacks
-- one command would stop in the middle of a move. Reads only, and runs nothing of what it asks about.
--
-- KEYS  those that the scripts name, in any order and number
-- ARGV  for each thing that a script does: command, the number of its key in KEYS or 0 (it has none)
-- Reply {'ok'} · {'unknown'}: this Redis, older than 7, cannot tell
--       {'refused', command, key or ''}: the first that is not permitted, or that this Redis does not know by this name
-- Moves: none
-- Cost  O(n) for n commands
if not redis.acl_check_cmd then return {'unknown'} end

-- Newer versions (8 does, 7.0 does not) want a command as it would be called: arguments are added until there are enough.
local function permitted(...)
  local args = {...}
  for _ = 1, 5 do
    local known, may = pcall(redis.acl_check_cmd, unpack(args))
    if known then return may end
    args[#args + 1] = '1'
  end
  return false
end

for i = 1, #ARGV, 2 do
  local command, key = ARGV[i], KEYS[tonumber(ARGV[i + 1])]
  if not permitted(command, key) then return {'refused', command, key or ''} end
end
return {'ok'}
