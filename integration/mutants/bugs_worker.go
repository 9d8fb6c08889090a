//go:build mutants

package main

const (
	exchangeGo = "worker/exchange.go"
	memoryGo   = "worker/memory.go"
	runGo      = "worker/run.go"
	runnerGo   = "worker/runner.go"
)

// running: what a worker does with the jobs that it holds.
var running = []mutant{
	{name: "settle retried on a cancelled context", bug: "after one network error a job that succeeded runs again",
		field: "hibiken/asynq#926", pkg: "./worker", run: "TestSettleIsRetriedUntilAnswered", edits: []edit{
			{exchangeGo, `			r.apply(next, r.link.Exchange(ctx, next))
`, `			sending, cancel := context.WithTimeout(ctx, time.Second)
			got := r.link.Exchange(sending, next)
			cancel()
			for range 3 {
				if got.SettleErr == nil {
					break
				}
				got = r.link.Exchange(sending, next)
			}
			if got.SettleErr != nil {
				got.SettleErr, got.Settled = nil, make([]queue.Outcome, len(next.Results))
			}
			r.apply(next, got)
`}}},
	{name: "a settle is given up at the first error", bug: "a job that succeeded runs again after an outage of Redis",
		field: "hibiken/asynq#926", pkg: "./worker", run: "TestSettleIsRetriedUntilAnswered", edits: []edit{
			{exchangeGo, `e.phase = finished // sent again; the fence makes that harmless`, `delete(r.held, result.Element)`}}},
	{name: "wake token lost", bug: "a token that reaches a full worker wakes nobody: the job waits for a heartbeat",
		field: "hibiken/asynq#721", pkg: "./worker", run: "TestTokenToAFullWorkerIsPassedOnOnce", edits: []edit{
			{exchangeGo, `		return next, true
`, `		return next, false
`}}},
	{name: "blocking timeout used as timer", bug: "Redis rounds the wait up: jobs start late",
		field: "hibiken/asynq#632", pkg: "./worker", run: "TestTimerFiresAtTheDueTime", edits: []edit{
			{exchangeGo, `	return max(0, time.Until(r.armed))
`, `	return time.Hour
`},
			{"worker/waker.go", `		token, err := r.link.Wait(ctx, waitMost)
`, `		time.Sleep(time.Millisecond) // for the claim that arms the timer
		r.mu.Lock()
		most, armed := waitMost, r.armed
		r.mu.Unlock()
		if !armed.IsZero() {
			most = max(0, time.Until(armed))
		}
		most = (most + 100*time.Millisecond).Truncate(100 * time.Millisecond) // what an idle Redis makes of it
		token, err := r.link.Wait(ctx, most)
		if err == nil && !armed.IsZero() && !time.Now().Before(armed) {
			token = true
		}
`},
		}},
	{name: "due times by the worker's clock", bug: "where the clocks differ jobs start late, or the worker polls in vain",
		field: "apache/pulsar#25310", pkg: "./worker", run: "TestTimerFiresAtTheDueTime", edits: []edit{
			{exchangeGo, `r.armed = time.Now().Add(claims.NextDue.Sub(claims.Now))`, `r.armed = claims.NextDue`}}},
	{name: "the own list is not compared with memory", bug: "a claim whose reply was lost leaves jobs that nobody ever runs",
		field: "hibiken/asynq#1051", pkg: "./worker", run: "TestClaimOfUnknownOutcomeRunsEachJobOnce|TestReconcileTable", edits: []edit{
			{memoryGo, `		m.adopt = append(m.adopt, element)
`, ``}}},
	{name: "an old list is judged", bug: "a job whose claim is just being answered runs twice",
		pkg: "./worker", run: "TestReconcileTable", edits: []edit{
			{memoryGo, ` || queue.ClaimNumber(element) > s.resolved {`, ` {`}}},
	{name: "a handler is started in doubt", bug: "a job starts after another worker may have taken it over",
		field: "taskforcesh/bullmq#3056", pkg: "./worker", run: "TestHandlerThatMustNotStartIsNotBegun", edits: []edit{
			{runGo, `if e.cause != nil || e.lost || r.inDoubt() {`, `if e.cause != nil || e.lost {`}}},
	{name: "handlers are not told that their job is gone", bug: "a job that another worker has taken over runs to its end twice",
		field: "hibiken/asynq#1030", pkg: "./worker", run: "TestFenced", edits: []edit{
			{memoryGo, `	if e.abort != nil {
		e.abort(cause)
	}
`, ``}}},
	{name: "a panic kills the slot", bug: "after as many panics as slots the worker stands still",
		pkg: "./worker", run: "TestResult", edits: []edit{
			{runGo, `	r.running--
	r.unstick(e)
`, `	if result.Failure == nil || !strings.HasPrefix(result.Failure.Error, "handler panicked") {
		r.running--
	}
	r.unstick(e)
`}}},
	{name: "a handler that ends its goroutine is not noticed", bug: "the job counts as done",
		field: "alitto/pond#135", pkg: "./worker", run: "TestResult|TestFailNowInAHandlerIsAnAttempt", edits: []edit{
			{runGo, `if value := recover(); !returned {`, `if value := recover(); !returned && value != nil {`}}},
	{name: "backoff without the cap", bug: "a retry comes back after days",
		pkg: "./worker", run: "TestBackoff", edits: []edit{
			{"worker/backoff.go", `rand.N(min(d, most) + 1)`, `rand.N(d + 1)`}}},
	{name: "one retry too many", bug: "a job runs max_retry + 2 times",
		pkg: "./worker", run: "TestExhausted", edits: []edit{
			{runGo, `job.Attempt > job.MaxRetry {`, `job.Attempt > job.MaxRetry+1 {`}}},
	{name: "the dead are not bounded", bug: "dead letters fill Redis",
		pkg: "./worker", run: "TestTrim", edits: []edit{
			{runnerGo, `	running.Go(func() { r.trimLoop(loops) })
`, ``}}},
	{name: "claims after the stop began", bug: "a stopping worker takes jobs that it cannot finish",
		pkg: "./worker", run: "TestNoClaimAfterTheStopBegan", edits: []edit{
			{exchangeGo, `if r.takesNone() || !r.want && len(next.Results) == 0 {`, `if !r.want && len(next.Results) == 0 {`}}},
	{name: "a claim for more than the free slots", bug: "jobs wait in a worker's memory while other workers are idle",
		field: "sidekiq/sidekiq#843", pkg: "./worker", run: "TestNeverMoreHandlersThanSlots", edits: []edit{
			{exchangeGo, `free := r.slots - r.running
`, `free := r.slots
`}}},
	{name: "no jitter between heartbeats", bug: "all workers that started together ask Redis at the same instant for ever",
		field: "riverqueue/river PR 1150", pkg: "./worker", run: "TestHeartbeatEveryIntervalGiveOrTakeATenth", edits: []edit{
			{"worker/heartbeat.go", `return d - d/10 + rand.N(d/5+1)`, `return d + 0*rand.N(d)`}}},
}
