package integration

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

// TestRedisThatLostItsData: Redis comes back empty under running processes. They register anew, and the API process alone
// still finds the jobs of a worker that dies after that. Six workers that die together are taken back in time, too.
func TestRedisThatLostItsData(t *testing.T) {
	t.Parallel()
	r := redistest.Own(t)
	c := r.Client()
	server := startServer(t, r)
	workers := make([]*process, 6)
	for i := range workers {
		workers[i] = startJobqueue(t, r, "WORKER_CONCURRENCY=1")
	}
	server.mustRegister(t, `{"delay_seconds": 3600}`)
	for _, key := range keysLike(t, c, "punctual:*") { // what a restart without persistence does
		c.Del(t.Context(), key)
	}
	redistest.Await(t, 10*time.Second, "the workers to register anew", func() bool {
		return len(keysLike(t, c, "punctual:{default}:heartbeat:*")) == len(workers)
	})
	if names := c.SMembers(t.Context(), "punctual:queues").Val(); !slices.Contains(names, "default") {
		t.Errorf("known queues after the loss: %v", names)
	}
	for range workers {
		server.mustRegister(t, `{"type": "sleep", "payload": {"seconds": 60}, "delay_seconds": 0}`)
	}
	redistest.Await(t, 10*time.Second, "six running jobs", func() bool { return processing(t, c, 0) == 6 })
	c.Del(t.Context(), "punctual:queues") // a careless hand
	for _, w := range workers {
		w.signal(t, syscall.SIGKILL)
	}
	redistest.Await(t, recovery, "the API process to take all six back", func() bool {
		return c.ZCard(t.Context(), scheduledKey).Val() == 6
	})
	if keys := keysLike(t, c, "punctual:{default}:processing:*"); len(keys) > 0 {
		t.Errorf("lists of the dead are left: %v", keys)
	}
	redistest.AssertConserved(t, c, "default")
}
