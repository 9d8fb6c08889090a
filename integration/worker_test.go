package integration

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
	"github.com/punctualq/punctual/worker"
)

// run is one execution of a job.
type run struct {
	ID       string
	Attempt  int
	Worker   string
	Lateness time.Duration // start minus due time, as the worker's claim told
}

// diary remembers what ran, for all workers of a test.
type diary struct {
	mu   sync.Mutex
	runs []run
}

func (d *diary) note(job worker.Job, at time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.runs = append(d.runs, run{job.ID, job.Attempt, job.Worker, at})
}

func (d *diary) all() []run {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]run(nil), d.runs...)
}

func (d *diary) of(id string) (n int) {
	for _, r := range d.all() {
		if r.ID == id {
			n++
		}
	}
	return n
}

func open(t *testing.T, url string) *queue.Client {
	t.Helper()
	c, err := queue.Open(t.Context(), url, queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// startWorker runs a worker on queue q in this process until the test ends or the returned function stops it in order.
func startWorker(t *testing.T, url, q string, c worker.Config, handler worker.Handler) (stop func()) {
	t.Helper()
	client := open(t, url)
	if c.Queues == nil {
		c.Queues = map[string]int{q: c.Concurrency}
	}
	c.Logger = zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)
	w, err := worker.New(client, c)
	if err != nil {
		t.Fatal(err)
	}
	w.Handle("message", handler)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("worker: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	redistest.Await(t, 10*time.Second, "the worker to be ready", func() bool { return len(w.Health(t.Context())) == 0 })
	return stop
}

// enqueue hands in one job and returns its id.
func enqueue(t *testing.T, c *queue.Client, job queue.NewJob) queue.Enqueued {
	t.Helper()
	e, err := c.Enqueue(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// awaitDrained waits until nothing is scheduled or processing on q.
func awaitDrained(t *testing.T, r *redis.Client, q string, within time.Duration) {
	t.Helper()
	redistest.Await(t, within, "the queue to be empty", func() bool {
		ctx := t.Context()
		left := r.ZCard(ctx, "punctual:{"+q+"}:scheduled").Val()
		for _, w := range r.ZRange(ctx, "punctual:{"+q+"}:workers", 0, -1).Val() {
			left += r.LLen(ctx, "punctual:{"+q+"}:processing:"+w).Val()
		}
		return left == 0
	})
}

// stat reads one counter of a queue.
func stat(t *testing.T, r *redis.Client, q, name string) int {
	t.Helper()
	n, err := r.HGet(t.Context(), "punctual:{"+q+"}:stats", name).Int()
	if err != nil && err != redis.Nil {
		t.Fatal(err)
	}
	return n
}

// scriptSHA is what EVALSHA of a script of package queue carries.
func scriptSHA(t *testing.T, name string) []byte {
	t.Helper()
	sha := queue.ScriptSHAs()[name]
	if sha == "" {
		t.Fatalf("no script is called %s", name)
	}
	return []byte(sha)
}
