package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/punctualq/punctual/queue"
)

// fakeObserver is the queues as a Reaper sees them.
type fakeObserver struct {
	mu       sync.Mutex
	queues   []string
	err      error            // of Queues and of every Observe
	unfit    map[string]error // by queue
	overdue  map[string]string
	left     map[string]int // on the list of the overdue worker
	observed map[string][]time.Time
	reaps    []string
}

func (f *fakeObserver) Queues(context.Context) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.queues, f.err
}

func (f *fakeObserver) Observe(_ context.Context, name string, t queue.Timing) (queue.Pulse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.observed[name] = append(f.observed[name], time.Now())
	if t != (queue.Timing{Interval: 2 * time.Second, TTL: 10 * time.Second}) {
		return queue.Pulse{}, fmt.Errorf("timing %+v", t)
	}
	if f.err != nil {
		return queue.Pulse{}, f.err
	}
	return queue.Pulse{Overdue: f.overdue[name]}, f.unfit[name]
}

func (f *fakeObserver) Reap(_ context.Context, name, victim string) (queue.Reaped, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reaps = append(f.reaps, name+"/"+victim)
	if f.overdue[name] != victim {
		return queue.Reaped{Verdict: "gone"}, nil
	}
	n := min(100, f.left[name])
	f.left[name] -= n
	if f.left[name] == 0 {
		delete(f.overdue, name)
	}
	return queue.Reaped{Verdict: "reaped", Rescheduled: n, Left: f.left[name]}, nil
}

func (f *fakeObserver) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// reaping runs a Reaper over f in a bubble.
func reaping(t *testing.T, f *fakeObserver, test func(logs *logbook)) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		f.observed = map[string][]time.Time{}
		logs := &logbook{}
		p := NewReaper(nil, queue.Timing{}, zerolog.New(logs))
		p.queue = f
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		test(logs)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestReaperObservesEveryQueueEachInterval(t *testing.T) {
	f := &fakeObserver{queues: []string{"a", "b"}}
	reaping(t, f, func(*logbook) {
		pass(time.Minute)
		f.change(func() { f.queues = []string{"a", "b", "c"} }) // one becomes known
		pass(time.Minute)
	})
	for name, most := range map[string]int{"a": 67, "b": 67, "c": 34} {
		times := f.observed[name]
		if len(times) < most*4/5 || len(times) > most {
			t.Errorf("%s was observed %d times", name, len(times))
		}
		for i := range times[1:] {
			if d := times[i+1].Sub(times[i]); d < 1800*time.Millisecond || d > 2200*time.Millisecond {
				t.Errorf("%s between two observations of %s", d, name)
			}
		}
	}
}

func TestReaperReapsUntilNothingIsLeft(t *testing.T) {
	f := &fakeObserver{queues: []string{"a", "b"}, overdue: map[string]string{"b": "dead:1:x"}, left: map[string]int{"b": 250}}
	reaping(t, f, func(logs *logbook) {
		pass(time.Second) // at the first tick
		if strings.Join(f.reaps, " ") != "b/dead:1:x b/dead:1:x b/dead:1:x" || f.left["b"] != 0 {
			t.Errorf("reaps %v, left %v", f.reaps, f.left)
		}
		if lines := logs.find("took back"); len(lines) != 3 || lines[0].fields["queue"] != "b" || lines[0].fields["dead_worker"] != "dead:1:x" {
			t.Errorf("log %v", lines)
		}
		pass(time.Minute)
	})
	if len(f.reaps) != 3 {
		t.Errorf("%d reaps", len(f.reaps))
	}
}

// A queue of other timing or newer layout is left alone and told of once, also if Redis is away now and then; the others
// are looked after all the same.
func TestReaperTellsOnceOfAQueueItIsUnfitFor(t *testing.T) {
	for _, why := range []error{queue.ErrTiming, queue.ErrLayout} {
		f := &fakeObserver{queues: []string{"a", "b"}, unfit: map[string]error{"a": fmt.Errorf("wrapped: %w", why)},
			overdue: map[string]string{"a": "dead:1:x", "b": "dead:2:y"}, left: map[string]int{"a": 1, "b": 1}}
		reaping(t, f, func(logs *logbook) {
			for range 5 {
				pass(10 * time.Second)
				f.change(func() { f.err = queue.ErrUnavailable })
				pass(10 * time.Second)
				f.change(func() { f.err = nil })
			}
			pass(10 * time.Second)
			if lines := logs.find("cannot take back"); len(lines) != 1 || lines[0].fields["queue"] != "a" {
				t.Errorf("log %v", lines)
			}
			if strings.Contains(strings.Join(f.reaps, " "), "a/") {
				t.Errorf("reaps %v", f.reaps)
			}
			f.change(func() { f.unfit = nil }) // the others of that timing have left
			pass(10 * time.Second)
			f.change(func() { f.unfit = map[string]error{"a": why} })
			pass(10 * time.Second)
			if n := len(logs.find("cannot take back")); n != 2 {
				t.Errorf("told %d times of two occasions", n)
			}
		})
		if f.left["b"] != 0 || f.left["a"] != 0 {
			t.Errorf("left %v", f.left)
		}
	}
}

func TestReaperGoesOnWhileRedisIsAway(t *testing.T) {
	f := &fakeObserver{queues: []string{"a"}, err: errors.New("away"), overdue: map[string]string{"a": "dead:1:x"}, left: map[string]int{"a": 1}}
	reaping(t, f, func(*logbook) {
		pass(10 * time.Minute)
		if n := len(f.observed["a"]); n > 340 || len(f.reaps) != 0 {
			t.Errorf("%d observations, reaps %v", n, f.reaps)
		}
		f.change(func() { f.err = nil })
		pass(2200 * time.Millisecond)
	})
	if f.left["a"] != 0 {
		t.Error("not taken back after its return")
	}
}

// The heartbeat of a worker takes back the jobs of an overdue one, without missing its own beat.
func TestWorkerReapsTheDead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 5, nil)
		pass(time.Second)
		s.mu.Lock()
		s.registry["dead:1:x"] = s.now().Add(-time.Minute)
		for i := range 250 {
			id := fmt.Sprint("j", i)
			s.jobs[id] = &record{Job: queue.Job{ID: id, Type: "test"}, attempts: 1}
			s.lists["dead:1:x"] = append(s.lists["dead:1:x"], "1:"+id)
		}
		s.overdue = []string{"dead:1:x"}
		s.mu.Unlock()
		pass(4 * time.Second)
		if n := len(look(s, func() []string { return s.done })); n != 250 || s.count("reap") != 3 {
			t.Errorf("%d done, %d reaps", n, s.count("reap"))
		}
		s.fail("reap", fault{kind: hang}, fault{kind: hang}, fault{kind: hang})
		s.mu.Lock()
		s.overdue = []string{"dead:1:x", "dead:1:x", "dead:1:x"}
		s.mu.Unlock()
		for range 20 {
			pass(time.Second)
			if d := time.Since(r.lastBeat()); d > 4500*time.Millisecond {
				t.Fatalf("the last heartbeat was %s ago", d)
			}
		}
	})
}

// crowd is a queue with many dead workers, named one at a time.
type crowd struct {
	fakeObserver
	dead []string
}

func (c *crowd) Observe(context.Context, string, queue.Timing) (queue.Pulse, error) {
	if len(c.dead) == 0 {
		return queue.Pulse{}, nil
	}
	return queue.Pulse{Overdue: c.dead[0]}, nil
}

func (c *crowd) Reap(_ context.Context, _, victim string) (queue.Reaped, error) {
	c.dead = c.dead[1:]
	return queue.Reaped{Verdict: "reaped", Rescheduled: 1}, nil
}

// Many workers die at once, with their machine: one tick takes back the jobs of all.
func TestReaperTakesAllTheDeadInOneTick(t *testing.T) {
	c := &crowd{dead: []string{"w1", "w2", "w3", "w4", "w5"}}
	p := &Reaper{queue: c, timing: timing(queue.Timing{}), log: zerolog.Nop()}
	if err := p.tick(t.Context(), "q"); err != nil || len(c.dead) > 0 {
		t.Errorf("error %v, %v are left to the next tick", err, c.dead)
	}
}
