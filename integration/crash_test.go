package integration

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/integration/redistest"
)

const (
	scheduledKey = "punctual:{default}:scheduled"
	deadKey      = "punctual:{default}:dead"
	attemptsKey  = "punctual:{default}:attempts"
)

// recovery is how long a crashed worker's jobs may take to be taken back, with default settings.
const recovery = 17 * time.Second

// processing counts what is on all processing lists but that of the worker of one pid.
func processing(t *testing.T, r *redis.Client, butPID int) (n int64) {
	t.Helper()
	for _, key := range keysLike(t, r, "punctual:{default}:processing:*") {
		if !strings.Contains(key, fmt.Sprintf(":%d:", butPID)) {
			n += r.LLen(t.Context(), key).Val()
		}
	}
	return n
}

// awaitRunning waits until the one job on worker p's list runs: a job that is on the list may still be on its way to the
// worker. One that is registered after it and printed proves that its claim was answered.
func awaitRunning(t *testing.T, r *redis.Client, server, p *process) {
	t.Helper()
	redistest.Await(t, 10*time.Second, "the job to be claimed", func() bool { return processing(t, r, 0) == 1 })
	server.mustRegister(t, `{"message": "the one before runs", "delay_seconds": 0}`)
	redistest.Await(t, 10*time.Second, "the job behind it to be printed", func() bool {
		return strings.Contains(p.stdout.String(), "] the one before runs\n") && processing(t, r, 0) == 1
	})
}

// keysLike scans for keys; the Redis is the test's own and small.
func keysLike(t *testing.T, r *redis.Client, pattern string) (keys []string) {
	t.Helper()
	for it := r.Scan(t.Context(), 0, pattern, 1000).Iterator(); it.Next(t.Context()); {
		keys = append(keys, it.Val())
	}
	return keys
}

// TestKillNine: a worker is killed with five jobs running. Another takes them back within 17 s, and no key of the dead
// one is left.
func TestKillNine(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r *redistest.Server) {
		c := r.Client()
		server := startServer(t, r)
		victim := startJobqueue(t, r)
		var ids []string
		for range 5 {
			ids = append(ids, server.mustRegister(t, `{"type": "sleep", "payload": {"seconds": 60}, "delay_seconds": 0}`))
		}
		redistest.Await(t, 10*time.Second, "five running jobs", func() bool { return processing(t, c, 0) == 5 })
		other := startJobqueue(t, r, "SHUTDOWN_GRACE=100ms")
		victim.signal(t, syscall.SIGKILL)
		killed := time.Now()
		redistest.Await(t, recovery, "the other worker to run all five", func() bool {
			return processing(t, c, victim.cmd.Process.Pid) == 5
		})
		t.Logf("recovered %s after kill -9 (%s)", time.Since(killed).Round(10*time.Millisecond), r.Backend())
		if keys := keysLike(t, c, fmt.Sprintf("*:%d:*", victim.cmd.Process.Pid)); len(keys) > 0 {
			t.Errorf("keys of the dead worker are left: %v", keys)
		}
		for _, id := range ids {
			if got := c.HGet(t.Context(), attemptsKey, id).Val(); got != "2" {
				t.Errorf("job %s has begun %s attempts, want 2: the crash counts", id, got)
			}
		}
		redistest.AssertConserved(t, c, "default")

		// The orderly stop of the other gives them back without charging the attempt.
		other.signal(t, syscall.SIGTERM)
		if code := other.awaitExit(t, 15*time.Second); code != 0 {
			t.Errorf("exit code %d after SIGTERM, want 0", code)
		}
		for _, id := range ids {
			if got := c.HGet(t.Context(), attemptsKey, id).Val(); got != "1" {
				t.Errorf("job %s has %s attempts after the release, want 1", id, got)
			}
		}
		if n := c.ZCard(t.Context(), scheduledKey).Val(); n != 5 {
			t.Errorf("%d jobs scheduled after the stop, want 5", n)
		}
		if keys := keysLike(t, c, "punctual:*:heartbeat:*"); len(keys) > 0 {
			t.Errorf("heartbeats are left: %v", keys)
		}
		redistest.AssertConserved(t, c, "default")
	})
}

// TestKillNineOfTheLastWorker: only the API process is left, and it takes the jobs back.
func TestKillNineOfTheLastWorker(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r *redistest.Server) {
		server := startServer(t, r)
		victim := startJobqueue(t, r)
		server.mustRegister(t, `{"type": "sleep", "payload": {"seconds": 60}, "delay_seconds": 0}`)
		redistest.Await(t, 10*time.Second, "the job to run", func() bool { return processing(t, r.Client(), 0) == 1 })
		victim.signal(t, syscall.SIGKILL)
		redistest.Await(t, recovery, "the API process to take the job back", func() bool {
			return r.Client().ZCard(t.Context(), scheduledKey).Val() == 1
		})
		if keys := keysLike(t, r.Client(), fmt.Sprintf("*:%d:*", victim.cmd.Process.Pid)); len(keys) > 0 {
			t.Errorf("keys of the dead worker are left: %v", keys)
		}
		redistest.AssertConserved(t, r.Client(), "default")
	})
}

// TestFrozenWorker: SIGSTOP for twice the TTL, then SIGCONT. The job has been taken over; the late result is answered
// "lost", the handler's context ends, and the worker goes on under a new id.
func TestFrozenWorker(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r *redistest.Server) {
		c := r.Client()
		server := startServer(t, r)
		frozen := startJobqueue(t, r, "LOG_LEVEL=debug")
		first := keysLike(t, c, "punctual:{default}:heartbeat:*")
		if len(first) != 1 {
			t.Fatalf("a worker that calls itself ready has the heartbeats %v", first)
		}
		id := server.mustRegister(t, `{"type": "sleep", "payload": {"seconds": 60}, "delay_seconds": 0, "max_retry": 5}`)
		awaitRunning(t, c, server, frozen)
		frozen.signal(t, syscall.SIGSTOP)
		other := startJobqueue(t, r)
		thaw := time.NewTimer(20 * time.Second) // the length of the pause is the fault that is injected
		redistest.Await(t, recovery, "another worker to run the job", func() bool {
			return processing(t, c, frozen.cmd.Process.Pid) == 1
		})
		<-thaw.C
		frozen.signal(t, syscall.SIGCONT)
		frozen.awaitLog(t, 10*time.Second, "going on under a new id")
		frozen.awaitLog(t, 10*time.Second, `"outcome":"lost"`)
		redistest.Await(t, 10*time.Second, "two living workers", func() bool {
			return len(keysLike(t, c, "punctual:{default}:heartbeat:*")) == 2
		})
		for _, key := range keysLike(t, c, "punctual:{default}:heartbeat:*") {
			if key == first[0] {
				t.Errorf("the frozen worker still calls itself %s", key)
			}
		}
		if got := c.HGet(t.Context(), attemptsKey, id).Val(); got != "2" {
			t.Errorf("attempts = %s, want 2", got)
		}
		redistest.AssertConserved(t, c, "default")
		other.signal(t, syscall.SIGKILL)
		<-other.gone
		again := server.mustRegister(t, `{"message": "still at work", "delay_seconds": 0}`)
		redistest.Await(t, 10*time.Second, "the thawed worker to run a job", func() bool {
			return strings.Contains(frozen.stdout.String(), "] still at work\n")
		})
		if n := strings.Count(frozen.stdout.String(), "\n"); n != 2 {
			t.Errorf("stdout has %d lines for job %s: %q", n, again, frozen.stdout.String())
		}
	})
}
