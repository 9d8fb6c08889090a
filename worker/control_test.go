package worker

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// bell is a control list: a token, and who waits for it.
type bell struct {
	token  bool
	waiter chan struct{}
}

// cancelJob is queue.Client.Cancel of a job that is on the list of a worker.
func (s *store) cancelJob(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for worker, list := range s.lists {
		for _, element := range list {
			if _, on := splitTest(element); on == id {
				s.cancelled[id] = true
				s.knock(worker)
				return
			}
		}
	}
	s.t.Errorf("%s is on no list", id)
}

// order is queue.Client.Quiet or Stop.
func (s *store) order(worker, order string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keeper.id == worker {
		s.keeper.id = ""
		s.push()
	}
	s.orders[worker] = order
	s.knock(worker)
}

// knock is the token on a control list.
func (s *store) knock(worker string) {
	b := s.bell(worker)
	if b.token = true; b.waiter != nil {
		close(b.waiter)
		b.waiter = nil
	}
}

func (s *store) bell(worker string) *bell {
	if s.control[worker] == nil {
		s.control[worker] = &bell{}
	}
	return s.control[worker]
}

// WaitControl is a blocking pop; the fault "nocontrol" loses what it popped.
func (l *fakeLink) WaitControl(ctx context.Context, worker string, most time.Duration) (bool, error) {
	if _, err := call(ctx, l, "waitcontrol", 0, nil, func() (bool, error) { return true, nil }); err != nil {
		return false, err
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	for {
		l.mu.Lock()
		b := l.bell(worker)
		if b.token {
			b.token = false
			lost := len(l.faults["nocontrol"]) > 0
			if lost {
				l.faults["nocontrol"] = l.faults["nocontrol"][1:]
			}
			l.mu.Unlock()
			if lost {
				return false, queue.ErrOutcomeUnknown
			}
			return true, nil
		}
		mine := make(chan struct{})
		b.waiter = mine
		l.mu.Unlock()
		select {
		case <-mine:
		case <-timer.C:
			return false, nil
		case <-l.ended:
			return false, queue.ErrUnavailable
		}
	}
}

// untilTold returns a handler that runs until its context ends, writes down when and why, and then returns err.
func untilTold(ends chan<- ending, err error) Handler {
	return func(ctx context.Context, job Job) error {
		<-ctx.Done()
		ends <- ending{job.ID, context.Cause(ctx), time.Now()}
		return err
	}
}

type ending struct {
	id    string
	cause error
	at    time.Time
}

// A cancelled job is told within a second, with the cause, also by a worker that is full, and whatever its handler returns but nil it is gone.
func TestCancelOfARunningJob(t *testing.T) {
	for name, err := range map[string]error{"error": errors.New("x"), "permanent": Permanent(errors.New("x")), "done": nil,
		"later": RetryAfter(time.Hour, errors.New("x"))} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStore(t)
				ends := make(chan ending, 9)
				r := start(s, 1, untilTold(ends, err))
				s.add("a", 0)
				pass(2500 * time.Millisecond)
				asked := time.Now()
				s.cancelJob("a")
				pass(time.Second)
				if len(ends) != 1 {
					t.Fatal("the handler was not told")
				}
				if end := <-ends; end.cause != ErrCancelled || end.at.Sub(asked) > time.Second {
					t.Errorf("told %v after %s", end.cause, end.at.Sub(asked))
				}
				pass(5 * time.Second)
				if gone, done := len(s.gone) == 1, s.finished("a") == 1; gone == done || done != (err == nil) {
					t.Errorf("gone %v, done %v", gone, done)
				}
				if n := len(r.diary.of("a")); n != 1 || len(s.due) > 0 || len(s.dead) > 0 {
					t.Errorf("%d runs, waiting %v, dead %v", n, s.due, s.dead)
				}
			})
		})
	}
}

// The token is lost: the next heartbeat tells all the same.
func TestCancelWhoseTokenIsLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		ends := make(chan ending, 9)
		start(s, 1, untilTold(ends, errors.New("x")))
		s.add("a", 0)
		pass(2500 * time.Millisecond)
		s.fail("nocontrol", fault{kind: replyLost})
		s.cancelJob("a")
		pass(2300 * time.Millisecond)
		if len(ends) != 1 || (<-ends).cause != ErrCancelled {
			t.Error("the handler was not told")
		}
	})
}

// A job is cancelled while the reply to its claim is on its way, or lost: its handler does not start.
func TestCancelBeforeTheClaimIsAnswered(t *testing.T) {
	for name, reply := range map[string]fault{"slow": {kind: replySlow, d: 500 * time.Millisecond}, "lost": {kind: replyLost, d: time.Second}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStore(t)
				r := start(s, 2, nil)
				pass(2500 * time.Millisecond)
				s.fail("claim", reply)
				s.add("a", 0)
				pass(100 * time.Millisecond)
				s.cancelJob("a")
				pass(5 * time.Second)
				if n := len(r.diary.of("a")); n != 0 || !slices.Equal(s.gone, []string{"a"}) {
					t.Errorf("%d runs, gone %v", n, s.gone)
				}
			})
		})
	}
}

// Only the job that was named is told.
func TestCancelLeavesTheOthersAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		ends := make(chan ending, 9)
		start(s, 3, untilTold(ends, errors.New("x")))
		for _, id := range []string{"a", "b", "c"} {
			s.add(id, 0)
		}
		pass(2500 * time.Millisecond)
		s.cancelJob("b")
		pass(10 * time.Second)
		if len(ends) != 1 || (<-ends).id != "b" {
			t.Error("want that b alone is told")
		}
	})
}

// A quiet worker claims nothing more and takes no token from the others; what it runs goes on, and is settled.
func TestQuiet(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		gate := make(chan struct{})
		r := start(s, 3, until(gate, nil))
		s.add("a", 0)
		pass(2500 * time.Millisecond)
		s.order(r.id(), queue.OrderQuiet)
		pass(time.Second)
		mark := s.mark()
		other := start(s, 3, nil)
		s.add("b", 0)
		s.add("c", 3*time.Second)
		pass(10 * time.Second)
		if len(r.diary.of("b"))+len(r.diary.of("c")) > 0 || len(other.diary.of("b")) != 1 || len(other.diary.of("c")) != 1 {
			t.Errorf("%v, %v", r.diary.all(), other.diary.all())
		}
		if stats := r.runner.stats(); stats.Running != 1 || !look(s, func() bool { return s.infos[r.id()].Quiet }) {
			t.Errorf("%+v, %+v", stats, s.infos[r.id()])
		}
		if n := len(s.since("passon", mark)); n > 1 {
			t.Errorf("%d tokens passed on", n)
		}
		close(gate)
		pass(time.Second)
		if s.finished("a") != 1 {
			t.Error("a was not settled")
		}
		if n := len(r.logs.find("told to be quiet")); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
}

// What a claim under way brings to a worker that has become quiet is given back, and another one runs it.
func TestQuietDuringAClaim(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 3, nil)
		pass(2500 * time.Millisecond)
		s.fail("claim", fault{kind: replySlow, d: 500 * time.Millisecond})
		s.add("a", 0)
		pass(100 * time.Millisecond)
		s.order(r.id(), queue.OrderQuiet)
		pass(time.Second)
		if n := len(r.diary.all()); n != 0 || !slices.Equal(s.released, []string{"a"}) {
			t.Errorf("%d runs, released %v", n, s.released)
		}
		other := start(s, 1, nil)
		pass(time.Second)
		if len(other.diary.of("a")) != 1 {
			t.Error("nobody else runs it")
		}
	})
}

// A worker that was reaped goes on under a new id, and is quiet still.
func TestQuietOutlivesTheID(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 3, nil)
		pass(2500 * time.Millisecond)
		was := r.id()
		s.order(was, queue.OrderQuiet)
		pass(time.Second)
		s.reap(was, 100)
		pass(3 * time.Second)
		s.add("a", 0)
		pass(10 * time.Second)
		if r.id() == was || len(r.diary.all()) != 0 || !look(s, func() bool { return s.infos[r.id()].Quiet }) {
			t.Errorf("id %s, was %s, ran %v", r.id(), was, r.diary.all())
		}
	})
}

// Stop ends all runners of a process in order, as a signal does.
func TestStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := prepare(s, 3, lasting(5*time.Second))
		r.runner.stop = func() { r.cancel() }
		r.run()
		s.add("a", 0)
		pass(2500 * time.Millisecond)
		s.order(r.id(), queue.OrderStop)
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		if s.finished("a") != 1 || len(s.registry) > 0 {
			t.Errorf("done %v, registered %v", s.done, s.registry)
		}
	})
}
