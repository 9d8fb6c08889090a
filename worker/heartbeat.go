package worker

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/punctualq/punctual/queue"
)

// beater is what the heartbeat needs of Redis.
type beater interface {
	reaper
	Heartbeat(ctx context.Context, worker queue.WorkerInfo, t queue.Timing, first bool) (queue.Pulse, error)
	Workers(ctx context.Context) ([]queue.WorkerInfo, error)
}

// overdueFor is how late the next due job must be before a heartbeat makes an idle worker look: not the timekeeper's job.
const overdueFor = 20 * time.Millisecond

// heartbeatLoop says that this worker lives, every interval ± 10 % and whenever asked, and takes in what the reply tells.
func (r *runner) heartbeatLoop(ctx context.Context, unfit context.CancelCauseFunc) {
	doubted := time.AfterFunc(time.Hour, r.cancelInDoubt)
	defer doubted.Stop()
	greeted, failures := false, 0
	for ctx.Err() == nil {
		sent, err := r.beatOnce(ctx)
		wait := jitter(r.config.Timing.Interval)
		switch {
		case err == nil:
			failures = 0
			r.outage.over(r.link.Queue())
			doubted.Reset(time.Until(sent.Add(r.config.Timing.InDoubtAfter())))
			if !greeted {
				greeted = true
				r.greet(ctx)
			}
			wait -= time.Since(sent)
		case errors.Is(err, queue.ErrFenced):
			wait = r.breath()
		case errors.Is(err, queue.ErrLayout), errors.Is(err, queue.ErrTiming):
			unfit(err)
			return
		case ctx.Err() == nil:
			failures++
			r.outage.failed(r.link.Queue(), err)
			wait = jitter(min(500*time.Millisecond, 50*time.Millisecond<<min(failures, 6)))
		}
		r.rest(ctx, wait, failures > 0)
	}
}

// rest waits for the next heartbeat. While Redis is away, asking for one at once would only make a hot loop.
func (r *runner) rest(ctx context.Context, wait time.Duration, failing bool) {
	asked := r.beat
	if failing {
		asked = nil
	}
	timer := time.NewTimer(max(0, wait))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-asked:
		select { // asked for again and again, it is still no hot loop
		case <-ctx.Done():
		case <-time.After(r.breath()):
		}
	}
}

// beatOnce sends one heartbeat and takes in the reply. It returns when it was sent.
func (r *runner) beatOnce(ctx context.Context) (time.Time, error) {
	select {
	case <-r.beat: // this one answers what was asked before
	default:
	}
	r.mu.Lock()
	r.findStuck(r.config.StuckAfter)
	snap, info, first := r.snapshot(), r.info, !r.registered
	info.Stuck, info.Quiet = r.stuck, r.quiet
	r.awaited = first
	r.mu.Unlock()
	// A reply that takes longer counts as lost, so that no more than 2 s pass between the return of Redis and the next try.
	beat, cancel := context.WithTimeout(ctx, max(r.config.Timing.Interval/2, 500*time.Millisecond))
	defer cancel()
	sent := time.Now()
	pulse, err := r.link.Heartbeat(beat, info, r.config.Timing, first)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.awaited = false
	switch {
	case errors.Is(err, queue.ErrFenced):
		r.fenced(snap.worker)
		return sent, err
	case err != nil:
		return sent, err
	case snap.worker != r.info.ID:
		return sent, queue.ErrFenced // a claim was told meanwhile
	}
	r.registered, r.lastBeat = true, sent
	unknown, gone := r.reconcile(snap, pulse.Own)
	if gone > 0 {
		r.log.Warn().Int("jobs", gone).Msg("jobs are gone from the own list: their handlers are told")
	}
	r.obey(pulse)
	late := !pulse.NextDue.IsZero() && pulse.Now.Sub(pulse.NextDue) >= overdueFor
	if late && r.slots > r.running && !r.quiet {
		r.want = true
	}
	if first || unknown > 0 || late || r.pendingWork() {
		poke(r.look)
	}
	poke(r.idle)
	if pulse.Overdue != "" {
		r.mu.Unlock()
		reaping, cancel := context.WithTimeout(ctx, r.config.Timing.Interval)
		defer cancel()
		if reapAll(reaping, r.link, pulse.Overdue, r.log) {
			poke(r.beat) // many may have died at once: ask for the next one now
		}
		r.mu.Lock()
	}
	return sent, nil
}

// pendingWork: the exchange has something to do that it may have held back.
func (r *runner) pendingWork() bool {
	if r.want {
		return true
	}
	for _, e := range r.held {
		if e.phase == finished {
			return true
		}
	}
	return false
}

// cancelInDoubt ends the handlers' contexts before another worker may take their jobs, where LEASE_DOUBT says so.
func (r *runner) cancelInDoubt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.inDoubt() {
		return
	}
	r.tellDoubt()
	if r.config.LeaseDoubt != DoubtCancel {
		return
	}
	for _, e := range r.held {
		e.cancel(ErrLeaseDoubt)
	}
	if r.running > 0 {
		r.log.Warn().Int("running", r.running).Msg("the lease is in doubt: cancelling handlers, for LEASE_DOUBT is cancel")
	}
}

// greet tells of the start, and warns of a living worker of another build on this host: it may be a leftover.
func (r *runner) greet(ctx context.Context) {
	r.mu.Lock()
	me := r.info
	r.mu.Unlock()
	r.log.Info().Str("worker", me.ID).Int("concurrency", me.Concurrency).Str("build", me.Build).Msg("worker registered")
	ctx, cancel := context.WithTimeout(ctx, r.config.Timing.Interval) // the next heartbeat waits for this
	defer cancel()
	others, err := r.link.Workers(ctx)
	if err != nil {
		return
	}
	for _, o := range others {
		if o.Host == me.Host && o.PID != me.PID && o.Build != me.Build {
			r.log.Warn().Int("pid", o.PID).Str("build", o.Build).Str("dir", o.Dir).Time("started", o.Started).
				Msgf("a worker of another build works on this queue: pid %d; stop it with `kill %d` if it is a leftover", o.PID, o.PID)
		}
	}
}

func jitter(d time.Duration) time.Duration {
	return d - d/10 + rand.N(d/5+1)
}
