package worker

import (
	"fmt"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// The armed timer fires at the due time: not before, and less than the resolution of Redis' clock after it.
func TestTimerFiresAtTheDueTime(t *testing.T) {
	for _, d := range []time.Duration{time.Millisecond, 20 * time.Millisecond, 777 * time.Millisecond, 5 * time.Second, 3 * time.Hour} {
		t.Run(d.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStore(t)
				r := start(s, 5, nil)
				pass(1234567 * time.Microsecond)
				s.add("a", d)
				due := look(s, func() time.Time { return s.due["a"].Add(-skew) })
				pass(time.Until(due) - time.Nanosecond)
				mark := s.mark()
				if n := len(r.diary.all()); n != 0 {
					t.Fatal("it ran before its due time")
				}
				pass(time.Millisecond)
				runs := r.diary.all()
				if len(runs) != 1 || runs[0].at.Before(due) || runs[0].at.Sub(due) > time.Millisecond {
					t.Errorf("due %v, runs %v", due, runs)
				}
				if claims := s.since("claim", mark); len(claims) > 2 { // the one at the due time, and the one with the result
					t.Errorf("claims around the due time: %v", claims)
				}
			})
		})
	}
}

// One due instant costs one claim, not one per worker; an earlier job takes the timer over.
func TestTenIdleWorkersOneDueJob(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		s.add("late", 11*time.Second) // all ten see it when they start
		var rigs []*rig
		for range 10 {
			rigs = append(rigs, start(s, 5, nil))
		}
		pass(2 * time.Second)
		mark := s.mark()
		s.add("early", 3*time.Second)
		early := time.Now().Add(3 * time.Second)
		pass(20 * time.Second)
		if n := len(s.since("claim", mark)); n > 8 {
			t.Errorf("%d claims for two jobs", n)
		}
		runs := 0
		for _, r := range rigs {
			for _, e := range r.diary.all() {
				runs++
				due := early
				if e.id == "late" {
					due = early.Add(6 * time.Second)
				}
				if late := e.at.Sub(due); late < -time.Millisecond || late > time.Millisecond {
					t.Errorf("%s ran %s after its due time", e.id, late)
				}
			}
		}
		if runs != 2 {
			t.Errorf("%d runs", runs)
		}
	})
}

// A token that comes while a claim is under way is not forgotten when the claim is answered.
func TestTokenDuringAClaimIsNotForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 5, lasting(time.Minute)) // so that no result brings a claim along
		pass(2500 * time.Millisecond)
		s.fail("claim", fault{kind: replySlow, d: 200 * time.Millisecond}) // it has looked, and not answered yet
		s.add("a", 0)
		pass(100 * time.Millisecond)
		s.add("b", 0) // the token of this one comes meanwhile
		b := time.Now()
		pass(150 * time.Millisecond)
		if runs := r.diary.of("b"); len(runs) != 1 || runs[0].at.Sub(b) > 100*time.Millisecond {
			t.Errorf("runs of b: %v, enqueued at %v", runs, b)
		}
	})
}

// A token that reaches a full worker is passed on, once, and does not come back to it while it is full.
func TestTokenToAFullWorkerIsPassedOnOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		gate := make(chan struct{})
		full := start(s, 1, until(gate, nil))
		pass(2500 * time.Millisecond)
		// Its pop is outstanding when it fills up: the claim comes from the fallback and not from a token.
		s.sneak("a", -time.Second)
		pass(2200 * time.Millisecond)
		if len(full.diary.all()) != 1 {
			t.Fatal("not full")
		}
		other := start(s, 5, nil)
		pass(100 * time.Millisecond)
		mark := s.mark()
		s.add("b", 0)
		pass(0)
		if len(other.diary.of("b")) != 1 {
			t.Error("nobody runs b at once")
		}
		if n := len(s.since("passon", mark)); n != 1 {
			t.Errorf("passed on %d times", n)
		}
		close(gate)
		pass(time.Second)
	})
}

// A worker that was full waits for the token again as soon as it is free, also after it had to pass one on.
func TestFreedWorkerIsWokenAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 1, lasting(100*time.Millisecond))
		pass(2250 * time.Millisecond) // the next regular heartbeat is far
		for i := range 4 {
			id := fmt.Sprint("j", i)
			s.add(id, 0)
			pass(0)
			if len(r.diary.of(id)) != 1 {
				t.Fatalf("%s does not run at once", id)
			}
			s.add(id+" while full", 0)
			pass(300 * time.Millisecond)
		}
	})
}

// The claim that would have armed the timer is lost: the next one arms it, and the job starts on time.
func TestTimerIsArmedInSpiteOfALostClaim(t *testing.T) {
	for _, f := range []fault{{kind: requestLost, d: 100 * time.Millisecond}, {kind: replyLost}, {kind: answerErr, err: queue.ErrUnavailable}} {
		bubble(t, func(t *testing.T) {
			s := newStore(t)
			r := start(s, 5, nil)
			pass(2500 * time.Millisecond)
			s.fail("claim", f)
			s.add("a", time.Second)
			due := time.Now().Add(time.Second)
			pass(1100 * time.Millisecond)
			if runs := r.diary.of("a"); len(runs) != 1 || runs[0].at.Before(due) || runs[0].at.Sub(due) > time.Millisecond {
				t.Errorf("%+v: due %v, runs %v", f, due, runs)
			}
		})
	}
}

// A backlog fills the slots without any token, also where one claim cannot take so many.
func TestBacklogFillsTheSlotsWithoutATokenOrTimer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		s.failAlways("wait", fault{kind: answerErr, err: queue.ErrUnavailable})
		s.addMany(300, "j")
		gate := make(chan struct{})
		r := start(s, 250, until(gate, nil))
		if most, _ := r.diary.atATime(); most != 250 {
			t.Errorf("%d of 250 slots are busy", most)
		}
		close(gate)
		pass(time.Second)
	})
}

// Two full workers with a backlog do not play ping-pong with the token.
func TestNoPingPongBetweenFullWorkers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		gate := make(chan struct{})
		for range 2 {
			start(s, 1, until(gate, nil))
		}
		s.addMany(4, "j")
		pass(3 * time.Second)
		mark := s.mark()
		for i := range 20 {
			s.add(fmt.Sprintf("head%d", i), -time.Duration(i)*time.Second) // each a new head, each pushes a token
			pass(time.Second)
		}
		if n := len(s.since("passon", mark)); n > 2 { // one for each pop that was outstanding
			t.Errorf("passed on %d times", n)
		}
		close(gate)
		pass(time.Second)
		if n := len(look(s, func() []string { return s.done })); n != 24 {
			t.Errorf("%d done", n)
		}
	})
}

// The fallback: nobody tells, and an idle worker finds the job within one interval by its heartbeat.
func TestFallbackFindsALateJobWithinOneInterval(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 5, nil)
		for i := range 20 {
			pass(3210 * time.Millisecond)
			id := fmt.Sprint(i)
			s.sneak(id, 0)
			begin := time.Now()
			pass(2200*time.Millisecond + overdueFor)
			if runs := r.diary.of(id); len(runs) != 1 || runs[0].at.Sub(begin) > 2220*time.Millisecond {
				t.Fatalf("job %d: %v, enqueued at %v", i, runs, begin)
			}
		}
	})
}

// Under load every claim that fills the slots leaves a token for others. The busy worker must not pop it itself again and
// again: it claims with its next result anyway. When the load is gone it listens again.
func TestBusyWorkerLeavesTheTokenToOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		s.addMany(100, "j")
		r := start(s, 2, lasting(10*time.Millisecond))
		pass(400 * time.Millisecond)
		if claims, pops := len(s.since("claim", 0)), len(s.since("wait", 0)); claims < 30 || pops > 2 {
			t.Errorf("%d claims and %d pops under load", claims, pops)
		}
		if !look(s, func() bool { return s.token }) {
			t.Error("nobody else is told that jobs wait")
		}
		pass(time.Second)
		s.add("late", 0)
		begin := time.Now()
		pass(100 * time.Millisecond)
		if runs := r.diary.of("late"); len(runs) != 1 || !runs[0].at.Equal(begin) {
			t.Errorf("enqueued at %v, ran %v", begin, runs)
		}
	})
}
