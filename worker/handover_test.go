package worker

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// A timekeeper that shuts down does not take the wake-up with it: neither the token of its goodbye, nor what falls due
// while its handlers finish.
func TestStoppingWorkerLeavesWakingToOthers(t *testing.T) {
	for _, busy := range []bool{false, true} {
		t.Run(fmt.Sprint("busy ", busy), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStore(t)
				first := start(s, 5, func(ctx context.Context, job Job) error {
					if job.ID == "long" {
						return pause(ctx, 10*time.Second)
					}
					return nil
				})
				if busy {
					s.add("long", 0)
				}
				pass(100 * time.Millisecond)
				s.add("timed", 4*time.Second) // first keeps time for it
				due := time.Now().Add(4 * time.Second)
				pass(100 * time.Millisecond)
				second := start(s, 5, nil)
				pass(time.Second)
				go func() { _ = first.stop() }()
				pass(time.Second)
				s.add("now", 0)
				begin := time.Now()
				pass(15 * time.Second)
				for id, at := range map[string]time.Time{"timed": due, "now": begin} {
					if runs := second.diary.of(id); len(runs) != 1 || runs[0].at.Sub(at) > time.Millisecond {
						t.Errorf("%s, due at %v: %v", id, at, runs)
					}
				}
			})
		})
	}
}

// busyAndIdle starts a worker that runs a job for 10 s, and one that has nothing to do.
func busyAndIdle(s *store) (busy, idle *rig) {
	busy = start(s, 5, lasting(10*time.Second))
	s.add("long", 0)
	pass(time.Second)
	idle = start(s, 5, nil)
	pass(time.Second)
	return busy, idle
}

// A token that the stopping worker popped just before is handed on.
func TestTokenPoppedByAStoppingWorkerIsHandedOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		first, second := busyAndIdle(s)
		s.fail("claim", fault{kind: requestLost, d: 500 * time.Millisecond}) // of first: it has the token and gets nothing
		s.add("a", 0)
		begin := time.Now()
		pass(100 * time.Millisecond)
		go func() { _ = first.stop() }()
		pass(time.Second)
		if runs := second.diary.of("a"); len(runs) != 1 || runs[0].at.Sub(begin) > 600*time.Millisecond {
			t.Errorf("runs %v, enqueued at %v", runs, begin)
		}
		pass(20 * time.Second)
	})
}

// The token is on its way to the stopping worker when it closes its pop: nobody sees it, and another is told all the same.
func TestTokenLostWithThePopIsReplaced(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		first, second := busyAndIdle(s)
		s.fail("pop", fault{kind: replyLost})
		s.add("a", 0)
		pass(0)
		if len(first.diary.of("a"))+len(second.diary.of("a")) != 0 {
			t.Fatal("the token was not lost")
		}
		begin := time.Now()
		go func() { _ = first.stop() }()
		pass(0)
		if runs := second.diary.of("a"); len(runs) != 1 || !runs[0].at.Equal(begin) {
			t.Errorf("runs %v, stop at %v", runs, begin)
		}
		pass(20 * time.Second)
	})
}

// The goodbye of a timekeeper pushes a token. Its own pop, though it waits the longest, must not be the one to get it.
func TestGoodbyeTokenReachesAnother(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		s.add("long", 0)
		first := start(s, 5, lasting(2*time.Second))
		second := start(s, 5, nil)
		s.add("later", time.Hour) // its token goes to first, which has waited the longest
		pass(0)
		s.add("sooner", time.Minute) // this one goes to second
		pass(0)
		s.add("timed", 5*time.Second) // and this one to first again: it keeps time now
		due := time.Now().Add(5 * time.Second)
		pass(time.Second)
		if keeper := look(s, func() string { return s.keeper.id }); keeper != first.id() {
			t.Fatalf("%s keeps time", keeper)
		}
		if err := first.stop(); err != nil { // what it hands on at once goes to second, what its goodbye pushes a second later too
			t.Error(err)
		}
		pass(time.Until(due) + 3*time.Second)
		if runs := second.diary.of("timed"); len(runs) != 1 || runs[0].at.Sub(due) > time.Millisecond {
			t.Errorf("due %v, runs %v", due, runs)
		}
	})
}
