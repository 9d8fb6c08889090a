package worker

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

func openEmbedded(t *testing.T) (*miniredis.Miniredis, *queue.Client) {
	t.Helper()
	m := miniredis.RunT(t)
	q, err := queue.Open(t.Context(), "redis://"+m.Addr(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return m, q
}

// One queue that this process is unfit for ends the work on the others, in order.
func TestRunEndsForAllQueues(t *testing.T) {
	m, q := openEmbedded(t)
	m.HSet("punctual:{b}:meta", "layout", "99")
	w, err := New(q, Config{Queues: map[string]int{"a": 1, "b": 1, "c": 1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(t.Context()); !errors.Is(err, queue.ErrLayout) {
		t.Errorf("Run returned %v", err)
	}
	for _, name := range []string{"a", "b", "c"} {
		if m.Exists("punctual:{" + name + "}:workers") {
			t.Errorf("a worker is still registered with queue %s", name)
		}
	}
	if layout := m.HGet("punctual:{b}:meta", "layout"); layout != "99" {
		t.Errorf("layout %s", layout)
	}
}

func TestRunRefusesAQueueNameThatIsNone(t *testing.T) {
	_, q := openEmbedded(t)
	w, err := New(q, Config{Queues: map[string]int{"Mail!": 1}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(t.Context()); !errors.Is(err, queue.ErrInvalid) || !strings.HasPrefix(err.Error(), "worker: ") {
		t.Errorf("Run returned %v", err)
	}
}

// A full Redis is a problem of those who enqueue.
func TestHealthOfAFullRedis(t *testing.T) {
	s := redistest.Own(t)
	q, err := queue.Open(t.Context(), s.URL(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	w, err := New(q, Config{})
	if err != nil {
		t.Fatal(err)
	}
	s.Config(t, "maxmemory", "1")
	if problems := q.Health(t.Context()); len(problems) != 1 || problems[0].Code != "redis-full" {
		t.Errorf("the client says %+v", problems)
	}
	for _, p := range w.Health(t.Context()) {
		if p.Code == "redis-full" {
			t.Errorf("the worker says %+v", p)
		}
	}
}

// Health is empty while all is well, and names each queue that this worker is not registered with.
func TestHealth(t *testing.T) {
	_, q := openEmbedded(t)
	w, err := New(q, Config{Queues: map[string]int{"a": 1}})
	if err != nil {
		t.Fatal(err)
	}
	if problems := w.Health(t.Context()); len(problems) != 1 || problems[0].Code != "worker-unregistered" {
		t.Errorf("before Run: %+v", problems)
	}
	ran := make(chan []queue.Problem, 1)
	w.Handle("test", func(ctx context.Context, _ Job) error { ran <- w.Health(ctx); return nil })
	if _, err := q.Enqueue(t.Context(), queue.NewJob{Queue: "a", Type: "test", Payload: json.RawMessage(`1`)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	for _, p := range <-ran {
		if p.Code == "worker-unregistered" {
			t.Errorf("%+v while a job runs", p)
		}
	}
	r := w.runners[0]
	r.mu.Lock()
	last := r.lastBeat
	r.lastBeat = time.Time{}
	r.mu.Unlock()
	found := 0
	for _, p := range w.Health(t.Context()) {
		if p.Code == "worker-unregistered" && strings.Contains(p.Reason, "queue a ") {
			found++
		}
	}
	if found != 1 {
		t.Errorf("found %d times that the last heartbeat is long ago", found)
	}
	r.mu.Lock()
	r.lastBeat = last
	r.mu.Unlock()
	poke(r.look) // it may have held back a result meanwhile
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Dead jobs are bounded once a minute, batch after batch until nothing is left to drop, and every drop is told.
func TestTrim(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 5, nil, func(c *Config) { c.DeadMax, c.DoneMax = 77, 55 })
		pass(90 * time.Second)
		s.mu.Lock()
		s.trims = 3
		s.mu.Unlock()
		pass(time.Minute)
		trims := s.since("trim", 0)
		if len(trims) != 4 || trims[0].n != 77 || trims[0].what != 55 || len(r.logs.find("dropped dead jobs")) != 3 {
			t.Errorf("%d calls, %d lines", len(trims), len(r.logs.find("dropped dead jobs")))
		}
		s.mu.Lock()
		s.trims = 1000
		s.mu.Unlock()
		s.failAlways("trim", fault{kind: answerErr, err: queue.ErrUnavailable})
		mark := s.mark()
		pass(10 * time.Minute)
		if n := len(s.since("trim", mark)); n != 10 {
			t.Errorf("%d calls in 10 minutes without an answer", n)
		}
	})
}
