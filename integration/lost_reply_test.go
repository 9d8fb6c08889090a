package integration

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
	"github.com/punctualq/punctual/worker"
)

// TestLostReply: a proxy swallows one reply of the exchange. Whatever was lost, each job runs exactly as often as it
// should: what a claim took and nobody was told of is found on the worker's own list, and a settle that is sent again
// cannot settle the next claim of the same job.
func TestLostReply(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		script  string // whose request is matched
		pass    int    // replies of that connection that still come through
		retries int    // how often the job fails first, due again at once
	}{
		{"claim", "claim", 0, 0},
		{"settle and the claim behind it", "settle", 0, 0},
		{"the claim behind a settle", "settle", 1, 0},
		{"settle of a retry, at once due again", "settle", 0, 1},
		{"the claim of a retry, at once due again", "settle", 1, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := redistest.Own(t)
			proxy := redistest.NewProxy(t, r.Addr())
			q := redistest.Queue(t)
			var runs diary
			startWorker(t, proxy.URL(), q, worker.Config{Concurrency: 1}, func(_ context.Context, j worker.Job) error {
				runs.note(j, 0)
				if string(j.Payload) == `"fails"` && j.Attempt <= c.retries {
					return worker.RetryAfter(0, errors.New("not yet"))
				}
				return nil
			})
			direct := open(t, r.URL())
			warm := enqueue(t, direct, queue.NewJob{Queue: q}) // all scripts are known to Redis now
			redistest.Await(t, 5*time.Second, "the first job", func() bool { return runs.of(warm.ID) == 1 })
			awaitDrained(t, r.Client(), q, 5*time.Second)

			var swallowed <-chan struct{}
			if c.pass == 0 {
				swallowed = proxy.SwallowReply(scriptSHA(t, c.script), 1)
			} else {
				swallowed = proxy.SwallowAfter(scriptSHA(t, c.script), c.pass)
			}
			job := enqueue(t, direct, queue.NewJob{Queue: q, Payload: []byte(`"fails"`)})
			want := 1 + c.retries
			redistest.Await(t, 3*time.Second, "the job to have run within 3 s", func() bool {
				return runs.of(job.ID) >= want
			})
			select {
			case <-swallowed:
			case <-time.After(5 * time.Second):
				t.Fatal("the proxy swallowed nothing: the test proves nothing")
			}
			awaitDrained(t, r.Client(), q, 5*time.Second)
			if got := runs.of(job.ID); got != want {
				t.Errorf("the job ran %d times, want %d", got, want)
			}
			if got := stat(t, r.Client(), q, "done"); got != 2 {
				t.Errorf("done = %d, want 2", got)
			}
			redistest.AssertConserved(t, r.Client(), q)
		})
	}
}
