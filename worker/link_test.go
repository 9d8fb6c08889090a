package worker

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/punctualq/punctual/queue"
)

// fakeLink is a queue.Link to the store.
type fakeLink struct {
	*store
	closed  chan struct{}
	once    sync.Once
	numbers map[int64]bool // of claims
}

func (s *store) link() *fakeLink {
	return &fakeLink{store: s, closed: make(chan struct{}), numbers: map[int64]bool{}}
}

func (l *fakeLink) Queue() string { return "q" }
func (l *fakeLink) Close() error  { l.once.Do(func() { close(l.closed) }); return nil }

func (l *fakeLink) Exchange(ctx context.Context, e queue.Exchange) (x queue.Exchanged) {
	ctx, cancel := context.WithTimeout(ctx, time.Second) // as the real one
	defer cancel()
	if len(e.Results) > queue.ClaimLimit || e.Claim > queue.ClaimLimit || e.Claim < 0 {
		l.t.Errorf("exchange of %d results, %d claims", len(e.Results), e.Claim)
	}
	if len(e.Results) > 0 {
		x.SettleErr = l.send(ctx, "settle", len(e.Results), e.Results, func() error { x.Settled = l.settle(e); return nil })
		if x.SettleErr != nil {
			x.Settled = nil
		}
	}
	if e.Claim > 0 {
		l.mu.Lock()
		if l.numbers[e.Number] {
			l.t.Errorf("claim number %d was used again", e.Number)
		}
		l.numbers[e.Number] = true
		l.mu.Unlock()
		var claims queue.Claims
		x.ClaimErr = l.send(ctx, "claim", e.Claim, e.Worker, func() (err error) { claims, err = l.claim(e); return err })
		if x.ClaimErr == nil {
			x.Claims = claims
		}
	}
	return x
}

// Held reads records only, as the real one does: it does not look at the list.
func (l *fakeLink) Held(ctx context.Context, elements []string) (claimed []queue.Claimed, err error) {
	err = l.send(ctx, "held", len(elements), elements, func() error {
		for _, element := range elements {
			_, id := splitTest(element)
			c := queue.Claimed{Element: element, Job: queue.Job{ID: id}, Attempt: 1, Corrupt: errors.New("no record")}
			if r := l.jobs[id]; r != nil {
				c.Job, c.Attempt, c.Corrupt = r.Job, max(1, r.attempts), r.corrupt
			}
			claimed = append(claimed, c)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

func (l *fakeLink) PassOn(ctx context.Context) error {
	return l.send(ctx, "passon", 0, nil, func() error {
		if !l.token {
			l.push()
		}
		return nil
	})
}

func (l *fakeLink) Heartbeat(ctx context.Context, w queue.WorkerInfo, t queue.Timing, first bool) (p queue.Pulse, err error) {
	op := "renew"
	if first {
		op = "new"
	}
	err = l.send(ctx, op, 0, w.ID, func() (err error) { p, err = l.heartbeat(w, t, first); return err })
	return p, err
}

func (l *fakeLink) Workers(ctx context.Context) (all []queue.WorkerInfo, err error) {
	err = l.send(ctx, "workers", 0, nil, func() error {
		for id := range l.registry {
			all = append(all, l.infos[id])
		}
		all = append(all, l.others...)
		return nil
	})
	return all, err
}

func (l *fakeLink) Reap(ctx context.Context, victim string) (r queue.Reaped, err error) {
	err = l.send(ctx, "reap", 0, victim, func() error { r = l.reapLocked(victim, 100); return nil })
	return r, err
}

func (l *fakeLink) Leave(ctx context.Context, worker string) (left bool, err error) {
	err = l.send(ctx, "leave", 0, worker, func() error { left = l.leave(worker); return nil })
	return left, err
}

func (l *fakeLink) Trim(ctx context.Context, most int, _ time.Duration) (int, bool, error) {
	return 0, false, l.send(ctx, "trim", most, nil, func() error { return nil })
}

// Wait is a blocking pop. As in go-redis, a context that is cancelled does not end it: the closing of the link does.
func (l *fakeLink) Wait(ctx context.Context, most time.Duration) (bool, error) {
	err := l.send(ctx, "wait", 0, nil, func() error { return nil })
	if err != nil {
		return false, err
	}
	l.mu.Lock()
	if l.token {
		l.token = false
		l.mu.Unlock()
		return true, nil
	}
	mine := make(chan struct{})
	l.waiters = append(l.waiters, mine)
	l.mu.Unlock()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-mine:
		return l.popped()
	case <-timer.C:
	case <-l.closed:
		err = queue.ErrUnavailable
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, w := range l.waiters {
		if w == mine {
			l.waiters = append(l.waiters[:i:i], l.waiters[i+1:]...)
			return false, err
		}
	}
	if err != nil { // the token was on its way to a connection that is gone
		return false, err
	}
	return true, nil
}

func (l *fakeLink) popped() (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away != nil {
		return false, queue.ErrOutcomeUnknown
	}
	return true, nil
}

func splitTest(element string) (number, id string) {
	number, id, ok := strings.Cut(element, ":")
	if !ok {
		return "", element
	}
	return number, id
}
