package worker

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// rate fails the test if there were more than so many calls a second.
func rate(t *testing.T, s *store, mark int, d time.Duration, most float64) {
	t.Helper()
	kinds := map[string]int{}
	for _, c := range s.since("", mark) {
		kinds[c.op]++
	}
	if n := len(s.since("", mark)); float64(n) > most*d.Seconds() {
		t.Errorf("%d calls in %s, want at most %g a second: %v", n, d, most, kinds)
	}
}

func TestIdleWorkerCostsAlmostNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		start(s, 10, nil)
		s.add("later", time.Hour)
		pass(time.Minute)
		mark := s.mark()
		pass(10 * time.Minute)
		rate(t, s, mark, 10*time.Minute, 0.8)
	})
}

func TestFullWorkerWithABacklogIsQuiet(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		gate := make(chan struct{})
		start(s, 3, until(gate, nil), func(c *Config) { c.JobTimeout = time.Hour })
		s.addMany(50, "j")
		pass(time.Minute)
		mark := s.mark()
		pass(10 * time.Minute)
		rate(t, s, mark, 10*time.Minute, 0.7)
		close(gate)
		pass(time.Second)
	})
}

// The list holds something that memory never agrees with: claims go on, and heartbeats are not asked for without end.
func TestListAndMemoryDifferForGood(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 5, lasting(10*time.Millisecond))
		pass(time.Second)
		s.mu.Lock()
		s.blind = true // to elements that are on the list: an imaginary fault of Redis
		s.lists[r.runner.info.ID] = []string{"0:phantom"}
		s.jobs["phantom"] = &record{}
		s.mu.Unlock()
		pass(time.Minute)
		mark := s.mark()
		pass(time.Minute)
		rate(t, s, mark, time.Minute, 2)
		mark = s.mark()
		for i := range 600 { // at work
			s.add(fmt.Sprint("j", i), 0)
			pass(100 * time.Millisecond)
		}
		if n := len(s.since("renew", mark)); n > 60 {
			t.Errorf("%d heartbeats in a minute", n)
		}
		if n := len(look(s, func() []string { return s.done })); n != 600 {
			t.Errorf("%d done", n)
		}
		s.mu.Lock()
		s.blind = false
		s.mu.Unlock()
	})
}

// Whatever it sends, it is answered "fenced".
func TestAlwaysFenced(t *testing.T) {
	for _, ops := range [][]string{{"claim"}, {"renew"}, {"new", "renew"}, {"claim", "renew"}} {
		t.Run(fmt.Sprint(ops), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStore(t)
				for _, op := range ops {
					s.failAlways(op, fault{kind: answerErr, err: queue.ErrFenced})
				}
				s.add("a", 0)
				r := start(s, 5, nil)
				pass(time.Minute)
				mark, logged := s.mark(), len(r.logs.find(""))
				pass(10 * time.Minute)
				rate(t, s, mark, 10*time.Minute, 8)
				if n := len(r.logs.find("")) - logged; n > 120 {
					t.Errorf("%d log lines in 10 minutes", n)
				}
				ids := map[any]bool{}
				for _, c := range s.since("new", 0) {
					ids[c.what] = true
				}
				if len(ids) < 10 {
					t.Errorf("only %d ids were tried", len(ids))
				}
				s.failAlways("", fault{})
				pass(5 * time.Second)
				if s.finished("a") != 1 {
					t.Error("it does not work on when all is well again")
				}
			})
		})
	}
}

// Heartbeats are answered, but not what the exchange asks for: it is tried in moderation, and told.
func TestExchangeFailsForGood(t *testing.T) {
	refused := fmt.Errorf("%w: it answers NOPERM", queue.ErrUnavailable)
	for _, op := range []string{"settle", "claim", "held"} {
		t.Run(op, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStore(t)
				r := start(s, 5, nil)
				pass(time.Second)
				s.failAlways(op, fault{kind: answerErr, err: refused})
				if op == "held" {
					r.put("0:a")
				} else {
					s.add("a", 0)
				}
				pass(time.Minute)
				mark := s.mark()
				pass(10 * time.Minute)
				rate(t, s, mark, 10*time.Minute, 8)
				told := r.logs.find("heartbeats")
				if len(told) == 0 || len(told) > 30 || told[0].level != "warn" || told[0].fields["error"] == nil {
					t.Errorf("%d lines tell of it", len(told))
				}
				s.failAlways("", fault{})
				pass(5 * time.Second)
				if s.finished("a") != 1 || len(r.diary.of("a")) != 1 {
					t.Errorf("runs %v", r.diary.all())
				}
			})
		})
	}
}

// A pop that fails at once is not repeated at once.
func TestPopThatFailsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		s.failAlways("wait", fault{kind: answerErr, err: errors.New("no")})
		start(s, 5, nil)
		pass(time.Minute)
		rate(t, s, 0, time.Minute, 5)
	})
}
