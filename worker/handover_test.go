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

// A token that the stopping worker popped just before is handed on.
func TestTokenPoppedByAStoppingWorkerIsHandedOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		first := start(s, 5, lasting(10*time.Second))
		s.add("long", 0)
		pass(time.Second)
		second := start(s, 5, nil)
		pass(time.Second)
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
		first := start(s, 5, lasting(10*time.Second))
		s.add("long", 0)
		pass(time.Second)
		second := start(s, 5, nil)
		pass(time.Second)
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
