package worker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

func TestIdleResultIsSettledAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 10, nil)
		pass(time.Minute)
		mark := s.mark()
		s.add("a", 0)
		pass(0) // no time goes by
		if s.finished("a") != 1 || len(s.since("settle", mark)) != 1 {
			t.Errorf("settled %d times in %d calls", s.finished("a"), len(s.since("settle", mark)))
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestResultsOfOneRoundTripGoTogetherWithTheNext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		begin := time.Now()
		start(s, 20, func(ctx context.Context, job Job) error {
			if job.ID == "j0000" {
				return pause(ctx, 100*time.Millisecond)
			}
			return pause(ctx, 200*time.Millisecond)
		})
		s.addMany(20, "j")
		s.fail("settle", fault{kind: replySlow, d: 300 * time.Millisecond})
		pass(time.Second)
		settles := s.since("settle", 0)
		if len(settles) != 2 || settles[0].n != 1 || settles[1].n != 19 || settles[1].at.Sub(begin) != 400*time.Millisecond {
			t.Errorf("settles: %v", settles)
		}
	})
}

func TestNeverMoreHandlersThanSlots(t *testing.T) {
	for _, slots := range []int{1, 3, 100, 250} {
		t.Run(fmt.Sprint(slots), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStore(t)
				s.addMany(300, "j")
				r := start(s, slots, lasting(time.Second))
				if most, _ := r.diary.atATime(); most != slots {
					t.Errorf("%d at a time before a second passed, want all %d slots busy", most, slots)
				}
				pass(6 * time.Minute)
				most, overlaps := r.diary.atATime()
				if most != slots || overlaps != 0 || len(look(s, func() []string { return s.done })) != 300 {
					t.Errorf("%d at a time, %d overlaps, %d done", most, overlaps, len(s.done))
				}
			})
		})
	}
}

// A claim asks for what is free, and no more: there is no prefetch.
func TestClaimAsksForFreeSlotsOnly(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		gate := make(chan struct{})
		start(s, 5, until(gate, nil))
		s.addMany(3, "a")
		pass(0)
		mark := s.mark()
		s.addMany(4, "b")
		pass(0)
		for _, c := range s.since("claim", mark) {
			if c.n > 2 {
				t.Errorf("asked for %d with 2 slots free", c.n)
			}
		}
		if n := look(s, func() int { return len(s.due) }); n != 2 {
			t.Errorf("%d left scheduled, want 2", n)
		}
		close(gate)
		pass(0)
	})
}

func TestSettleIsRetriedUntilAnswered(t *testing.T) {
	for _, c := range []struct {
		name  string
		f     fault
		tries int // how many of three such faults are met at least
	}{
		{"lost", fault{kind: requestLost, d: 100 * time.Millisecond}, 3},
		{"reply lost", fault{kind: replyLost, d: 100 * time.Millisecond}, 1}, // the own list then tells that it was applied
		{"refused", fault{kind: answerErr, err: queue.ErrUnavailable}, 3},
		{"late", fault{kind: requestLate, d: 30 * time.Millisecond}, 1},
		{"hangs", fault{kind: hang}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStore(t)
				gate := make(chan struct{})
				r := start(s, 4, until(gate, nil))
				s.addMany(4, "j")
				pass(0)
				s.fail("settle", c.f, c.f, c.f)
				close(gate)
				pass(10 * time.Second)
				if done := look(s, func() int { return len(s.done) }); done != 4 || len(r.diary.all()) != 4 {
					t.Errorf("%d done, %d runs", done, len(r.diary.all()))
				}
				if n := 3 - look(s, func() int { return len(s.faults["settle"]) }); n < c.tries {
					t.Errorf("%d faults were met, want %d or more", n, c.tries)
				}
			})
		})
	}
}

// After a settle of unknown outcome nothing is claimed before the own list was read.
func TestSettleErrorKeepsResultsAndBlocksClaims(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		gate := make(chan struct{})
		start(s, 1, until(gate, nil))
		s.addMany(2, "j")
		pass(0)
		s.fail("settle", fault{kind: requestLost, d: 10 * time.Millisecond})
		s.fail("claim", fault{kind: requestLost, d: 10 * time.Millisecond}) // same pipeline
		s.fail("renew", fault{kind: answerErr, err: queue.ErrUnavailable}, fault{kind: answerErr, err: queue.ErrUnavailable})
		mark := s.mark()
		close(gate)
		pass(20 * time.Second)
		var order []string
		for _, call := range s.since("", mark) {
			switch call.op {
			case "settle", "claim", "renew", "held":
				order = append(order, call.op)
			}
		}
		want := []string{"settle", "claim", "renew", "renew", "renew", "settle", "claim"}
		if len(order) < len(want) || fmt.Sprint(order[:len(want)]) != fmt.Sprint(want) {
			t.Errorf("calls %v, want to begin with %v", order, want)
		}
		if n := look(s, func() int { return len(s.done) }); n != 2 {
			t.Errorf("%d done", n)
		}
	})
}

func TestCorruptRecordIsSettledAsCorruptAndTakesNoSlot(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		for i := range 5 {
			s.add(fmt.Sprintf("bad%d", i), 0, func(r *record) { r.corrupt = errors.New("record is not JSON") })
		}
		s.add("good", 0)
		r := start(s, 1, nil)
		pass(0)
		if n := look(s, func() int { return len(s.dead) }); n != 5 || s.finished("good") != 1 || len(r.diary.all()) != 1 {
			t.Errorf("%d dead, %d runs", n, len(r.diary.all()))
		}
		for _, call := range s.since("settle", 0) {
			for _, result := range call.what.([]queue.Result) {
				if _, id := splitTest(result.Element); id != "good" &&
					(result.Outcome != queue.OutcomeCorrupt || result.Failure == nil || result.Failure.Error == "") {
					t.Errorf("%s settled as %+v", id, result)
				}
			}
		}
	})
}

// More results than one call takes go in several.
func TestManyResultsGoInSeveralCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		gate := make(chan struct{})
		start(s, 250, until(gate, nil))
		s.addMany(250, "j")
		pass(0)
		s.fail("settle", fault{kind: replySlow, d: 100 * time.Millisecond}) // meanwhile all finish
		close(gate)
		pass(time.Second)
		for _, call := range s.since("settle", 0) {
			if call.n > queue.ClaimLimit {
				t.Errorf("%d results in one call", call.n)
			}
		}
		if n := look(s, func() int { return len(s.done) }); n != 250 {
			t.Errorf("%d done", n)
		}
	})
}
