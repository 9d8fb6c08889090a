package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// runOne runs one claimed job on a runner with one slot and returns its result.
func runOne(t *testing.T, s *store, h Handler, c queue.Claimed, change ...func(*Config)) queue.Result {
	t.Helper()
	r := prepare(s, 1, h, change...).runner
	if h == nil {
		r.handler = func(string) Handler { return nil }
	}
	defer close(r.ended)
	c.Element = "1:" + c.Job.ID
	r.mu.Lock()
	r.lastBeat = time.Now()
	r.take(c)
	e := r.held[c.Element]
	r.mu.Unlock()
	r.letBegin()
	<-r.look // the exchange is woken when there is a result
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.phase != finished || r.running != 0 {
		t.Errorf("phase %d, %d slots still taken", e.phase, r.running)
	}
	return e.result
}

type badError struct{ v any }

func (b badError) Error() string { panic(b.v) }

type exitError struct{}

func (exitError) Error() string { runtime.Goexit(); return "" }

type badString struct{}

func (badString) String() string { panic("String panics") }

type badAs struct{}

func (badAs) Error() string { return "bad as" }
func (badAs) As(any) bool   { panic("As panics") }

var errPlain = errors.New("plain")

// TestResult: what a handler does, and what becomes of its job. The job is at attempt 2 of max_retry 3.
func TestResult(t *testing.T) {
	var nilErr *badError
	retry, dead, done := queue.OutcomeRetry, queue.OutcomeDead, queue.OutcomeDone
	for _, c := range []struct {
		name  string
		h     func() error
		want  queue.Outcome
		text  string        // in the failure's error
		delay time.Duration // exact, unless negative: then the backoff's range
	}{
		{"nil", func() error { return nil }, done, "", 0},
		{"error", func() error { return errPlain }, retry, "plain", -1},
		{"permanent", func() error { return Permanent(errPlain) }, dead, "plain", 0},
		{"permanent of nothing", func() error { return Permanent(nil) }, dead, "no reason given", 0},
		{"wrapped permanent", func() error { return fmt.Errorf("outer: %w", Permanent(errPlain)) }, dead, "outer: plain", 0},
		{"joined permanent", func() error { return errors.Join(errPlain, Permanent(errPlain)) }, dead, "plain\nplain", 0},
		{"permanent retry after", func() error { return Permanent(RetryAfter(time.Hour, errPlain)) }, dead, "plain", 0},
		{"retry after", func() error { return RetryAfter(90*time.Second, errPlain) }, retry, "plain", 90 * time.Second},
		{"wrapped retry after", func() error { return fmt.Errorf("outer: %w", RetryAfter(time.Hour, nil)) }, retry, "outer: no reason", time.Hour},
		{"retry after zero", func() error { return RetryAfter(0, errPlain) }, retry, "plain", 0},
		{"retry after negative", func() error { return RetryAfter(-time.Hour, errPlain) }, retry, "plain", 0},
		{"retry after huge", func() error { return RetryAfter(math.MaxInt64, errPlain) }, retry, "plain", queue.MaxDelay},
		{"panic with a string", func() error { panic("oh no") }, retry, "handler panicked: oh no", -1},
		{"panic tells where", func() error { panic("oh no") }, retry, "run_test.go", -1},
		{"panic with an error", func() error { panic(errPlain) }, retry, "handler panicked: plain", -1},
		{"panic with Permanent", func() error { panic(Permanent(errPlain)) }, retry, "handler panicked: plain", -1},
		{"panic with nil", func() error { panic(nil) }, retry, "handler panicked: panic called with nil argument", -1}, //nolint:govet
		{"panic whose Error panics", func() error { panic(badError{"again"}) }, retry, "handler panicked: %!v(PANIC=Error method: again)", -1},
		{"panic whose String panics", func() error { panic(badString{}) }, retry, "handler panicked: %!v(PANIC=String method", -1},
		{"error whose Error panics", func() error { return badError{"again"} }, retry, "PANIC=Error method: again", -1},
		{"error whose Error panics badly", func() error { return badError{badError{1}} }, retry, "badError that cannot be printed", -1},
		{"panic whose Error panics badly", func() error { panic(badError{badError{1}}) }, retry, "handler panicked: worker.badError that", -1},
		{"typed nil error", func() error { return nilErr }, retry, "<nil>", -1},
		{"error whose As panics", func() error { return badAs{} }, retry, "bad as", -1},
		{"permanent of an error whose Error panics", func() error { return Permanent(badError{"again"}) }, dead, "PANIC", 0},
		{"Goexit", func() error { runtime.Goexit(); return nil }, retry, "runtime.Goexit", -1},
		{"Goexit deep down", func() error { defer runtime.Goexit(); panic("lost") }, retry, "runtime.Goexit", -1},
		{"error whose Error takes the goroutine", func() error { return exitError{} }, retry, "ended its goroutine while it was read", -1},
		{"panic whose Error takes the goroutine", func() error { panic(exitError{}) }, retry, "ended its goroutine while it was read", -1},
		{"recovered in the handler", func() error { defer func() { _ = recover() }(); panic("caught") }, done, "", 0},
		{"runtime error", func() error { var m map[string]int; m["a"] = 1; return nil }, retry, "assignment to entry in nil map", -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				job := queue.Claimed{Attempt: 2, Job: queue.Job{ID: "a", Type: "test", MaxRetry: 3}}
				got := runOne(t, newStore(t), func(context.Context, Job) error { return c.h() }, job)
				if got.Outcome != c.want || got.Element != "1:a" || (got.Failure == nil) != (c.want == done) {
					t.Fatalf("result %+v", got)
				}
				if c.want == done {
					return
				}
				if !strings.Contains(got.Failure.Error, c.text) || got.Failure.Attempt != 2 || got.Failure.Worker == "" {
					t.Errorf("failure %+v, want %q in it", got.Failure, c.text)
				}
				if c.delay >= 0 && got.Delay != c.delay || c.delay < 0 && (got.Delay < 0 || got.Delay > 2*time.Second) {
					t.Errorf("delay %s, want %s", got.Delay, c.delay)
				}
			})
		})
	}
}

// A job runs at most max_retry + 1 times, whatever its handler asks for.
func TestExhausted(t *testing.T) {
	for _, c := range []struct {
		attempt, maxRetry int
		want              queue.Outcome
	}{{1, 0, queue.OutcomeDead}, {1, 1, queue.OutcomeRetry}, {2, 1, queue.OutcomeDead}, {3, 2, queue.OutcomeDead}, {10, 10, queue.OutcomeRetry},
		{11, 10, queue.OutcomeDead}, {99, 10, queue.OutcomeDead}} {
		for _, err := range []error{errPlain, RetryAfter(time.Second, errPlain)} {
			bubble(t, func(t *testing.T) {
				job := queue.Claimed{Attempt: c.attempt, Job: queue.Job{ID: "a", MaxRetry: c.maxRetry}}
				got := runOne(t, newStore(t), func(context.Context, Job) error { return err }, job)
				if got.Outcome != c.want || got.Failure == nil || got.Failure.Error != "plain" {
					t.Errorf("attempt %d of max_retry %d: %+v", c.attempt, c.maxRetry, got)
				}
			})
		}
	}
}

// A test helper's FailNow ends the goroutine that it is called in: here the handler's.
func TestFailNowInAHandlerIsAnAttempt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		deep := func() { defer func() { _ = recover() }(); func() { runtime.Goexit() }() }
		r := start(s, 1, func(_ context.Context, job Job) error {
			if job.Attempt < 3 {
				deep()
			}
			return nil
		}, func(c *Config) { c.RetryCap, c.RetryBase = time.Second, time.Second })
		s.add("a", 0)
		pass(time.Minute)
		if s.finished("a") != 1 || len(r.diary.of("a")) != 3 || len(s.done) != 1 {
			t.Errorf("runs %v", r.diary.all())
		}
	})
}

// The context ends at the job's own timeout, else at the worker's, and the failure says so.
func TestTimeout(t *testing.T) {
	for _, c := range []struct {
		own, workers, want time.Duration
	}{{0, 3 * time.Second, 3 * time.Second}, {2 * time.Second, 3 * time.Second, 2 * time.Second},
		{5 * time.Second, 3 * time.Second, 5 * time.Second}, {-time.Second, 3 * time.Second, 3 * time.Second}, {0, 0, 30 * time.Minute}} {
		bubble(t, func(t *testing.T) {
			begin := time.Now()
			var took time.Duration
			var cause error
			h := func(ctx context.Context, _ Job) error {
				<-ctx.Done()
				took, cause = time.Since(begin), context.Cause(ctx)
				return ctx.Err()
			}
			job := queue.Claimed{Attempt: 1, Job: queue.Job{ID: "a", MaxRetry: 3, Timeout: c.own}}
			got := runOne(t, newStore(t), h, job, func(cfg *Config) { cfg.JobTimeout = c.workers })
			if took != c.want || !errors.Is(cause, ErrTimeout) {
				t.Errorf("%+v: ended after %s for %v", c, took, cause)
			}
			if got.Outcome != queue.OutcomeRetry || !strings.Contains(got.Failure.Error, "job timeout") || got.Failure.TookMS != c.want.Milliseconds() {
				t.Errorf("%+v: result %+v %+v", c, got, got.Failure)
			}
		})
	}
}

// A handler that finishes after its timeout has finished: what it did cannot be undone by running it again.
func TestDoneAfterTheTimeoutIsDone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		job := queue.Claimed{Attempt: 1, Job: queue.Job{ID: "a", Timeout: time.Millisecond}}
		h := func(context.Context, Job) error { time.Sleep(time.Second); return nil }
		if got := runOne(t, newStore(t), h, job); got.Outcome != queue.OutcomeDone {
			t.Errorf("result %+v", got)
		}
	})
}

// A type without a handler is retried: a rolling deploy may be under way.
func TestUnknownTypeIsRetried(t *testing.T) {
	bubble(t, func(t *testing.T) {
		job := queue.Claimed{Attempt: 1, Job: queue.Job{ID: "a", Type: "nobody", MaxRetry: 1}}
		got := runOne(t, newStore(t), nil, job)
		if got.Outcome != queue.OutcomeRetry || !strings.Contains(got.Failure.Error, `"nobody"`) {
			t.Errorf("result %+v %+v", got, got.Failure)
		}
		job.Attempt = 2
		if got := runOne(t, newStore(t), nil, job); got.Outcome != queue.OutcomeDead {
			t.Errorf("result %+v", got)
		}
	})
}

// A long text in many-byte letters is kept as far as it fits, as valid text that names the timeout all the same.
func TestLongErrorText(t *testing.T) {
	long := errors.New("a" + strings.Repeat("世界", queue.MaxFailureText))
	bubble(t, func(t *testing.T) {
		h := func(ctx context.Context, _ Job) error { <-ctx.Done(); return long }
		job := queue.Claimed{Attempt: 1, Job: queue.Job{ID: "a", MaxRetry: 1, Timeout: time.Second}}
		got := runOne(t, newStore(t), h, job)
		text := got.Failure.Error
		if len(text) > queue.MaxFailureText+20 || len(text) < queue.MaxFailureText-20 || !strings.HasPrefix(text, "job timeout: a世界世") ||
			strings.ToValidUTF8(text, "?") != text {
			t.Errorf("%d bytes: %.20q…%q", len(text), text, text[max(0, len(text)-40):])
		}
		if b, err := json.Marshal(got.Failure); err != nil || strings.Contains(string(b), `\ufffd`) {
			t.Errorf("as JSON: %v", err)
		}
	})
}

// No handler waits for another to return, not even if all of them take the processor for themselves.
func TestEveryClaimedHandlerBegins(t *testing.T) {
	const jobs = 30
	for name, wait := range map[string]func(all chan struct{}){
		"blocked": func(all chan struct{}) { <-all },
		"spinning": func(all chan struct{}) {
			for {
				select {
				case <-all:
					return
				default:
				}
			}
		},
		"in a panic": func(all chan struct{}) {
			defer func() { <-all }()
			panic("on purpose")
		},
		"gone": func(all chan struct{}) {
			defer func() { <-all }()
			runtime.Goexit()
		},
	} {
		t.Run(name, func(t *testing.T) {
			var begun atomic.Int32
			var all chan struct{}
			r := prepare(newStore(t), jobs, func(context.Context, Job) error {
				if begun.Add(1) == jobs {
					close(all)
				}
				wait(all)
				return nil
			}).runner
			defer close(r.ended)
			for round := range 3 { // after the first one executors are there
				begun.Store(0)
				all = make(chan struct{})
				r.mu.Lock()
				r.lastBeat = time.Now()
				for i := range jobs {
					id := fmt.Sprintf("%d-%d", round, i)
					r.take(queue.Claimed{Element: "1:" + id, Attempt: 1, Job: queue.Job{ID: id, MaxRetry: 1}})
				}
				r.mu.Unlock()
				r.letBegin()
				redistest.Await(t, time.Minute, "all handlers to return", func() bool {
					r.mu.Lock()
					defer r.mu.Unlock()
					return r.running == 0
				})
				r.mu.Lock()
				if len(r.begin) != 0 || r.called < 0 {
					t.Errorf("%d to begin, %d executors on their way", len(r.begin), r.called)
				}
				r.mu.Unlock()
			}
		})
	}
}

// What the worker learns between claim and start counts: a handler that must not start is not begun, and its job is given back.
func TestHandlerThatMustNotStartIsNotBegun(t *testing.T) {
	for name, learn := range map[string]func(r *runner, e *execution){
		"lost":     func(_ *runner, e *execution) { e.lost = true; e.cancel(ErrLost) },
		"shutdown": func(_ *runner, e *execution) { e.cancel(ErrShutdown) },
		"in doubt": func(r *runner, _ *execution) { r.lastBeat = time.Time{} },
	} {
		t.Run(name, func(t *testing.T) {
			var ran atomic.Bool
			r := prepare(newStore(t), 1, func(context.Context, Job) error { ran.Store(true); return nil }).runner
			defer close(r.ended)
			r.mu.Lock()
			r.lastBeat = time.Now()
			r.take(queue.Claimed{Element: "1:a", Attempt: 1, Job: queue.Job{ID: "a", MaxRetry: 1}})
			e := r.held["1:a"]
			learn(r, e)
			r.mu.Unlock()
			r.letBegin()
			<-r.look // the exchange is woken when there is a result
			r.mu.Lock()
			defer r.mu.Unlock()
			if ran.Load() || e.phase != finished || e.result.Outcome != queue.OutcomeRelease || r.running != 0 {
				t.Errorf("ran: %t, phase %d, %+v, %d slots taken", ran.Load(), e.phase, e.result, r.running)
			}
		})
	}
}
