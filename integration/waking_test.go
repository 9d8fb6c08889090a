package integration

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
	"github.com/punctualq/punctual/worker"
)

// TestWakingIsPrecise: one idle worker, jobs due at random. None starts early, by the clock of Redis, and they do not wait
// for a poll. PUNCTUAL_STRICT=1 (an idle machine, no race detector) also holds the figure of the issue: p99 ≤ 10 ms.
func TestWakingIsPrecise(t *testing.T) {
	r := redistest.Own(t)
	q := redistest.Queue(t)
	c := open(t, r.URL())
	var runs diary
	startWorker(t, r.URL(), q, worker.Config{}, func(ctx context.Context, j worker.Job) error {
		now, err := r.Client().Time(ctx).Result()
		due := time.UnixMilli(mustInt(string(j.Payload)))
		runs.note(j, now.Sub(due))
		return err
	})
	const jobs, span = 200, 10 * time.Second
	base, err := r.Client().Time(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	for range jobs {
		now, err := r.Client().Time(t.Context()).Result()
		if err != nil {
			t.Fatal(err)
		}
		due := base.Add(time.Second + rand.N(span)).Truncate(time.Millisecond)
		// The payload is the earliest it may start: the delay is reckoned from when Redis has the job, so a little later.
		enqueue(t, c, queue.NewJob{Queue: q, Delay: due.Sub(now), Payload: []byte(strconv.FormatInt(due.UnixMilli(), 10))})
	}
	redistest.Await(t, span+15*time.Second, "all jobs", func() bool { return len(runs.all()) == jobs })
	var late []time.Duration
	for _, r := range runs.all() {
		late = append(late, r.Lateness)
	}
	slices.Sort(late)
	p50, p99 := late[jobs/2], late[jobs*99/100]
	t.Logf("lateness of %d jobs over %s (%s): min %s, p50 %s, p99 %s, max %s", jobs, span, r.Backend(), late[0], p50, p99, late[jobs-1])
	if late[0] < 0 {
		t.Errorf("a job started %s before its due time", -late[0])
	}
	limit := time.Second // half of what the fallback alone would take
	if os.Getenv("PUNCTUAL_STRICT") == "1" {
		limit = 10 * time.Millisecond
	}
	if p99 > limit {
		t.Errorf("p99 of lateness is %s, want at most %s", p99, limit)
	}
	redistest.AssertConserved(t, r.Client(), q)
}

// TestOneDueInstantCostsOneClaim: ten idle workers, one job due. One arms the timer, one claims, one looks after the result.
func TestOneDueInstantCostsOneClaim(t *testing.T) {
	r := redistest.Own(t)
	q := redistest.Queue(t)
	c := open(t, r.URL())
	var runs diary
	for range 10 {
		startWorker(t, r.URL(), q, worker.Config{}, func(_ context.Context, j worker.Job) error {
			runs.note(j, 0)
			return nil
		})
	}
	for _, delay := range []time.Duration{0, 500 * time.Millisecond} {
		awaitIdle(t, r, 10) // each claims once at its start
		claims := claimCount(t, r)
		job := enqueue(t, c, queue.NewJob{Queue: q, Delay: delay})
		redistest.Await(t, 10*time.Second, "the job", func() bool { return runs.of(job.ID) == 1 })
		awaitDrained(t, r.Client(), q, 5*time.Second)
		if got := claims(); got > 3 {
			t.Errorf("a job due after %s cost %d claims, want at most 3", delay, got)
		} else {
			t.Logf("a job due after %s cost %d claims", delay, got)
		}
	}
	redistest.AssertConserved(t, r.Client(), q)
}

// TestIdleWorkerIsCheap: at most one round trip a second.
func TestIdleWorkerIsCheap(t *testing.T) {
	t.Parallel()
	r := redistest.Own(t)
	q := redistest.Queue(t)
	startWorker(t, r.URL(), q, worker.Config{}, func(context.Context, worker.Job) error { return nil })
	awaitIdle(t, r, 1)
	const span = 10
	before := roundTrips(t, r.Client())
	timer := time.NewTimer(span * time.Second) // the measured time itself, not a wait for something
	<-timer.C
	trips := float64(roundTrips(t, r.Client())-before) / span
	t.Logf("an idle worker makes %.1f round trips a second", trips)
	if trips > 1 {
		t.Errorf("an idle worker makes %.1f round trips a second, want at most 1", trips)
	}
}

// awaitIdle waits until so many workers wait for the wake token, and for what they may be told.
func awaitIdle(t *testing.T, r *redistest.Server, workers int) {
	t.Helper()
	redistest.Await(t, 10*time.Second, "the workers to wait", func() bool {
		return strings.Contains(r.Client().Info(t.Context(), "clients").Val(), fmt.Sprintf("blocked_clients:%d\r\n", 2*workers))
	})
}

// claimCount returns a function that tells how many claims ran since. It listens by MONITOR.
func claimCount(t *testing.T, r *redistest.Server) func() int {
	t.Helper()
	conn, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := conn.Write([]byte("MONITOR\r\n")); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() || lines.Text() != "+OK" {
		t.Fatalf("MONITOR answers %q", lines.Text())
	}
	claim := `"evalsha" "` + string(scriptSHA(t, "claim"))
	return func() (n int) {
		r.Client().Echo(t.Context(), "end of the count")
		for lines.Scan() && !strings.Contains(lines.Text(), "end of the count") {
			if strings.Contains(strings.ToLower(lines.Text()), claim) {
				n++
			}
		}
		return n
	}
}

// roundTrips counts the commands that came over the network since the start, but for INFO. A script counts once, for it
// calls none of these inside.
func roundTrips(t *testing.T, r *redis.Client) (n int) {
	t.Helper()
	info, err := r.Info(t.Context(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range strings.Split(info, "\r\n") {
		name, rest, ok := strings.Cut(strings.TrimPrefix(row, "cmdstat_"), ":calls=")
		if !ok || !slices.Contains([]string{"evalsha", "eval", "blpop", "ping", "hello", "sadd", "smembers", "get"}, name) {
			continue
		}
		calls, _, _ := strings.Cut(rest, ",")
		n += int(mustInt(calls))
	}
	return n
}

func mustInt(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}
