package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/punctualq/punctual/queue"
)

// network is what lies between a link and the store: it counts calls and makes faults.
type network struct {
	calls   []sentCall
	faults  map[string][]fault
	away    *fault // what happens to every call while Redis is away
	back    chan struct{}
	latency time.Duration
	numbers map[int64]bool
	onCall  func(op string) // called before anything else happens
	instant time.Time
	burst   int
}

type sentCall struct {
	op   string
	at   time.Time
	n    int // claimed for, or results
	what any
}

// fault is what goes wrong with one call.
type fault struct {
	kind faultKind
	d    time.Duration
	err  error
}

type faultKind int

const (
	answerErr    faultKind = iota + 1 // not applied; answered with err
	requestLost                       // not applied; no reply within d
	replyLost                         // applied; no reply within d
	requestLate                       // given up at once, applied after d
	requestSlow                       // applied after d, then answered
	replySlow                         // applied at once, answered after d
	hang                              // not applied; no reply until the context ends
	hangTillBack                      // like a stopped process: applied and answered when Redis is back
)

func (n *network) init() {
	n.faults, n.numbers, n.back = map[string][]fault{}, map[int64]bool{}, make(chan struct{})
}

// fail makes the next calls of this kind go wrong, one fault each; the zero fault lets one through.
func (s *store) fail(op string, f ...fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[op] = append(s.faults[op], f...)
}

func (s *store) goAway(f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = &f
	for _, w := range s.waiters { // connections break: a pop under way ends with an error
		close(w)
	}
	s.waiters = nil
}

func (s *store) comeBack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = nil
	close(s.back)
	s.back = make(chan struct{})
}

// mark is a place in the history of calls.
func (s *store) mark() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

// since returns the calls of this kind after a mark; "" means every kind.
func (s *store) since(op string, mark int) (found []sentCall) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls[mark:] {
		if op == "" || c.op == op {
			found = append(found, c)
		}
	}
	return found
}

func (s *store) count(op string) int { return len(s.since(op, 0)) }

// begin counts a call and says what goes wrong with it.
func (s *store) begin(op string, n int, what any) fault {
	if s.onCall != nil {
		s.onCall(op)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.calls = append(s.calls, sentCall{op, now, n, what})
	if !now.Equal(s.instant) {
		s.instant, s.burst = now, 0
	}
	if s.burst++; s.burst > 5000 { // time would never go on
		panic(fmt.Sprintf("hot loop: the last calls at one instant are %v", s.calls[len(s.calls)-6:]))
	}
	if list := s.faults[op]; len(list) > 0 {
		s.faults[op] = list[1:]
		if list[0].kind != 0 {
			return list[0]
		}
	}
	if s.away != nil {
		return *s.away
	}
	return fault{kind: requestSlow, d: s.latency}
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// send carries one call to the store and its reply back.
func (s *store) send(ctx context.Context, op string, n int, what any, apply func() error) error {
	f := s.begin(op, n, what)
	unknown := fmt.Errorf("%w: injected into %s", queue.ErrOutcomeUnknown, op)
	locked := func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		return apply()
	}
	if ctx.Err() != nil {
		return unknown
	}
	switch f.kind {
	case answerErr:
		return f.err
	case requestLost:
		_ = pause(ctx, f.d)
		return unknown
	case replyLost:
		_ = locked()
		_ = pause(ctx, f.d)
		return unknown
	case requestLate:
		time.AfterFunc(f.d, func() { _ = locked() })
		return unknown
	case replySlow:
		err := locked()
		if pause(ctx, f.d) != nil {
			return unknown
		}
		return err
	case hang:
		<-ctx.Done()
		return unknown
	case hangTillBack:
		s.mu.Lock()
		back := s.back
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return unknown
		case <-back:
		}
	case requestSlow:
		if pause(ctx, f.d) != nil {
			return unknown
		}
	}
	return locked()
}

// fakeLink is a queue.Link to the store.
type fakeLink struct {
	*store
	closed chan struct{}
	once   sync.Once
	broken bool // it was closed with calls under way
}

func (s *store) link() *fakeLink { return &fakeLink{store: s, closed: make(chan struct{})} }

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
