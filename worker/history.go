package worker

import (
	"context"

	"github.com/punctualq/punctual/queue"
)

// tellStart writes to the history that a handler is about to be called, and when its context ends before it does. What it
// returns writes that the handler has ended.
func (r *runner) tellStart(ctx context.Context, e *execution) (tellEnd func(queue.Outcome)) {
	if r.config.History == nil {
		return func(queue.Outcome) {}
	}
	event := e.claimed.Event(queue.OpStart, e.worker)
	event.RedisMS, event.DueMS, event.MaxRetry = 0, 0, 0
	r.config.History(event)
	told := make(chan struct{})
	unwatch := context.AfterFunc(ctx, func() {
		defer close(told)
		event := event
		event.Op, event.Cause = queue.OpCancel, context.Cause(ctx).Error()
		r.config.History(event)
	})
	return func(outcome queue.Outcome) {
		if !unwatch() {
			<-told
		}
		event.Op, event.Outcome = queue.OpEnd, outcome
		if cause := context.Cause(ctx); cause != nil {
			event.Cause = cause.Error()
		}
		r.config.History(event)
	}
}

// tellDoubt writes to the history that the lease is in doubt. The caller holds runner.mu.
func (r *runner) tellDoubt() {
	if r.config.History != nil && r.running > 0 {
		r.config.History(queue.Event{Op: queue.OpDoubt, Res: queue.ResOK, Queue: r.link.Queue(), Worker: r.info.ID, Count: r.running})
	}
}
