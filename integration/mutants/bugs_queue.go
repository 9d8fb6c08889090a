//go:build mutants

package main

const (
	settleLua    = "queue/lua/settle.lua"
	claimLua     = "queue/lua/claim.lua"
	reapLua      = "queue/lua/reap.lua"
	heartbeatLua = "queue/lua/heartbeat.lua"
)

// mutants are all deliberate bugs. The references are to issues of those who made the like or suffered from it.
var mutants = append(append(fencing, keeping...), running...)

// fencing: who may touch a job.
var fencing = []mutant{
	{name: "no membership check", bug: "a result counts though its job is not on the worker's list",
		field: "riverqueue/river#1302, hibiken/asynq#717", pkg: "./queue", run: "TestSettleLost|TestSettleTwice", edits: []edit{
			{settleLua, `local mine = at_head or redis.call('LREM', processing, 1, element) == 1`,
				`local mine = redis.call('LREM', processing, 1, element) >= 0`},
			{settleLua, `redis.call('LREM', processing, 1, r.element) == 0 then`, `redis.call('LREM', processing, 1, r.element) < 0 then`},
		}},
	{name: "settle by id instead of element", bug: "a late result settles a newer claim of the same job",
		field: "taskforcesh/bullmq#3183", pkg: "./queue", run: "TestSettleLost", edits: []edit{
			{settleLua, `local count = plain + #results`,
				`local by_id = {}
for _, element in ipairs(redis.call('LRANGE', processing, 0, -1)) do by_id[element_id(element)] = element end
for i = 4, 3 + plain do ARGV[i] = by_id[element_id(ARGV[i])] or ARGV[i] end
for _, r in ipairs(results) do r.element = by_id[r.id] or r.element end
local count = plain + #results`},
		}},
	{name: "claim by an unregistered worker", bug: "a job lands on a list that no reaper will ever look at",
		field: "gocraft/work#44", pkg: "./queue", run: "TestClaimIsFenced", edits: []edit{
			{claimLua, `if not registered or m[1] then`, `if m[1] then`}}},
	{name: "claim by a worker that is being reaped", bug: "a job is taken from a worker that lives",
		pkg: "./queue", run: "TestClaimIsFenced", edits: []edit{
			{claimLua, `if not registered or m[1] then`, `if not registered then`}}},
	{name: "heartbeat is never fenced", bug: "a worker that was reaped goes on as if nothing had happened",
		field: "rq/rq#469", pkg: "./queue", run: "TestHeartbeatIsFenced", edits: []edit{
			{heartbeatLua, `if not registered or m[6] then return {'fenced', int(now)} end`, `if false then return {'fenced', int(now)} end`}}},
	{name: "LREM left out", bug: "a settled job stays on the list, and the reaper runs it again",
		pkg: "./queue", run: "TestExchangeSettlesThenClaims", edits: []edit{
			{settleLua, `redis.call('LREM', processing, 1, element) == 1`, `redis.call('LPOS', processing, element)`},
			{settleLua, `redis.call('LREM', processing, 1, r.element) == 0 then`, `not redis.call('LPOS', processing, r.element) then`},
		}},
	{name: "reap without the observation window", bug: "after an outage of Redis the jobs of all living workers run twice",
		field: "sidekiq/sidekiq#4611, rq/rq#469", pkg: "./queue", run: "TestReapVerdicts", edits: []edit{
			{reapLua, `if not (interval and start and seen and seen <= now and now - seen < interval * 1.5 and now - start >= interval * 2.5) then`,
				`if not interval then`}}},
	{name: "reap does not look at the heartbeat", bug: "the jobs of a worker that came back in time run twice",
		field: "sidekiq/sidekiq#5435", pkg: "./queue", run: "TestReapVerdicts", edits: []edit{
			{reapLua, `if not stale and redis.call('EXISTS', heartbeat) == 1 then return {'alive'} end`, ``}}},
	{name: "reap forgets a list with something left", bug: "of more than a hundred jobs of a dead worker the rest is lost",
		field: "gocraft/work#44", pkg: "./queue", run: "TestReapInParts", edits: []edit{
			{reapLua, `if length > took then`, `if false then`}}},
	{name: "leave drops a list that is not empty", bug: "what a stopping worker could not give back is lost",
		field: "gocraft/work#146", pkg: "./queue", run: "TestLeaveWithJobsOnTheList", edits: []edit{
			{"queue/lua/leave.lua", `if held == 0 then
  redis.call('ZREM'`, `if true then
  redis.call('ZREM'`}}},
	{name: "a token signed by another method", bug: "who signs with another algorithm than HS256 is let in",
		pkg: "./api", run: "TestTokens", edits: []edit{
			{"api/token.go", `jwt.WithValidMethods(algorithms), `, ``}}},
}

// keeping: what Redis holds, and the clock.
var keeping = []mutant{
	{name: "attempt counted at settle", bug: "a job that kills its worker is tried for ever",
		field: "apache/pulsar#5881", pkg: "./queue", run: "TestClaimCountsAttempts|TestReapGivesTheJobsBack", edits: []edit{
			{claimLua, `  redis.call('HSET', attempts, unpack(begun))
`, ``},
			{settleLua, `redis.call('HSET', attempts, r.id, int(r.attempt - 1))`, `redis.call('HSET', attempts, r.id, int(r.attempt))`},
			{settleLua, `    if r.errors then redis.call(`, `    if outcome ~= 'release' then redis.call('HSET', attempts, r.id, int(r.attempt + 1)) end
    if r.errors then redis.call(`},
		}},
	{name: "a release is charged", bug: "shutdowns use up the attempts of jobs that never ran",
		pkg: "./queue", run: "TestSettleReleaseGivesTheAttemptBack", edits: []edit{
			{settleLua, `int(r.attempt - 1)`, `int(r.attempt)`},
			{settleLua, `        redis.call('HDEL', attempts, r.id)
`, `        redis.call('HDEL', attempts, '-')
`},
		}},
	{name: "reap does not count attempts", bug: "a job that kills its worker never becomes a dead letter",
		field: "sidekiq/sidekiq#3400", pkg: "./queue", run: "TestReapGivesTheJobsBack", edits: []edit{
			{reapLua, `if j.record or attempt > retries then`, `if j.record then`}}},
	{name: "a heartbeat whose first write can grow", bug: "at maxmemory all workers look dead",
		field: "sidekiq/sidekiq#5558", pkg: "./queue", run: "TestEveryScriptOnEveryRedis/^full$", edits: []edit{
			{heartbeatLua, `redis.call('HDEL', meta, '-')
`, ``}}},
	{name: "claim trusts a missing record", bug: "an id without its record blocks the queue, or is lost",
		field: "hibiken/asynq#799", pkg: "./queue", run: "TestClaimBuriesWhatItCannotRead|TestClaimGetsPastAHundredGhosts", edits: []edit{
			{claimLua, `if not looks_readable(record) or not attempt or id == '' then`, `if not attempt or id == '' then`}}},
	{name: "one bad record stops the reaper", bug: "a dead worker's other jobs are never taken back",
		field: "hibiken/asynq PR 709, riverqueue/river PR 1318", pkg: "./queue", run: "TestReapBuriesWhatItCannotRead", edits: []edit{
			{reapLua, `if looks_readable(record) then retries, r = max_retry(record, default_retry) end`,
				`retries = cjson.decode(record).max_retry or default_retry`}}},
	{name: "an idempotency key is not looked at", bug: "a request that is repeated makes a second job",
		pkg: "./queue", run: "TestIdempotency$", edits: []edit{
			{"queue/lua/enqueue.lua", `local word = idempotency and replayed(idempotency, ARGV[i + 5])`, `local word = nil`}}},
	{name: "a late holder frees the key of another", bug: "two jobs hold one unique key",
		pkg: "./queue", run: "TestUniqueUntilStart|TestUniqueIsFreedByItsHolderOnly", edits: []edit{
			{settleLua, `r.key ~= '' and redis.call('HGET', unique, r.key) == r.id`, `r.key ~= ''`}}},
	{name: "enqueue overwrites an existing id", bug: "a job handed in again takes the place of the one that runs",
		pkg: "./queue", run: "TestEnqueueLeavesAnIDThatExists", edits: []edit{
			{"queue/lua/enqueue.lua", `if seen[id] or there[n] then`, `if seen[id] then`}}},
	{name: "the clock is rounded down", bug: "a job starts before its due time, by the rest of a millisecond",
		pkg: "./queue", run: "TestEnqueueRoundsTheClockUp", edits: []edit{
			{"queue/lua/prologue.lua", `math.ceil(tonumber(t[2]) / 1000)`, `math.floor(tonumber(t[2]) / 1000)`}}},
	{name: "the delay is rounded down", bug: "a job starts before its due time, by the rest of a millisecond",
		pkg: "./queue", run: "TestEnqueueRoundsTheDelayUp|TestDelaysAreRoundedUp", edits: []edit{
			{"queue/enqueue.go", `(d + time.Millisecond - 1) / time.Millisecond`, `d / time.Millisecond`}}},
	{name: "numbers as Lua prints them", bug: "large numbers lose their last digits: 1e+15",
		field: "Sidekiq Pro 2478", pkg: "./queue", run: "TestLargeCounters", edits: []edit{
			{"queue/lua/prologue.lua", `string.format('%.0f', n)`, `tostring(n)`}}},
	{name: "cancel forgotten at reap", bug: "a cancelled job of a worker that dies is run again",
		pkg: "./queue", run: "TestCancelOfAJobWhoseWorkerDies", edits: []edit{
			{"queue/lua/reap.lua", `if ending and redis.call('SISMEMBER', cancelled, j.id) == 1 then`, `if false then`}}},
	{name: "trim without counting", bug: "dead letters vanish in silence",
		field: "hibiken/asynq#329", pkg: "./queue", run: "TestTrim", edits: []edit{
			{"queue/lua/trim.lua", `redis.call('HSET', stats, unpack(counters))
`, ``}}},
	{name: "client retries on", bug: "one lost reply runs a claim up to four times",
		field: "taskforcesh/bullmq#4479", pkg: "./queue", run: "TestSwallowedReplyOfEnqueue",
		edits: []edit{{"queue/node.go", `o.MaxRetries, o.DialerRetries, o.PipelinePoolSize = -1, 1, -1`, `o.MaxRetries, o.DialerRetries, o.PipelinePoolSize = 3, 1, -1`}}},
	{name: "forgotten scripts stay forgotten", bug: "after a restart of Redis every call fails with NOSCRIPT",
		field: "Sidekiq Pro 2240", pkg: "./queue", run: "TestForgottenScripts", edits: []edit{
			{"queue/script.go", `if len(unknown) > 0 {`, `if len(unknown) > len(calls) {`}}},
	{name: "the timekeeper's lease never runs out", bug: "when the timekeeper dies, nobody looks at the next due time",
		pkg: "./queue", run: "TestClaimIgnoresAnExpiredOrBrokenLease", edits: []edit{
			{claimLua, `until_ms and until_ms >= now) then`, `until_ms) then`}}},
	{name: "no token for a new head", bug: "a job that is due at once waits for the next heartbeat",
		field: "hibiken/asynq#548", pkg: "./queue", run: "TestEnqueueTokenForANewHead", edits: []edit{
			{"queue/lua/enqueue.lua", `if first < head_due and token == 0 then redis.call('LPUSH', wake, '1') end
`, ``}}},
}
