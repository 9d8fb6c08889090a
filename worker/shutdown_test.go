package worker

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// lastIsLeave checks that the goodbye is the last thing that Redis hears, but for the question who else is there.
func lastIsLeave(t *testing.T, s *store) {
	t.Helper()
	calls := slices.DeleteFunc(s.since("", 0), func(c sentCall) bool { return c.op == "workers" })
	if last := calls[len(calls)-1]; last.op != "leave" || s.count("leave") != 1 {
		t.Errorf("%d goodbyes, the last call is %s", s.count("leave"), last.op)
	}
}

func TestIdleShutdownIsQuick(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 5, nil)
		pass(time.Minute)
		begin := time.Now()
		if err := r.stop(); err != nil || time.Since(begin) > 50*time.Millisecond {
			t.Errorf("it took %s: %v", time.Since(begin), err)
		}
		lastIsLeave(t, s)
		if n := look(s, func() int { return len(s.registry) }); n != 0 {
			t.Error("still registered")
		}
	})
}

// What passes the wake token on at a stop is answered before the goodbye.
func TestTokenIsPassedOnBeforeLeaving(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 5, nil)
		pass(time.Minute)
		s.fail("passon", fault{kind: replySlow, d: 400 * time.Millisecond})
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		lastIsLeave(t, s)
		passed, left := s.since("passon", 0), s.since("leave", 0)
		if len(passed) != 1 || left[0].at.Sub(passed[0].at) < 400*time.Millisecond {
			t.Errorf("passed on: %v, left: %v", passed, left)
		}
	})
}

// No claim after the stop began, and a claim that was under way is given back unrun and uncharged.
func TestNoClaimAfterTheStopBegan(t *testing.T) {
	for name, f := range map[string]fault{
		"reply slow":   {kind: replySlow, d: 400 * time.Millisecond},
		"request slow": {kind: requestSlow, d: 400 * time.Millisecond},
		"reply lost":   {kind: replyLost, d: 400 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStore(t)
				r := start(s, 5, nil)
				pass(5 * time.Second)
				s.fail("claim", f)
				s.addMany(8, "j")
				pass(100 * time.Millisecond)
				mark := s.mark()
				if err := r.stop(); err != nil {
					t.Error(err)
				}
				if n := len(s.since("claim", mark)); n != 0 || len(r.diary.all()) != 0 {
					t.Errorf("%d claims after the stop, runs %v", n, r.diary.all())
				}
				waiting, charged := 0, 0
				for id, j := range s.jobs {
					if !s.due[id].IsZero() {
						waiting++
					}
					charged += j.attempts
				}
				if waiting != 8 || charged != 0 || len(s.released) == 0 {
					t.Errorf("%d wait, %d attempts charged, %d released", waiting, charged, len(s.released))
				}
				lastIsLeave(t, s)
			})
		})
	}
}

func TestHandlersFinishWithinTheGrace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 5, lasting(20*time.Second))
		s.addMany(8, "j")
		pass(time.Second)
		begin := time.Now()
		if err := r.stop(); err != nil || time.Since(begin) > 19100*time.Millisecond {
			t.Errorf("it took %s: %v", time.Since(begin), err)
		}
		if len(s.done) != 5 || len(s.due) != 3 || len(r.diary.all()) != 5 {
			t.Errorf("%d done, %d wait", len(s.done), len(s.due))
		}
		lastIsLeave(t, s)
	})
}

// After the grace handlers are cancelled and have 3 s more; what becomes of a job is up to what its handler returns.
func TestHandlersAreCancelledAfterTheGrace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		var why causes
		never := make(chan struct{})
		gate := make(chan struct{})
		handlers := map[string]Handler{
			"error":     why.note(never, errors.New("interrupted")),
			"panic":     func(ctx context.Context, _ Job) error { <-ctx.Done(); panic("interrupted") },
			"again":     why.note(never, RetryAfter(time.Hour, errors.New("later"))),
			"done":      why.note(never, nil),
			"permanent": why.note(never, Permanent(errors.New("never"))),
			"slow": func(ctx context.Context, _ Job) error {
				<-ctx.Done()
				return pause(context.Background(), 2900*time.Millisecond)
			},
			"deaf": func(context.Context, Job) error { <-gate; return nil },
		}
		r := start(s, 10, func(ctx context.Context, job Job) error { return handlers[job.ID](ctx, job) })
		for id := range handlers {
			s.add(id, 0)
		}
		pass(time.Second)
		begin := time.Now()
		err := r.stop()
		if d := time.Since(begin); err != nil || d < 28*time.Second || d > 31*time.Second {
			t.Errorf("it took %s: %v", d, err)
		}
		for _, id := range []string{"error", "again", "done", "permanent"} {
			if !errors.Is(why.of(id), ErrShutdown) {
				t.Errorf("%s: cause %v", id, why.of(id))
			}
		}
		for _, id := range []string{"error", "panic", "again"} {
			if s.due[id].IsZero() || s.jobs[id].attempts != 0 || s.due[id].After(s.now()) {
				t.Errorf("%s: due %v, attempts %d; want it given back uncharged and due", id, s.due[id], s.jobs[id].attempts)
			}
		}
		if s.finished("done") != 1 || s.finished("slow") != 1 || len(s.dead) != 1 || s.dead[0] != "permanent" {
			t.Errorf("done %v, dead %v", s.done, s.dead)
		}
		list := s.lists[r.runner.info.ID]
		if _, id := splitTest(list[0]); len(list) != 1 || id != "deaf" || s.jobs["deaf"].attempts != 1 {
			t.Errorf("on the list: %v, want the one whose handler still runs", list)
		}
		lastIsLeave(t, s)
		if n := len(r.logs.find("left with jobs on the list")); n != 1 {
			t.Error("nothing tells of the job that stays")
		}
		close(gate) // so that the bubble can end
	})
}

// A shutdown without Redis is bounded: idle under 5 s, and never more than grace + 3 s + 5 s.
func TestShutdownWithoutRedis(t *testing.T) {
	for name, f := range map[string]fault{
		"refused":   {kind: answerErr, err: queue.ErrUnavailable},
		"swallowed": {kind: hang},
	} {
		for _, c := range []struct {
			name    string
			handler Handler
			most    time.Duration
		}{
			{"idle", nil, 5 * time.Second},
			{"busy", lasting(10 * time.Second), 15 * time.Second},
			{"long", lasting(time.Hour), 33 * time.Second},
		} {
			t.Run(name+" "+c.name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s := newStore(t)
					r := start(s, 5, c.handler)
					if c.handler != nil {
						s.addMany(2, "j")
					}
					pass(5 * time.Second)
					s.goAway(f)
					s.sneak("unseen", 0)
					pass(4 * time.Second)
					begin := time.Now()
					if err := r.stop(); err != nil || time.Since(begin) > c.most {
						t.Errorf("it took %s: %v", time.Since(begin), err)
					}
					s.comeBack()
				})
			})
		}
	}
}

// Redis was never there: no registration, no goodbye.
func TestShutdownWithoutRegistration(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		s.goAway(fault{kind: hang})
		r := start(s, 5, nil)
		pass(30 * time.Second)
		begin := time.Now()
		if err := r.stop(); err != nil || time.Since(begin) > 1100*time.Millisecond || s.count("leave") != 0 {
			t.Errorf("it took %s and %d goodbyes: %v", time.Since(begin), s.count("leave"), err)
		}
	})
}

// The stop comes while the registration is on its way: what was registered says goodbye.
func TestShutdownDuringTheRegistration(t *testing.T) {
	for name, f := range map[string]fault{
		"reply slow":   {kind: replySlow, d: 400 * time.Millisecond},
		"request slow": {kind: requestSlow, d: 400 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStore(t)
				s.fail("new", f)
				r := start(s, 5, nil)
				pass(100 * time.Millisecond)
				if err := r.stop(); err != nil || len(s.registry) != 0 {
					t.Errorf("registered: %v; %v", s.registry, err)
				}
				lastIsLeave(t, s)
			})
		})
	}
}

// The stop comes before anything else.
func TestShutdownAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		s.addMany(3, "j")
		r := prepare(s, 5, nil)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := r.runner.run(ctx); err != nil {
			t.Error(err)
		}
		if n := len(r.diary.all()); n > 0 || len(s.due) != 3 || len(s.registry) != 0 {
			t.Errorf("%d runs, %d wait", n, len(s.due))
		}
	})
}

// Results that could not be settled yet when the stop came are settled before the goodbye.
func TestResultsAreSettledBeforeLeaving(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 5, lasting(time.Second))
		s.addMany(5, "j")
		pass(500 * time.Millisecond)
		e := fault{kind: requestLost, d: 50 * time.Millisecond}
		s.fail("settle", e, e, e)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if len(s.done) != 5 || len(r.diary.all()) != 5 {
			t.Errorf("%d done, runs %v", len(s.done), r.diary.all())
		}
		lastIsLeave(t, s)
	})
}

// A lease in doubt at the stop: nothing is started or released that may be somebody else's.
func TestReapedDuringTheGrace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 5, lasting(10*time.Second))
		s.addMany(2, "j")
		pass(time.Second)
		go func() { _ = r.stop() }()
		pass(time.Second)
		s.reap(r.id(), 100)
		pass(30 * time.Second)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if len(s.due) != 2 || len(s.released) != 0 || len(s.registry) != 0 {
			t.Errorf("%d wait, %d released, registered %v", len(s.due), len(s.released), s.registry)
		}
		for id, j := range s.jobs {
			if j.attempts != 1 {
				t.Errorf("%s: %d attempts", id, j.attempts)
			}
		}
	})
}
