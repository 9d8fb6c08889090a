package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/punctualq/punctual/queue"
)

// network is what lies between a link and the store: it counts calls and makes faults.
type network struct {
	calls   []sentCall
	faults  map[string][]fault
	always  map[string]fault
	blind   bool   // Held finds nothing
	trims   int    // how many calls it takes to trim everything
	away    *fault // what happens to every call while Redis is away
	back    chan struct{}
	latency time.Duration
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
	n.faults, n.back = map[string][]fault{}, make(chan struct{})
}

// fail makes the next calls of this kind go wrong, one fault each; the zero fault lets one through.
func (s *store) fail(op string, f ...fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[op] = append(s.faults[op], f...)
}

// failAlways makes all calls of this kind go wrong; "" ends that for all.
func (s *store) failAlways(op string, f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if op == "" || s.always == nil {
		s.always = map[string]fault{}
	}
	if op != "" {
		s.always[op] = f
	}
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
	if f, ok := s.always[op]; ok {
		return f
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

// call carries one call to the store and its reply back.
func call[T any](ctx context.Context, l *fakeLink, op string, n int, what any, apply func() (T, error)) (T, error) {
	var got, none T
	err := l.send(ctx, op, n, what, func() (err error) { got, err = apply(); return err })
	if err != nil {
		return none, err // got may yet be written, by a request that comes late
	}
	return got, nil
}

// send carries one call to the store.
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
