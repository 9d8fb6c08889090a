package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// TestSoak runs two workers through minutes of random faults: calls that are lost before or after their effect, that come
// late, are answered late or not at all, and outages of Redis; in half of the rounds also workers that are reaped though they
// live. Whatever happens, every job ends, in one place, and no attempt is charged without a run or run without a charge.
func TestSoak(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) { soak(t, seed, seed%2 == 1) })
		})
	}
}

const soakJobs = 60

func soak(t *testing.T, seed uint64, reaping bool) {
	s := newStore(t)
	dice := &dice{r: rand.New(rand.NewPCG(seed, 7))}
	shared := &diary{}
	var rigs []*rig
	for range 2 {
		r := prepare(s, 4, dice.handler, func(c *Config) { c.RetryCap = 2 * time.Second })
		r.diary = shared
		r.run()
		rigs = append(rigs, r)
	}
	for i := range soakJobs {
		dice.fault(s)
		s.add(fmt.Sprintf("j%02d", i), dice.upTo(3*time.Second), func(r *record) { r.MaxRetry = 1000 })
		pass(dice.upTo(500 * time.Millisecond))
		switch n := dice.n(20); {
		case n == 0:
			s.goAway([]fault{{kind: answerErr, err: queue.ErrUnavailable}, {kind: hang}, {kind: hangTillBack}}[dice.n(3)])
			pass(dice.upTo(20 * time.Second))
			s.comeBack()
		case n == 1 && reaping:
			r := rigs[dice.n(2)]
			s.reap(r.id(), 1+dice.n(3))
			s.reapLater(r.id(), dice.upTo(5*time.Second))
		}
	}
	s.mu.Lock()
	s.faults = map[string][]fault{}
	s.mu.Unlock()
	pass(3 * time.Minute)
	if n := len(look(s, func() []string { return s.done })); n != soakJobs {
		t.Errorf("%d of %d jobs are done", n, soakJobs)
	}
	for _, r := range rigs {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if n := r.runner.expected(); n != 0 {
			t.Errorf("memory still holds %d jobs", n)
		}
	}
	if most, overlaps := shared.atATime(); most > 8 || overlaps > 0 && !reaping {
		t.Errorf("%d handlers at a time, %d jobs in two at once", most, overlaps)
	}
	checkAttempts(t, shared, reaping)
}

// checkAttempts: the runs of a job are its attempts 1, 2, 3 … A reaped claim that was not run may be charged.
func checkAttempts(t *testing.T, d *diary, reaping bool) {
	t.Helper()
	for i := range soakJobs {
		last := 0
		for _, e := range d.of(fmt.Sprintf("j%02d", i)) {
			if e.attempt != last+1 && (!reaping || e.attempt <= last) {
				t.Errorf("%s ran as attempt %d after %d", e.id, e.attempt, last)
			}
			last = e.attempt
		}
	}
}

// reapLater takes the rest back, for as long as the worker is marked.
func (s *store) reapLater(worker string, d time.Duration) {
	time.AfterFunc(d, func() {
		for look(s, func() bool { return s.reaping[worker] }) {
			s.reap(worker, 100)
		}
	})
}

// dice is random numbers for several goroutines.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

func (d *dice) n(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

func (d *dice) upTo(most time.Duration) time.Duration { return time.Duration(d.n(int(most))) }

// handler takes up to 3 s, fails one time in four, and panics one time in ten.
func (d *dice) handler(ctx context.Context, _ Job) error {
	if err := pause(ctx, d.upTo(3*time.Second)); err != nil {
		return err
	}
	switch d.n(20) {
	case 0, 1, 2, 3, 4:
		return RetryAfter(d.upTo(2*time.Second), errors.New("no luck"))
	case 5, 6:
		panic("bad luck")
	}
	return nil
}

// fault makes something go wrong with a few of the next calls.
func (d *dice) fault(s *store) {
	kinds := []faultKind{0, 0, answerErr, requestLost, replyLost, requestLate, requestSlow, replySlow, hang}
	for _, op := range []string{"settle", "claim", "held", "renew", "new", "passon", "wait"} {
		if d.n(3) == 0 {
			s.fail(op, fault{kind: kinds[d.n(len(kinds))], d: d.upTo(2 * time.Second), err: queue.ErrUnavailable})
		}
	}
}
