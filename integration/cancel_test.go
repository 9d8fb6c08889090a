package integration

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// TestCancelAcrossProcesses: this process cancels a job that another runs. Its handler returns, for its context has ended, the job is
// gone, and it was claimed once.
func TestCancelAcrossProcesses(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r *redistest.Server) {
		c, err := queue.Open(t.Context(), r.URL(), queue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		p := startJobqueue(t, r, "WORKER_CONCURRENCY=1")
		job, err := c.Enqueue(t.Context(), queue.NewJob{Type: "sleep", Payload: []byte(`{"seconds": 600}`), MaxRetry: 5})
		if err != nil {
			t.Fatal(err)
		}
		redistest.Await(t, 10*time.Second, "the job to run", func() bool { return processing(t, r.Client(), 0) == 1 })
		asked := time.Now()
		if state, err := c.Cancel(t.Context(), "default", job.ID); state != queue.Processing || err != nil {
			t.Fatalf("%s, %v", state, err)
		}
		redistest.Await(t, 10*time.Second, "the job to be gone", func() bool {
			_, err := c.Get(t.Context(), "default", job.ID)
			return errors.Is(err, queue.ErrNotFound)
		})
		t.Logf("gone %s after it was cancelled (%s)", time.Since(asked).Round(time.Millisecond), r.Backend())
		redistest.Await(t, 10*time.Second, "the worker to say so", func() bool {
			return strings.Contains(p.stderr.String(), "jobs are cancelled")
		})
		if n := r.Client().HGet(t.Context(), "punctual:{default}:stats", "claimed").Val(); n != "1" {
			t.Errorf("claimed %s times, want once", n)
		}
		redistest.AssertConserved(t, r.Client(), "default")
	})
}

// TestStopAcrossProcesses: a worker that is told to stop ends as after a signal, and one that is quiet takes no job.
func TestStopAcrossProcesses(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r *redistest.Server) {
		c, err := queue.Open(t.Context(), r.URL(), queue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		p := startJobqueue(t, r)
		workers, err := c.Workers(t.Context())
		if err != nil || len(workers) != 1 || !workers[0].Living || workers[0].PID != p.cmd.Process.Pid {
			t.Fatalf("%+v, %v", workers, err)
		}
		id := workers[0].ID
		if err := c.Quiet(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		redistest.Await(t, 10*time.Second, "the worker to be quiet", func() bool {
			workers, err := c.Workers(t.Context())
			return err == nil && len(workers) == 1 && workers[0].Quiet
		})
		if _, err := c.Enqueue(t.Context(), queue.NewJob{Type: "sleep", Payload: []byte(`{"seconds": 0}`)}); err != nil {
			t.Fatal(err)
		}
		asked := time.Now()
		if err := c.Stop(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		if code := p.awaitExit(t, 15*time.Second); code != 0 {
			t.Errorf("exit code %d after a stop, want 0", code)
		}
		t.Logf("ended %s after it was told to (%s)", time.Since(asked).Round(time.Millisecond), r.Backend())
		if n := r.Client().ZCard(t.Context(), scheduledKey).Val(); n != 1 {
			t.Errorf("%d jobs scheduled, want the one that a quiet worker leaves alone", n)
		}
		if keys := keysLike(t, r.Client(), "punctual:*:control:*"); len(keys) > 0 {
			t.Errorf("left of it: %v", keys)
		}
	})
}
