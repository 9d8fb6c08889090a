package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// observed writes down what an observer is told.
type observed struct {
	mu    sync.Mutex
	lines []string
}

func (o *observed) note(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, fmt.Sprintf(format, args...))
}

func (o *observed) observe(c *Config) {
	c.Observe = func(name string) Observer {
		return Observer{
			Claimed: func(jobType string, lateness time.Duration) { o.note("%s claimed %s %s", name, jobType, lateness) },
			Ran:     func(jobType string, took time.Duration) { o.note("%s ran %s %s", name, jobType, took) },
			Settled: func(jobType string, outcome queue.Outcome) { o.note("%s settled %s %s", name, jobType, outcome) },
			Fenced:  func() { o.note("%s fenced", name) },
		}
	}
}

func (o *observed) expect(t *testing.T, want ...string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if !slices.Equal(o.lines, want) {
		t.Errorf("told %q, want %q", o.lines, want)
	}
	o.lines = nil
}

// TestObserver: of each job it is told when it is claimed, how long its handler ran, and what became of it.
func TestObserver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o, s := &observed{}, newStore(t)
		start(s, 1, func(_ context.Context, job Job) error {
			time.Sleep(3 * time.Second)
			if job.ID == "bad" {
				return Permanent(errors.New("no"))
			}
			return nil
		}, o.observe)
		s.add("good", 0)
		pass(10 * time.Second)
		o.expect(t, "q claimed test 0s", "q ran test 3s", "q settled test done")
		s.add("bad", 0)
		pass(10 * time.Second)
		o.expect(t, "q claimed test 0s", "q ran test 3s", "q settled test dead")
		s.add("busy", 0)
		s.add("late", time.Second)
		pass(10 * time.Second)
		o.expect(t, "q claimed test 0s", "q ran test 3s", "q settled test done",
			"q claimed test 2s", "q ran test 3s", "q settled test done")
	})
}

// TestObserverOfAReapedWorker: it is told that the worker was fenced, and that the result came too late.
func TestObserverOfAReapedWorker(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o, s := &observed{}, newStore(t)
		r := start(s, 1, func(ctx context.Context, _ Job) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}, o.observe)
		s.add("a", 0)
		pass(time.Second)
		o.expect(t, "q claimed test 0s")
		s.reap(r.id(), 100)
		pass(3 * time.Second)
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, want := range []string{"q fenced", "q settled test lost"} {
			if !slices.Contains(o.lines, want) {
				t.Errorf("told %q, want %q among them", o.lines, want)
			}
		}
	})
}
