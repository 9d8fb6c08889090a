package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rate bounds the requests of one subject. The zero value bounds nothing.
type Rate struct {
	PerSecond float64
	Burst     int // how many may come at once
}

const (
	// limitTimeout is short: whatever it waits comes on top of queueTimeout.
	limitTimeout = 100 * time.Millisecond
	// maxSubjects bounds the memory of the local limits.
	maxSubjects = 10_000
)

// limited is the refusal of a request that came too early.
type limited struct{ wait time.Duration }

func (e *limited) Error() string { return errLimited.Error() }
func (e *limited) Unwrap() error { return errLimited }

var errLimited = errors.New("too many requests")

// limiter counts the requests of each subject: in Redis, for all processes together; while Redis is away, each process for itself.
type limiter struct {
	queue Queue
	rate  Rate

	mu           sync.Mutex
	fresh, stale map[string]*rate.Limiter
}

// newLimiter returns nil where nothing is bounded.
func newLimiter(q Queue, r Rate) *limiter {
	if r.PerSecond <= 0 {
		return nil
	}
	return &limiter{queue: q, rate: r, fresh: map[string]*rate.Limiter{}}
}

// admit counts one more request, or refuses it. Callers without a subject share one limit.
func (l *limiter) admit(ctx context.Context, subject string) error {
	if l == nil {
		return nil
	}
	asking, cancel := context.WithTimeout(ctx, limitTimeout)
	defer cancel()
	wait, err := l.queue.Limit(asking, subject, l.rate.PerSecond, l.rate.Burst)
	if err != nil {
		wait = l.local(subject)
	}
	if wait > 0 {
		return &limited{wait}
	}
	return nil
}

// local counts a request in this process alone. When there are too many subjects, those go first that have not been seen for long.
func (l *limiter) local(subject string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	of, ok := l.fresh[subject]
	if !ok {
		if of, ok = l.stale[subject]; !ok {
			of = rate.NewLimiter(rate.Limit(l.rate.PerSecond), l.rate.Burst)
		}
		if len(l.fresh) >= maxSubjects {
			l.fresh, l.stale = map[string]*rate.Limiter{}, l.fresh
		}
		l.fresh[subject] = of
	}
	turn := of.Reserve()
	wait := turn.Delay()
	if wait > 0 {
		turn.Cancel() // it is refused, and must not count
	}
	return wait
}
