package integration

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// TestExhausted: max_retry 2 and a job that always fails: three runs, then dead, with its errors.
func TestExhausted(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r *redistest.Server) {
		server := startServer(t, r)
		startJobqueue(t, r, "RETRY_BASE=10ms", "RETRY_CAP=20ms")
		id := server.mustRegister(t, `{"type": "fail", "max_retry": 2, "delay_seconds": 0}`)
		redistest.Await(t, 15*time.Second, "the job to be dead", func() bool {
			return r.Client().ZScore(t.Context(), deadKey, id).Err() == nil
		})
		if got := r.Client().HGet(t.Context(), attemptsKey, id).Val(); got != "3" {
			t.Errorf("attempts = %s, want 3", got)
		}
		var failures []queue.Failure
		text := r.Client().HGet(t.Context(), "punctual:{default}:errors", id).Val()
		if err := json.Unmarshal([]byte(text), &failures); err != nil {
			t.Fatalf("errors %q: %v", text, err)
		}
		if len(failures) != 3 || failures[0].Attempt != 3 || failures[2].Attempt != 1 || failures[0].Error == "" {
			t.Errorf("failures = %+v, want those of attempts 3, 2, 1", failures)
		}
		redistest.AssertConserved(t, r.Client(), "default")
	})
}

// TestJobsAsAUserSeesThem: explicit zeros, defaults, order, what redis-cli shows, one printed line a job.
func TestJobsAsAUserSeesThem(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r *redistest.Server) {
		c := r.Client()
		server := startServer(t, r)
		before := redisNow(t, c)
		id := server.mustRegister(t, `{}`)
		due := int64(c.ZScore(t.Context(), scheduledKey, id).Val())
		if early, late := before.Add(180*time.Second).UnixMilli(), redisNow(t, c).Add(180*time.Second).UnixMilli()+1; due < early || due > late {
			t.Errorf("default due time %d, want between %d and %d: 180 s", due, early, late)
		}
		if got := c.HGet(t.Context(), "punctual:{default}:jobs", id).Val(); got != `{"type":"message","subject":"test","payload":"Job executed successfully"}` {
			t.Errorf("the record is %s", got)
		}
		zero := server.mustRegister(t, `{"message": "tab\there", "delay_seconds": 0, "max_retry": 0}`)
		if got := c.HGet(t.Context(), "punctual:{default}:jobs", zero).Val(); !strings.Contains(got, `"max_retry":0`) {
			t.Errorf("an explicit max_retry of 0 is kept as %s", got)
		}
		fails := server.mustRegister(t, `{"type": "fail", "delay_seconds": 0, "max_retry": 0}`)
		worker := startJobqueue(t, r)
		redistest.Await(t, 10*time.Second, "both jobs to end", func() bool {
			return c.ZScore(t.Context(), deadKey, fails).Err() == nil && strings.Contains(worker.stdout.String(), "\n")
		})
		line := strings.TrimSuffix(worker.stdout.String(), "\n")
		stamp, text, _ := strings.Cut(line, "] ")
		if _, err := time.Parse("[2006-01-02 15:04:05", stamp); err != nil || text != `tab\there` {
			t.Errorf("printed %q", line)
		}
		if got := c.HGet(t.Context(), attemptsKey, fails).Val(); got != "1" {
			t.Errorf("max_retry 0 ran %s times, want 1", got)
		}
		redistest.AssertConserved(t, c, "default")
	})
}

// TestShutdown: SIGTERM ends the claiming, lets a handler finish, exits 0; a second signal exits at once and leaves the
// rest to the reaper.
func TestShutdown(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r *redistest.Server) {
		c := r.Client()
		server := startServer(t, r)
		worker := startJobqueue(t, r)
		server.mustRegister(t, `{"type": "sleep", "payload": {"seconds": 5}, "delay_seconds": 0}`)
		awaitRunning(t, c, server, worker)
		worker.signal(t, syscall.SIGTERM)
		worker.awaitLog(t, 5*time.Second, "shut")
		late := server.mustRegister(t, `{"delay_seconds": 0}`)
		if code := worker.awaitExit(t, 20*time.Second); code != 0 {
			t.Errorf("exit code %d, want 0", code)
		}
		if done := stat(t, c, "default", "done"); done != 2 {
			t.Errorf("done = %d, want 2: the handler may finish", done)
		}
		if err := c.ZScore(t.Context(), scheduledKey, late).Err(); err != nil {
			t.Errorf("a job that came after the signal was claimed: %v", err)
		}
		redistest.AssertConserved(t, c, "default")

		second := startJobqueue(t, r)
		server.mustRegister(t, `{"type": "sleep", "payload": {"seconds": 60}, "delay_seconds": 0}`)
		awaitRunning(t, c, server, second)
		second.signal(t, syscall.SIGINT)
		second.awaitLog(t, 5*time.Second, "shut")
		redistest.Await(t, 2*time.Second, "a further signal to end it at once", func() bool {
			_ = second.cmd.Process.Signal(syscall.SIGINT) // one that follows within 100 ms counts as the same
			select {
			case <-second.gone:
				return true
			default:
				return false
			}
		})
		if code := second.awaitExit(t, time.Second); code == 0 {
			t.Error("a second signal exits with 0, as if all were in order")
		}
		if n := processing(t, c, 0); n != 1 {
			t.Errorf("%d jobs on the list after the second signal, want 1, for the reaper", n)
		}
		redistest.AssertConserved(t, c, "default")
	})
}

func redisNow(t *testing.T, c *redis.Client) time.Time {
	t.Helper()
	now, err := c.Time(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	return now
}
