package worker

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

const (
	goesOn   = "goes on though its context has ended"
	returned = "has returned at last"
)

// deaf returns a handler that ignores its context until gate is closed.
func deaf(gate <-chan struct{}) Handler {
	return func(context.Context, Job) error { <-gate; return nil }
}

// within gives a job a timeout of its own.
func within(d time.Duration) func(*record) { return func(r *record) { r.Timeout = d } }

// told returns how many stuck handlers the last heartbeat told of.
func (r *rig) told() int {
	id := r.id()
	return look(r.store, func() int { return r.infos[id].Stuck })
}

// A handler that ignores its timeout is told of 10 s later: once in the log, in every heartbeat, and in the figures. Its
// slot stays taken. When it returns at last, that is told as well, and its result counts.
func TestStuckAfterTheTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		gate := make(chan struct{})
		r := start(s, 2, deaf(gate))
		s.add("a", 0, within(5*time.Second))
		pass(14 * time.Second)
		if n := len(r.logs.find(goesOn)); n != 0 || r.told() != 0 {
			t.Fatalf("told %d times before the 10 s were over", n)
		}
		pass(4 * time.Second)
		lines := r.logs.find(goesOn)
		if len(lines) != 1 || r.told() != 1 || r.runner.stats() != (Stats{"q", 2, 1, 1}) {
			t.Fatalf("%d lines, %d in the heartbeat, figures %+v", len(lines), r.told(), r.runner.stats())
		}
		f := lines[0].fields
		ran, _ := f["ran_ms"].(float64)
		ended, _ := f["ended_ms_ago"].(float64)
		if lines[0].level != "warn" || f["job"] != "a" || f["type"] != "test" || f["worker"] != r.id() || f["attempt"] != 1.0 ||
			f["cause"] != "job timeout" || math.Abs(ran-ended-5000) > 1e-6 || ended < 10_000 || ended > 13_000 {
			t.Errorf("line %v", f)
		}
		s.addMany(4, "next") // the other slot goes on, and is alone
		s.add("last", 0, within(time.Hour))
		pass(time.Hour)
		if n := len(r.logs.find(goesOn)); n != 1 {
			t.Errorf("told %d times in an hour", n)
		}
		close(gate)
		pass(3 * time.Second)
		back := r.logs.find(returned)
		if len(back) != 1 || back[0].fields["job"] != "a" || r.told() != 0 || r.runner.stats() != (Stats{"q", 2, 0, 0}) {
			t.Errorf("%d lines, %d in the heartbeat, figures %+v", len(back), r.told(), r.runner.stats())
		}
		if most, _ := r.diary.atATime(); most != 2 || s.finished("a") != 1 || len(s.done) != 6 || len(r.logs.find(goesOn)) != 1 {
			t.Errorf("%d at a time, done %v", most, s.done)
		}
	})
}

// A handler that needs a while to come to its end, one that has no reason to, and one that has returned while its result cannot
// be settled are not told of.
func TestNotStuck(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 5, func(ctx context.Context, job Job) error {
			if job.ID == "long" {
				return pause(context.Background(), 20*time.Minute)
			}
			<-ctx.Done()
			return pause(context.Background(), 9900*time.Millisecond)
		})
		s.add("long", 0)
		s.add("slow", 0, within(time.Second))
		pass(time.Hour)
		s.add("unsettled", 0, within(time.Second))
		pass(time.Second)
		s.goAway(fault{kind: answerErr, err: queue.ErrUnavailable})
		pass(time.Hour)
		s.comeBack()
		pass(time.Minute)
		if n := len(r.logs.find(goesOn)) + len(r.logs.find(returned)); n != 0 || s.finished("unsettled") != 1 || s.finished("slow") != 1 || s.finished("long") != 1 {
			t.Errorf("%d lines, done %v", n, s.done)
		}
	})
}

// Whatever ended the context, the line says it. The first cause counts. The slot of a lost job stays taken under the new id.
func TestStuckForEachCause(t *testing.T) {
	for cause, end := range map[error]func(r *rig){
		ErrLost: func(r *rig) { r.reap(r.id(), 100) },
		ErrLeaseDoubt: func(r *rig) {
			r.goAway(fault{kind: answerErr, err: queue.ErrUnavailable})
			pass(30 * time.Second)
			r.comeBack()
		},
		ErrTimeout: func(r *rig) { pass(time.Minute); r.reap(r.id(), 100) },
	} {
		t.Run(cause.Error(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStore(t)
				gate := make(chan struct{})
				defer close(gate)
				first := true
				r := start(s, 2, func(ctx context.Context, job Job) error {
					if first {
						first = false
						<-gate
					}
					return nil
				}, func(c *Config) { c.LeaseDoubt = DoubtCancel })
				s.add("a", 0, within(time.Minute))
				pass(time.Second)
				end(r)
				pass(15 * time.Second)
				lines := r.logs.find(goesOn)
				if len(lines) != 1 || lines[0].fields["cause"] != cause.Error() || r.told() != 1 {
					t.Errorf("%d in the heartbeat, lines %v", r.told(), lines)
				}
				s.addMany(3, "next")
				pass(time.Second)
				if got := r.runner.stats(); got != (Stats{"q", 2, 1, 1}) || len(r.diary.of("next0002")) != 1 {
					t.Errorf("figures %+v, runs %v", got, r.diary.all())
				}
			})
		})
	}
}

// StuckAfter sets the time. It is told although Redis is away.
func TestStuckAfterIsSet(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		gate := make(chan struct{})
		defer close(gate)
		r := start(s, 1, deaf(gate), func(c *Config) { c.StuckAfter = time.Minute })
		s.add("a", 0, within(time.Second))
		pass(30 * time.Second)
		s.goAway(fault{kind: answerErr, err: queue.ErrUnavailable})
		pass(30 * time.Second)
		if n := len(r.logs.find(goesOn)); n != 0 {
			t.Errorf("told %d times after a minute", n)
		}
		pass(5 * time.Second)
		if n := len(r.logs.find(goesOn)); n != 1 {
			t.Errorf("told %d times while Redis is away", n)
		}
		s.comeBack()
	})
}

// At a shutdown there is no later: what has not returned 3 s after its context ended is told of by name.
func TestStuckAtTheShutdown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		gate := make(chan struct{})
		r := start(s, 3, func(ctx context.Context, job Job) error {
			if job.ID == "deaf" {
				<-gate
			}
			<-ctx.Done()
			return context.Cause(ctx)
		})
		s.add("deaf", 0)
		s.add("good", 0)
		pass(time.Second)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		lines := r.logs.find(goesOn)
		if len(lines) != 1 || lines[0].fields["job"] != "deaf" || lines[0].fields["cause"] != ErrShutdown.Error() {
			t.Errorf("lines %v", lines)
		}
		close(gate)
	})
}

// What costs an attempt costs no slot: after each kind the worker runs as many at a time as before, and no goroutine is left.
func TestNoSlotIsLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		kinds := []func(context.Context) error{
			func(context.Context) error { panic("x") },
			func(context.Context) error { panic(nil) }, //nolint:govet
			func(context.Context) error { panic(badError{badError{1}}) },
			func(context.Context) error { return badError{"x"} },
			func(context.Context) error { return exitError{} },
			func(context.Context) error { panic(exitError{}) },
			func(context.Context) error { runtime.Goexit(); return nil },
			func(context.Context) error { return pause(context.Background(), time.Minute) }, // far beyond its timeout
			func(ctx context.Context) error { <-ctx.Done(); runtime.Goexit(); return nil },
		}
		const slots = 7
		r := start(s, slots, func(ctx context.Context, job Job) error {
			if !strings.HasPrefix(job.ID, "bad") {
				return pause(ctx, time.Second)
			}
			var kind int
			_, _ = fmt.Sscanf(job.ID, "bad%d", &kind)
			return kinds[kind%len(kinds)](ctx)
		})
		most := func() int {
			r.diary.mu.Lock()
			r.diary.most = r.diary.now
			r.diary.mu.Unlock()
			s.addMany(30, fmt.Sprintf("good%d-", len(s.done)))
			pass(10 * time.Second)
			n, _ := r.diary.atATime()
			return n
		}
		before, goroutines := most(), runtime.NumGoroutine()
		for i := range 5 * len(kinds) {
			s.add(fmt.Sprintf("bad%d", i), 0, within(time.Second), func(r *record) { r.MaxRetry = 1 })
		}
		pass(time.Hour)
		if after := most(); before != slots || after != slots || len(s.done) != 60+5 || len(s.dead) != 5*(len(kinds)-1) {
			t.Errorf("%d at a time before, %d after, %d done, %d dead", before, after, len(s.done), len(s.dead))
		}
		if n := runtime.NumGoroutine(); n > goroutines {
			t.Errorf("%d goroutines before, %d after", goroutines, n)
		}
		if got := r.runner.stats(); got != (Stats{"q", slots, 0, 0}) {
			t.Errorf("figures %+v", got)
		}
	})
}

// The worker is not well when all slots of a queue are taken by stuck handlers, and is while one is left.
func TestHealthAndStats(t *testing.T) {
	_, q := openEmbedded(t)
	w, err := New(q, Config{Queues: map[string]int{"b": 2, "a": 3}, StuckAfter: 1,
		Timing: queue.Timing{Interval: 20 * time.Millisecond, TTL: 10 * time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Stats(); len(got) != 0 {
		t.Errorf("figures before Run: %+v", got)
	}
	gate := make(chan struct{})
	begun := make(chan struct{})
	w.Handle("test", func(context.Context, Job) error { begun <- struct{}{}; <-gate; return nil })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	for n := 1; n <= 2; n++ {
		if _, err := q.Enqueue(t.Context(), queue.NewJob{Queue: "b", Type: "test", Timeout: time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		<-begun
		want := []Stats{{Queue: "a", Slots: 3}, {Queue: "b", Slots: 2, Running: n, Stuck: n}}
		redistest.Await(t, time.Minute, fmt.Sprintf("the figures %+v", want), func() bool { return slices.Equal(w.Stats(), want) })
		problems := w.Health(t.Context())
		stuck := len(problems) == 1 && problems[0].Code == "worker-stuck" && strings.Contains(problems[0].Reason, "all 2 handlers of queue b ")
		if stuck != (n == 2) || n == 1 && len(problems) > 0 {
			t.Errorf("%d of 2 stuck: %+v", n, problems)
		}
	}
	close(gate)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
