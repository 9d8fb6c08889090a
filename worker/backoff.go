package worker

import (
	"math/rand/v2"
	"time"

	"github.com/punctualq/punctual/queue"
)

// retryDelay is how long a job that has failed waits for its next run.
func (r *runner) retryDelay(job Job) time.Duration {
	b := job.Backoff
	switch {
	case b == nil:
	case b.Kind == queue.BackoffExponential:
		return backoff(b.Base, b.Cap, job.Attempt)
	case b.Kind == queue.BackoffFixed:
		return b.Base
	case b.Kind == queue.BackoffList && len(b.Delays) > 0:
		return b.Delays[min(max(job.Attempt, 1), len(b.Delays))-1]
	}
	return backoff(r.config.RetryBase, r.config.RetryCap, job.Attempt)
}

// backoff is the delay before retry n (1 is the first): between 0 and min(most, base·2^(n-1)) at random, which is "full
// jitter" (Marc Brooker, Exponential Backoff And Jitter, 2015): many that failed together do not come back together.
func backoff(base, most time.Duration, n int) time.Duration {
	most = min(most, queue.MaxDelay) // which may be doubled without overflow
	d := base
	for i := 1; i < n && d < most; i++ {
		d *= 2
	}
	return rand.N(min(d, most) + 1)
}
