package worker

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// causes notes why handlers' contexts ended.
type causes struct {
	mu  sync.Mutex
	all map[string]error
}

// note returns a handler that runs until gate is closed or its context ends, and then returns err.
func (c *causes) note(gate <-chan struct{}, err error) Handler {
	return func(ctx context.Context, job Job) error {
		select {
		case <-ctx.Done():
		case <-gate:
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.all == nil {
			c.all = map[string]error{}
		}
		c.all[job.ID] = context.Cause(ctx)
		return err
	}
}

func (c *causes) of(id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all[id]
}

// A worker that was reaped takes an id that was never used, tells its handlers, has their results answered "lost", and
// works on. It learns of it from whatever it sends next: a heartbeat or a claim.
func TestFenced(t *testing.T) {
	for _, by := range []string{"heartbeat", "claim", "partial reap"} {
		t.Run(by, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStore(t)
				var why causes
				gate := make(chan struct{})
				r := start(s, 3, func(ctx context.Context, job Job) error {
					if job.Attempt == 1 && job.ID != "after" {
						return why.note(gate, nil)(ctx, job)
					}
					return nil
				})
				s.addMany(2, "j")
				pass(500 * time.Millisecond)
				was := r.id()
				n := 100
				if by == "partial reap" {
					n = 1
				}
				s.reap(was, n)
				if by == "claim" { // heartbeats are answered too late to tell
					s.fail("renew", fault{kind: requestSlow, d: 900 * time.Millisecond}, fault{kind: requestSlow, d: 900 * time.Millisecond})
				}
				pass(300 * time.Millisecond)
				if by == "claim" {
					s.add("after", 0)
					pass(0)
				} else {
					pass(2200 * time.Millisecond)
				}
				now := r.id()
				if now == was {
					t.Fatal("it goes on under the id that was reaped")
				}
				for _, id := range []string{"j0000", "j0001"} {
					if !errors.Is(why.of(id), ErrLost) {
						t.Errorf("cause of %s: %v", id, why.of(id))
					}
				}
				s.reap(was, 100)
				pass(5 * time.Second)
				if lost := look(s, func() int { return len(s.lost) }); lost != 2 || len(r.logs.find("came too late")) != 2 {
					t.Errorf("%d results lost, %d told", lost, len(r.logs.find("came too late")))
				}
				if s.finished("j0000") != 1 || s.finished("j0001") != 1 || len(r.diary.of("j0000")) != 2 {
					t.Errorf("runs: %v", r.diary.all())
				}
				for _, e := range r.diary.all() {
					if e.attempt == 2 && e.worker != now {
						t.Errorf("%s ran again under %s, the id is %s", e.id, e.worker, now)
					}
				}
				if len(r.logs.find("was reaped")) != 1 || s.count("new") != 2 {
					t.Errorf("registered %d times", s.count("new"))
				}
			})
		})
	}
}

// A claim that was answered after a heartbeat had told of the reaping is not the new worker's.
func TestClaimOfTheOldIDStartsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 3, nil)
		pass(1500 * time.Millisecond)
		s.fail("claim", fault{kind: replySlow, d: 950 * time.Millisecond})
		s.add("a", 0)
		pass(0) // the claim has run, its reply is on the way
		was := r.id()
		s.reap(was, 100)
		pass(800 * time.Millisecond)
		if r.id() == was {
			t.Fatal("no heartbeat has told")
		}
		if n := len(r.diary.of("a")); n != 0 {
			t.Error("it ran while the claim was under way")
		}
		pass(5 * time.Second)
		if runs := r.diary.of("a"); len(runs) != 1 || runs[0].attempt != 2 || runs[0].worker != r.id() {
			t.Errorf("runs: %v", runs)
		}
	})
}

// A heartbeat of the old id that is answered late says nothing of the new one: that is registered before it claims.
func TestHeartbeatOfTheOldIDRegistersNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 3, nil)
		s.fail("renew", fault{kind: replySlow, d: 900 * time.Millisecond})
		for s.count("renew") == 0 {
			pass(100 * time.Millisecond)
		}
		was := r.id()
		s.reap(was, 100)
		s.add("a", 0) // whose claim is fenced
		pass(0)
		if r.id() == was {
			t.Fatal("no claim has told")
		}
		pass(3 * time.Second) // the store complains of an id that claims unregistered
		if runs := r.diary.of("a"); len(runs) != 1 || runs[0].worker != r.id() || s.count("new") != 2 {
			t.Errorf("registered %d times, runs %v", s.count("new"), runs)
		}
	})
}

// The same for what was found on the own list: the answer about it comes when the list is not its own any more.
func TestHeldOfTheOldIDStartsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 3, nil)
		pass(1500 * time.Millisecond)
		s.fail("claim", fault{kind: replyLost})
		s.fail("held", fault{kind: requestSlow, d: 900 * time.Millisecond})
		s.add("a", 0)
		pass(200 * time.Millisecond)
		was := r.id()
		s.reap(was, 100)
		poke(r.runner.beat)
		pass(500 * time.Millisecond)
		if r.id() == was || s.count("held") != 1 || s.count("claim") != 2 {
			t.Fatal("no heartbeat has told")
		}
		pass(5 * time.Second)
		if runs := r.diary.of("a"); len(runs) != 1 || runs[0].attempt != 2 || runs[0].worker != r.id() {
			t.Errorf("runs: %v", runs)
		}
	})
}

// Jobs that are gone from the list of a worker that is still registered (a failover lost them, say) are lost one by one.
func TestGoneFromTheListIsLostAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		var why causes
		gate := make(chan struct{})
		r := start(s, 3, why.note(gate, nil))
		s.addMany(2, "j")
		pass(500 * time.Millisecond)
		was := r.id()
		s.mu.Lock()
		s.lists[was] = s.lists[was][1:] // j0000 is somewhere else now
		s.dead = append(s.dead, "j0000")
		s.mu.Unlock()
		pass(2200 * time.Millisecond)
		if !errors.Is(why.of("j0000"), ErrLost) || r.id() != was {
			t.Errorf("cause %v", why.of("j0000"))
		}
		close(gate)
		pass(time.Second)
		if why.of("j0001") != nil || s.finished("j0001") != 1 || s.finished("j0000") != 0 {
			t.Errorf("cause of the other %v", why.of("j0001"))
		}
	})
}
