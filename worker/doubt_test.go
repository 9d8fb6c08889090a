package worker

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// LEASE_DOUBT decides what happens to handlers when no heartbeat has reached Redis for TTL − interval.
func TestLeaseDoubt(t *testing.T) {
	for _, mode := range []LeaseDoubt{DoubtContinue, DoubtCancel} {
		t.Run(string(mode), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStore(t)
				s.latency = 40 * time.Millisecond // SENT counts, not answered
				var mu sync.Mutex
				var runs int
				var ended time.Time
				var cause error
				r := start(s, 3, func(ctx context.Context, job Job) error {
					mu.Lock()
					defer mu.Unlock()
					if runs++; runs > 1 {
						return nil
					}
					mu.Unlock()
					err := pause(ctx, 20*time.Second)
					mu.Lock()
					ended, cause = time.Now(), context.Cause(ctx)
					return err
				}, func(c *Config) { c.LeaseDoubt = mode })
				s.add("a", 0, func(r *record) { r.MaxRetry = 0 })
				pass(5 * time.Second)
				s.goAway(fault{kind: answerErr, err: queue.ErrUnavailable})
				pass(50 * time.Millisecond) // one that was under way is answered
				doubt := r.lastBeat().Add(8 * time.Second)
				pass(time.Until(doubt) - 1)
				mu.Lock()
				if !ended.IsZero() {
					t.Error("the handler ended before the doubt")
				}
				mu.Unlock()
				pass(5 * time.Second)
				s.comeBack()
				pass(20 * time.Second)
				released := look(s, func() int { return len(s.released) })
				if mode == DoubtContinue && (cause != nil || len(r.diary.all()) != 1 || released != 0) {
					t.Errorf("ended for %v; runs %v", cause, r.diary.all())
				}
				if mode == DoubtCancel && (!errors.Is(cause, ErrLeaseDoubt) || !ended.Equal(doubt) || released != 1) {
					t.Errorf("ended %s after the doubt for %v, %d released", ended.Sub(doubt), cause, released)
				}
				if mode == DoubtCancel {
					if runs := r.diary.all(); len(runs) != 2 || runs[1].attempt != 1 {
						t.Errorf("runs %v: it was charged", runs)
					}
				}
				if s.finished("a") != 1 {
					t.Error("not finished")
				}
			})
		})
	}
}

// Handlers can ask whether their lease is in doubt.
func TestLeaseInDoubt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		var ctx context.Context
		gate := make(chan struct{})
		r := start(s, 3, func(c context.Context, job Job) error {
			if job.Attempt == 1 {
				ctx = c
				<-gate
			}
			return nil
		})
		s.add("a", 0)
		pass(3 * time.Second)
		if LeaseInDoubt(ctx) {
			t.Error("in doubt though heartbeats are answered")
		}
		doubt := r.lastBeat().Add(8 * time.Second)
		s.goAway(fault{kind: answerErr, err: queue.ErrUnavailable})
		pass(time.Until(doubt) - 1)
		if LeaseInDoubt(ctx) {
			t.Error("in doubt too early")
		}
		pass(1)
		if !LeaseInDoubt(ctx) {
			t.Error("not in doubt at TTL − interval after the last heartbeat")
		}
		s.comeBack()
		pass(time.Second)
		if LeaseInDoubt(ctx) {
			t.Error("still in doubt after a heartbeat")
		}
		s.reap(r.id(), 100)
		pass(3 * time.Second)
		if !LeaseInDoubt(ctx) {
			t.Error("the job is not this worker's any more, and no doubt is told")
		}
		if LeaseInDoubt(context.Background()) {
			t.Error("a context that is no handler's")
		}
		close(gate)
		pass(3 * time.Second)
	})
}
