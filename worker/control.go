package worker

import (
	"context"
	"time"

	"github.com/punctualq/punctual/queue"
)

// controlLoop waits for the control token, also while no slot is free: something has been said to this worker, and the reply to
// a heartbeat tells what. A token that is lost costs nothing but the time until the next heartbeat. The link's end ends it.
func (r *runner) controlLoop(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; {
		r.mu.Lock()
		id, registered := r.info.ID, r.registered
		r.mu.Unlock()
		if !registered { // its first heartbeat tells what there is to tell
			select {
			case <-ctx.Done():
			case <-time.After(jitter(300 * time.Millisecond)):
			}
			continue
		}
		token, err := r.link.WaitControl(ctx, id, waitMost)
		if err != nil { // heartbeats find out soon enough when Redis is back
			failures++
			select {
			case <-ctx.Done():
			case <-time.After(jitter(300 * time.Millisecond << min(failures, 4))):
			}
			continue
		}
		failures = 0
		if token {
			poke(r.beat)
		}
	}
}

// obey does what the reply to a heartbeat tells. The caller holds runner.mu.
func (r *runner) obey(pulse queue.Pulse) {
	if told := r.tellCancelled(pulse.Cancelled); told > 0 {
		r.log.Info().Int("jobs", told).Msg("jobs are cancelled: their handlers are told")
	}
	switch pulse.Order {
	case queue.OrderQuiet:
		r.beQuiet()
	case queue.OrderStop:
		if !r.stopping {
			r.log.Info().Str("worker", r.info.ID).Msg("told to stop: shutting down in order")
			r.stop()
		}
	}
}

// beQuiet claims nothing more. A token that this worker has popped, or that it would have used at its armed time, is passed on.
// The caller holds runner.mu.
func (r *runner) beQuiet() {
	if r.quiet {
		return
	}
	r.quiet, r.want, r.armed = true, true, time.Time{}
	r.log.Info().Str("worker", r.info.ID).Int("running", r.running).Msg("told to be quiet: nothing more is claimed, what runs goes on")
	go r.endWaking() // it closes a connection, which may take its time
	poke(r.look)
	poke(r.beat) // so that its heartbeat says so
}
