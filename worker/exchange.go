package worker

import (
	"context"
	"errors"
	"time"

	"github.com/punctualq/punctual/queue"
)

// exchanger is what the exchange needs of Redis.
type exchanger interface {
	Exchange(ctx context.Context, e queue.Exchange) queue.Exchanged
	Held(ctx context.Context, elements []string) ([]queue.Claimed, error)
	PassOn(ctx context.Context) error
}

// exchangeLoop is the only one that claims, settles and starts handlers. Results that arrive during a round trip go with
// the next one, so batches grow under load by themselves, and when idle one result is settled at once.
func (r *runner) exchangeLoop(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		r.adoptUnknown(ctx)
		r.letBegin()
		r.mu.Lock()
		next, passOn := r.plan()
		wait := r.untilArmed()
		r.mu.Unlock()
		switch {
		case passOn:
			r.passOn(ctx)
		case len(next.Results) > 0 || next.Claim > 0:
			r.apply(next, r.link.Exchange(ctx, next))
			r.letBegin() // now: what follows may take a while, or be the end
		default:
			timer.Reset(wait)
			select {
			case <-ctx.Done():
			case <-r.look:
			case <-timer.C:
				r.mu.Lock()
				r.ring()
				r.mu.Unlock()
			}
		}
	}
}

// passOn gives the wake token to another worker.
func (r *runner) passOn(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	if err := r.link.PassOn(ctx); err != nil {
		r.log.Debug().Err(err).Msg("the wake token was lost; the fallback will do")
	}
	r.mu.Lock()
	r.exchanging = false
	r.mu.Unlock()
}

// untilArmed is how long the exchange may sleep.
func (r *runner) untilArmed() time.Duration {
	if r.armed.IsZero() {
		return time.Hour
	}
	return max(0, time.Until(r.armed))
}

// ring: the armed due time has come.
func (r *runner) ring() {
	if !r.armed.IsZero() && !time.Now().Before(r.armed) {
		r.armed, r.want = time.Time{}, true
	}
}

// plan decides on the next round trip. Nothing is sent while the own list must be read first.
func (r *runner) plan() (next queue.Exchange, passOn bool) {
	if !r.registered || r.unsure || r.inDoubt() {
		return queue.Exchange{}, false
	}
	next = queue.Exchange{Worker: r.info.ID, Lease: r.config.Timing.KeeperLease()}
	for _, e := range r.held {
		if e.phase == finished && len(next.Results) < queue.ClaimLimit {
			e.phase = settling
			next.Results = append(next.Results, e.result)
		}
	}
	free := r.slots - r.running
	if r.takesNone() || !r.want && len(next.Results) == 0 {
		free = 0
	}
	if r.want && free <= 0 && len(next.Results) == 0 {
		r.want = false // full: the claim that follows the next result makes up for it; it takes none: another worker is to look
		r.exchanging = true
		return next, true
	}
	if free > 0 {
		r.number++
		next.Claim, next.Number, r.want = min(free, queue.ClaimLimit), r.number, false
		r.armed = time.Time{}
	}
	r.exchanging = next.Claim > 0 || len(next.Results) > 0
	return next, false
}

// apply takes in what came back.
func (r *runner) apply(sent queue.Exchange, got queue.Exchanged) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exchanging = false
	for i, result := range sent.Results {
		e := r.held[result.Element]
		switch {
		case got.SettleErr != nil:
			e.phase = finished // sent again; the fence makes that harmless
		default:
			delete(r.held, result.Element)
			r.report(e, got.Settled[i])
		}
	}
	if got.SettleErr != nil {
		r.unanswered(got.SettleErr)
	}
	if sent.Claim > 0 {
		r.resolved = sent.Number
		r.applyClaims(sent, got)
	}
	if got.SettleErr == nil && got.ClaimErr == nil {
		r.failures = 0
	}
	poke(r.idle)
}

// unanswered notes that an exchange was not answered: the own list is read before anything else is done. While Redis is away
// the heartbeat tells of it; if heartbeats are answered in between, nobody else would.
func (r *runner) unanswered(err error) {
	r.doubt()
	r.failures++
	if r.failures >= 5 && r.troubleTold.again(30*time.Second) {
		r.log.Warn().Err(err).Int("times", r.failures).
			Msg("Redis answers heartbeats, but not claims, results or what is on the own list: trying on")
	}
	poke(r.beat)
}

// breath is how long a heartbeat that was asked for waits, so that what fails again and again makes no hot loop.
func (r *runner) breath() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.config.Timing.Interval / 100 << min(r.failures, 5)
}

// applyClaims starts what was claimed, unless nothing may start now.
func (r *runner) applyClaims(sent queue.Exchange, got queue.Exchanged) {
	claims := got.Claims
	switch {
	case sent.Worker != r.info.ID:
		r.want = true // reaped meanwhile: what was claimed is not on a list of ours
		return
	case errors.Is(got.ClaimErr, queue.ErrFenced):
		r.fenced(sent.Worker)
		return
	case got.ClaimErr != nil || r.inDoubt() && len(claims.Jobs) > 0:
		r.log.Debug().AnErr("claim", got.ClaimErr).Msg("the outcome of a claim is unknown: reading the own list first")
		r.want = true
		r.unanswered(got.ClaimErr)
		return
	}
	for i := range claims.Jobs {
		c := &claims.Jobs[i]
		r.observe.Claimed(c.Job.Type, c.Lateness())
		r.take(*c)
	}
	if claims.Armed {
		r.armed = time.Now().Add(claims.NextDue.Sub(claims.Now))
	}
	r.backlog = len(claims.Jobs) == sent.Claim
	more := r.backlog || !claims.NextDue.IsZero() && !claims.NextDue.After(claims.Now)
	r.want = r.want || more && r.slots > r.running
	if differs := claims.Held - r.expected(); differs != r.differs { // one look is enough if it is not mended by that
		r.log.Debug().Int("listed", claims.Held).Int("known", r.expected()).Msg("own list and memory differ, or do so no more")
		r.differs = differs
		poke(r.beat)
	}
}

// take puts a claimed job into memory and starts it, or gives it back where it may not run.
func (r *runner) take(c queue.Claimed) {
	e := &execution{claimed: c}
	r.held[c.Element] = e
	switch {
	case c.Corrupt != nil:
		e.finish(queue.Result{Outcome: queue.OutcomeCorrupt, Failure: &queue.Failure{Error: c.Corrupt.Error(), Attempt: c.Attempt, Worker: r.info.ID}})
	case r.takesNone() || r.running >= r.slots || r.cancelled[c.Element]:
		e.finish(queue.Result{Outcome: queue.OutcomeRelease})
	default:
		r.start(e)
	}
}

func (e *execution) finish(result queue.Result) {
	job := &e.claimed.Job
	result.Element, result.Retention = e.claimed.Element, job.Retention
	if job.Unique != nil && job.Unique.Until == queue.UntilDone {
		result.Unique = job.Unique.Key
	}
	e.phase, e.result = finished, result
}

// adoptUnknown takes in elements of the own list whose claim was never answered.
func (r *runner) adoptUnknown(ctx context.Context) {
	r.mu.Lock()
	batch := r.adopt[:min(len(r.adopt), queue.ClaimLimit)]
	worker := r.info.ID
	r.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	claimed, err := r.link.Held(ctx, batch)
	r.mu.Lock()
	defer r.mu.Unlock()
	if worker != r.info.ID {
		return
	}
	if err != nil || r.inDoubt() {
		r.adopt = nil // the next heartbeat finds them again
		r.unanswered(err)
		return
	}
	r.adopt = r.adopt[len(batch):]
	r.log.Warn().Int("jobs", len(claimed)).Msg("the reply to a claim was lost: taking in the jobs that it left on the own list")
	for _, c := range claimed {
		if r.config.History != nil {
			r.config.History(c.Event(queue.OpAdopt, worker))
		}
		r.take(c)
	}
	poke(r.look) // there may be more
}

// fenced: this worker was reaped. Its handlers are told, and it goes on under a new id.
func (r *runner) fenced(worker string) {
	if worker != r.info.ID {
		return
	}
	r.renew()
	r.observe.Fenced()
	r.failures++
	event := r.log.Debug()
	if r.fenceTold.again(5 * time.Second) {
		event = r.log.Warn()
	}
	event.Str("was", worker).Str("worker", r.info.ID).Int("running", r.running).
		Msg("this worker was reaped (paused or cut off for longer than the heartbeat's TTL): going on under a new id")
	poke(r.beat)
}

// report tells what became of a result.
func (r *runner) report(e *execution, outcome queue.Outcome) {
	c := e.claimed
	r.observe.Settled(c.Job.Type, outcome)
	event := r.log.Debug()
	switch outcome {
	case queue.OutcomeLost, queue.OutcomeDead, queue.OutcomeRetry:
		event = r.log.Warn()
	}
	if f := e.result.Failure; f != nil {
		event = event.Str("error", f.Error)
	}
	if outcome == queue.OutcomeRetry {
		event = event.Dur("delay_ms", e.result.Delay)
	}
	event.Str("job", c.Job.ID).Str("type", c.Job.Type).Int("attempt", c.Attempt).Int("max_retry", c.Job.MaxRetry).
		Str("outcome", string(outcome)).Msg(told[outcome])
}

var told = map[queue.Outcome]string{
	queue.OutcomeDone:      "job done",
	queue.OutcomeRetry:     "job failed, will be retried",
	queue.OutcomeDead:      "job is dead",
	queue.OutcomeRelease:   "job given back unrun",
	queue.OutcomeCancelled: "job cancelled",
	queue.OutcomeLost:      "job result came too late: the job is not this worker's any more",
}
