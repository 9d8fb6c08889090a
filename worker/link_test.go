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
	closed  chan struct{} // the pop of the wake token
	ended   chan struct{} // all
	once    sync.Once
	final   sync.Once
	numbers map[int64]bool // of claims
}

func (s *store) link() *fakeLink {
	return &fakeLink{store: s, closed: make(chan struct{}), ended: make(chan struct{}), numbers: map[int64]bool{}}
}

func (l *fakeLink) Queue() string      { return "q" }
func (l *fakeLink) StopWaiting() error { l.once.Do(func() { close(l.closed) }); return nil }
func (l *fakeLink) Close() error {
	l.final.Do(func() { close(l.ended) })
	return l.StopWaiting()
}

func (l *fakeLink) Exchange(ctx context.Context, e queue.Exchange) (x queue.Exchanged) {
	ctx, cancel := context.WithTimeout(ctx, time.Second) // as the real one
	defer cancel()
	if len(e.Results) > queue.ClaimLimit || e.Claim > queue.ClaimLimit || e.Claim < 0 {
		l.t.Errorf("exchange of %d results, %d claims", len(e.Results), e.Claim)
	}
	if len(e.Results) > 0 {
		x.Settled, x.SettleErr = call(ctx, l, "settle", len(e.Results), e.Results, func() ([]queue.Outcome, error) { return l.settle(e), nil })
	}
	if e.Claim > 0 {
		l.mu.Lock()
		if l.numbers[e.Number] {
			l.t.Errorf("claim number %d was used again", e.Number)
		}
		l.numbers[e.Number] = true
		l.mu.Unlock()
		x.Claims, x.ClaimErr = call(ctx, l, "claim", e.Claim, e.Worker, func() (queue.Claims, error) { return l.claim(e) })
	}
	return x
}

// Held reads records only, as the real one does: it does not look at the list.
func (l *fakeLink) Held(ctx context.Context, elements []string) ([]queue.Claimed, error) {
	return call(ctx, l, "held", len(elements), elements, func() (claimed []queue.Claimed, err error) {
		for _, element := range elements {
			_, id := splitTest(element)
			if l.blind {
				break
			}
			c := queue.Claimed{Element: element, Job: queue.Job{ID: id}, Attempt: 1, Corrupt: errors.New("no record")}
			if r := l.jobs[id]; r != nil {
				c.Job, c.Attempt, c.Corrupt = r.Job, max(1, r.attempts), r.corrupt
			}
			claimed = append(claimed, c)
		}
		return claimed, nil
	})
}

func (l *fakeLink) PassOn(ctx context.Context) error {
	_, err := call(ctx, l, "passon", 0, nil, func() (bool, error) {
		if !l.token {
			l.push()
		}
		return true, nil
	})
	return err
}

func (l *fakeLink) Heartbeat(ctx context.Context, w queue.WorkerInfo, t queue.Timing, first bool) (queue.Pulse, error) {
	op := "renew"
	if first {
		op = "new"
	}
	return call(ctx, l, op, 0, w.ID, func() (queue.Pulse, error) { return l.heartbeat(w, t, first) })
}

func (l *fakeLink) Workers(ctx context.Context) ([]queue.WorkerInfo, error) {
	return call(ctx, l, "workers", 0, nil, func() (all []queue.WorkerInfo, err error) {
		for id := range l.registry {
			all = append(all, l.infos[id])
		}
		return append(all, l.others...), nil
	})
}

func (l *fakeLink) Reap(ctx context.Context, victim string) (queue.Reaped, error) {
	return call(ctx, l, "reap", 0, victim, func() (queue.Reaped, error) { return l.reapLocked(victim, 100), nil })
}

func (l *fakeLink) Leave(ctx context.Context, worker string) (bool, error) {
	return call(ctx, l, "leave", 0, worker, func() (bool, error) { return l.leave(worker), nil })
}

func (l *fakeLink) Trim(ctx context.Context, most int, _ time.Duration, mostDone int) (queue.Trimmed, error) {
	left, err := call(ctx, l, "trim", most, mostDone, func() (int, error) { l.trims--; return l.trims, nil })
	return queue.Trimmed{Dead: max(0, min(left+1, 100)), More: left > 0}, err
}

// Wait is a blocking pop. As in go-redis, a context that is cancelled does not end it: the closing of the link does.
func (l *fakeLink) Wait(ctx context.Context, most time.Duration) (bool, error) {
	_, err := call(ctx, l, "wait", 0, nil, func() (bool, error) { return true, nil })
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
		if l.popReplyLost() {
			<-l.closed
			return false, queue.ErrOutcomeUnknown
		}
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

// popReplyLost: the token left the list, and its reply never comes.
func (l *fakeLink) popReplyLost() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := len(l.faults["pop"]) > 0
	if lost {
		l.faults["pop"] = l.faults["pop"][1:]
	}
	return lost
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
