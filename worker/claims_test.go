package worker

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// A claim whose outcome is unknown: the own list is read, and what the claim took runs exactly once.
func TestClaimOfUnknownOutcomeRunsEachJobOnce(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name   string
		f      fault
		within time.Duration // all is done: by asking for the list, not by the next regular heartbeat
	}{
		{"reply lost", fault{kind: replyLost, d: 1000 * ms}, 1300 * ms},
		{"reply lost at once", fault{kind: replyLost}, 300 * ms},
		{"request lost", fault{kind: requestLost, d: 1000 * ms}, 1300 * ms},
		{"nothing ran", fault{kind: answerErr, err: queue.ErrUnavailable}, 300 * ms},
		{"request comes before the list is read", fault{kind: requestLate, d: 10 * ms}, 300 * ms},
		{"request comes after the list was read", fault{kind: requestLate, d: 60 * ms}, 400 * ms},
		{"request comes after the next heartbeat", fault{kind: requestLate, d: 2500 * ms}, 300 * ms},
		{"reply slow, but in time", fault{kind: replySlow, d: 900 * ms}, 1200 * ms},
		{"reply too slow", fault{kind: replySlow, d: 1100 * ms}, 1300 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStore(t)
				r := start(s, 5, lasting(50*ms))
				pass(2500 * ms)
				s.fail("claim", c.f)
				s.addMany(8, "j")
				pass(c.within)
				if n := len(look(s, func() []string { return s.done })); n != 8 {
					t.Errorf("%d done within %s", n, c.within)
				}
				pass(6 * time.Second)
				if _, overlaps := r.diary.atATime(); overlaps != 0 {
					t.Errorf("%d runs overlap", overlaps)
				}
				for i := range 8 {
					id := fmt.Sprintf("j%04d", i)
					if runs := r.diary.of(id); len(runs) != 1 || s.finished(id) != 1 || runs[0].attempt > 2 {
						t.Errorf("%s: runs %v, finished %d times", id, runs, s.finished(id))
					}
				}
				if n := look(s, func() int { return len(s.lost) }); n > 0 {
					t.Errorf("%d results lost", n)
				}
				if most, _ := r.diary.atATime(); most > 5 {
					t.Errorf("%d at a time", most)
				}
			})
		})
	}
}

// What went wrong long ago makes nothing slower.
func TestEachLostReplyIsMendedAsFastAsTheFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		start(s, 5, nil)
		pass(time.Second)
		for i := range 10 {
			s.fail("claim", fault{kind: replyLost})
			id := fmt.Sprint("j", i)
			s.add(id, 0)
			pass(150 * time.Millisecond)
			if s.finished(id) != 1 {
				t.Fatalf("%s is not done after 150 ms", id)
			}
			pass(3 * time.Second)
		}
	})
}

// A heartbeat that was on its way while an adopted job ran and was settled must not bring that job back.
func TestAdoptedJobIsNotTakenInAgainByAnOldList(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 5, nil)
		pass(3 * time.Second)
		s.fail("claim", fault{kind: replyLost})
		s.fail("held", fault{kind: requestSlow, d: 2500 * time.Millisecond})        // so that a heartbeat leaves before the answer
		s.fail("renew", fault{}, fault{kind: replySlow, d: 900 * time.Millisecond}) // its list is of before, its reply after
		s.add("a", 0, func(r *record) { r.MaxRetry = 3 })
		pass(10 * time.Second)
		if runs := r.diary.of("a"); len(runs) != 1 {
			t.Errorf("runs: %v", runs)
		}
	})
}

// Jobs that do not fit into free slots are given back, uncharged.
func TestAdoptedJobsThatDoNotFitAreReleased(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		gate := make(chan struct{})
		r := start(s, 3, until(gate, nil))
		s.addMany(2, "busy")
		pass(time.Second)
		r.put("0:more0", "0:more1", "0:more2") // a late claim, given up long ago
		pass(5 * time.Second)
		if most, _ := r.diary.atATime(); most != 3 {
			t.Errorf("%d handlers at a time in 3 slots", most)
		}
		if n := look(s, func() int { return len(s.released) }); n != 2 {
			t.Errorf("%d released", n)
		}
		for _, e := range r.diary.all() {
			if e.attempt != 1 {
				t.Errorf("%s ran as attempt %d", e.id, e.attempt)
			}
		}
		close(gate)
		pass(time.Second)
	})
}

// More unknown elements than one read takes: all are taken in, none waits for the next heartbeat.
func TestManyUnknownElementsAreAllTakenIn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 400, lasting(time.Second))
		pass(2500 * time.Millisecond)
		for i := range 350 {
			r.put(fmt.Sprintf("0:j%04d", i))
		}
		pass(2200*time.Millisecond + 10*time.Millisecond) // one heartbeat
		if n := len(r.diary.all()); n != 350 {
			t.Errorf("%d of 350 run after one heartbeat", n)
		}
		for _, call := range s.since("held", 0) {
			if call.n > queue.ClaimLimit {
				t.Errorf("asked for %d at once", call.n)
			}
		}
		pass(2 * time.Second)
	})
}

// A claim reply that arrives in doubt starts nothing; the jobs run after the next heartbeat.
func TestClaimReplyInDoubtStartsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 5, nil)
		pass(3 * time.Second)
		var doubt time.Time
		// The process stands still in the claim, like one under SIGSTOP: no heartbeat leaves it meanwhile.
		s.on("claim", func() {
			r.runner.mu.Lock()
			r.runner.memory.lastBeat = time.Now().Add(-8 * time.Second)
			r.runner.mu.Unlock()
			doubt = time.Now()
		})
		for range 3 {
			s.fail("renew", fault{kind: answerErr, err: queue.ErrUnavailable})
		}
		mark := s.mark()
		s.addMany(3, "j")
		pass(5 * time.Second)
		back := s.since("renew", mark)[3].at // the first one that is answered
		runs := r.diary.all()
		if len(runs) != 3 || doubt.IsZero() {
			t.Fatalf("runs: %v, doubt at %v", runs, doubt)
		}
		for _, e := range runs {
			if !e.at.After(doubt) || e.at.Before(back) || e.attempt != 1 {
				t.Errorf("%s started at %v as attempt %d; doubt since %v", e.id, e.at, e.attempt, doubt)
			}
		}
	})
}

// In doubt nothing is claimed and nothing settled, though Redis would take it; results wait for the next heartbeat.
func TestNothingIsSentInDoubt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 5, lasting(12*time.Second))
		s.add("a", 0)
		pass(time.Second)
		s.failAlways("renew", fault{kind: answerErr, err: queue.ErrUnavailable})
		pass(time.Until(r.lastBeat().Add(8 * time.Second)))
		mark := s.mark()
		s.add("b", 0)
		pass(10 * time.Second)
		if n := len(s.since("claim", mark)) + len(s.since("settle", mark)); n > 0 || s.finished("a") > 0 {
			t.Errorf("%d claims and settles in doubt", n)
		}
		s.failAlways("", fault{})
		pass(time.Second)
		if s.finished("a") != 1 || len(r.diary.of("a")) != 1 || len(r.diary.of("b")) != 1 {
			t.Errorf("after the next heartbeat: %v", r.diary.all())
		}
	})
}

// Nothing that was taken in starts in doubt either: the answer about it came too late.
func TestHeldReplyInDoubtStartsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 5, nil)
		pass(3 * time.Second)
		s.fail("claim", fault{kind: replyLost})
		s.on("held", func() {
			r.runner.mu.Lock()
			r.runner.memory.lastBeat = time.Now().Add(-time.Minute)
			r.runner.mu.Unlock()
		})
		mark := s.mark()
		s.add("a", 0)
		pass(3 * time.Second)
		helds := s.since("held", mark)
		if runs := r.diary.of("a"); len(runs) != 1 || len(helds) != 2 || runs[0].at.Before(helds[1].at) {
			t.Errorf("runs %v, own list taken in %v", runs, helds)
		}
	})
}

// The own list cannot be taken in: nothing is forgotten.
func TestHeldIsAskedAgainUntilAnswered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 5, func(context.Context, Job) error { return nil })
		pass(3 * time.Second)
		s.fail("claim", fault{kind: replyLost})
		e := fault{kind: answerErr, err: queue.ErrUnavailable}
		s.fail("held", e, e, e)
		s.addMany(3, "j")
		pass(5 * time.Second)
		if len(r.diary.all()) != 3 || len(look(s, func() []string { return s.done })) != 3 {
			t.Errorf("runs %v", r.diary.all())
		}
	})
}
