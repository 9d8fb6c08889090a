package worker

import (
	"context"
	"time"
)

// waiter is what the waker needs of Redis. Only StopWaiting ends a pop that is under way.
type waiter interface {
	Wait(ctx context.Context, most time.Duration) (bool, error)
	StopWaiting() error
	WaitControl(ctx context.Context, worker string, most time.Duration) (bool, error)
}

// wakeLoop waits for the wake token while a slot is free and no claim is about to follow: under load each claim that fills
// the slots leaves a token, which is meant for another worker. It may lose a token to a broken connection; then the heartbeat's
// fallback finds the job. It ends when ctx ends and the pop under way is stopped.
func (r *runner) wakeLoop(ctx context.Context) {
	for ctx.Err() == nil {
		r.mu.Lock()
		ready := r.registered && !r.unsure && !r.backlog && r.slots > r.running
		r.mu.Unlock()
		if !ready {
			select {
			case <-ctx.Done():
			case <-r.idle:
			}
			continue
		}
		token, err := r.link.Wait(ctx, waitMost)
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(jitter(300 * time.Millisecond)):
			}
			continue
		}
		if token {
			r.mu.Lock()
			r.want = true // a full worker passes it on, see plan
			r.mu.Unlock()
			poke(r.look)
		}
	}
}
