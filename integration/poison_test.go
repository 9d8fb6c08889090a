package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
	"github.com/punctualq/punctual/worker"
)

// hostileSettings are those of a hostile worker that finds out soon. Where crashes are to be recovered soon too, the TTL is to be
// set as well.
func hostileSettings(q string, more ...string) []string {
	return append([]string{"QUEUE=" + q, "HEARTBEAT_INTERVAL=200ms", "HEARTBEAT_TTL=10s", "RETRY_BASE=50ms", "RETRY_CAP=50ms"}, more...)
}

// supervise keeps a hostile worker running until it is told to stop, as a service manager would, and counts the crashes.
func supervise(t *testing.T, r *redistest.Server, settings []string) (crashes *atomic.Int32, stop func()) {
	t.Helper()
	crashes = &atomic.Int32{}
	over, ended := make(chan struct{}), make(chan struct{})
	first := start(t, r, settings, built.Path(t, "hostile"))
	go func() {
		defer close(ended)
		for p := first; ; {
			select {
			case <-over:
				return
			case <-p.gone:
			}
			crashes.Add(1)
			p = start(t, r, settings, built.Path(t, "hostile"))
		}
	}()
	return crashes, func() { close(over); <-ended }
}

// enqueueMany hands in n jobs of one type and returns their ids.
func enqueueMany(t *testing.T, c *queue.Client, n int, job queue.NewJob) (ids []string) {
	t.Helper()
	for range n {
		ids = append(ids, enqueue(t, c, job).ID)
	}
	return ids
}

// isDead says whether a job is among the dead.
func isDead(t *testing.T, c *redis.Client, q, id string) bool {
	t.Helper()
	return c.ZScore(t.Context(), "punctual:{"+q+"}:dead", id).Err() == nil
}

// TestPoison: a job with max_retry 2 kills its process each time, while its 20 neighbours run. It is dead after 3 crashes;
// all neighbours finish, since they may be retried more often than that; nothing is left over.
func TestPoison(t *testing.T) {
	t.Parallel()
	r := redistest.Own(t)
	for _, deed := range []string{"exit", "segv", "memory", "goroutine", "fatal"} {
		t.Run(deed, func(t *testing.T) {
			if deed == "memory" && runtime.GOOS != "linux" {
				t.Skip("no limit keeps the machine safe here")
			}
			q, c, client := redistest.Queue(t), r.Client(), open(t, r.URL())
			neighbours := enqueueMany(t, client, 20, queue.NewJob{Queue: q, Type: "beside", Payload: json.RawMessage(`{"ms": 1000}`)})
			poison := enqueue(t, client, queue.NewJob{Queue: q, Type: deed, Payload: json.RawMessage(`{"with": 5}`), MaxRetry: 2}).ID
			lost := watchAttempts(t, c, q, neighbours)
			crashes, stop := supervise(t, r, hostileSettings(q, "WORKER_CONCURRENCY=21", "HEARTBEAT_TTL=1s"))
			defer stop()
			redistest.Await(t, time.Minute, "the poison to be dead", func() bool { return isDead(t, c, q, poison) })
			awaitDrained(t, c, q, time.Minute)
			if n := crashes.Load(); n < 1 || n > 3 {
				t.Errorf("%d crashes until it was dead, want at most 3", n)
			}
			info, err := client.Get(t.Context(), q, poison)
			if err != nil || info.Attempts != 3 || len(info.Failures) != 3 || !strings.Contains(info.Failures[0].Error, "worker lost") {
				t.Errorf("the poison ended as %+v, %v; want 3 attempts, and in the failures that its workers were lost", info, err)
			}
			if done, dead := stat(t, c, q, "done"), c.ZCard(t.Context(), "punctual:{"+q+"}:dead").Val(); done != 20 || dead != 1 {
				t.Errorf("%d done and %d dead, want 20 neighbours done", done, dead)
			}
			byLost := lost()
			if byLost[0] == len(neighbours) {
				t.Error("no neighbour ran when the process died: this showed nothing")
			}
			t.Logf("%s: dead after %d crashes; neighbours by attempts lost: %v", deed, crashes.Load(), byLost)
			redistest.AssertConserved(t, c, q)
		})
	}
}

// watchAttempts samples the attempts of jobs until the returned function is called, which counts the jobs by how many they
// lost: all but the last one.
func watchAttempts(t *testing.T, c *redis.Client, q string, ids []string) func() map[int]int {
	t.Helper()
	most, over, ended := make([]int, len(ids)), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			for i, v := range c.HMGet(t.Context(), "punctual:{"+q+"}:attempts", ids...).Val() {
				var n int
				if text, ok := v.(string); ok {
					_, _ = fmt.Sscan(text, &n)
				}
				most[i] = max(most[i], n)
			}
			select {
			case <-over:
				return
			case <-tick.C:
			}
		}
	}()
	return func() map[int]int {
		close(over)
		<-ended
		lost := map[int]int{}
		for _, n := range most {
			lost[n-1]++
		}
		return lost
	}
}

// TestPoisonAndNeighboursWithoutRetries: an attempt is counted when it begins, so each crash costs all that ran on that
// worker one. Who had none left is dead as well; as many retries as the poison has attempts are enough to survive it.
func TestPoisonAndNeighboursWithoutRetries(t *testing.T) {
	t.Parallel()
	r := redistest.Own(t)
	q, c, client := redistest.Queue(t), r.Client(), open(t, r.URL())
	none := enqueueMany(t, client, 5, queue.NewJob{Queue: q, Type: "beside", Payload: json.RawMessage(`{"ms": 800}`), MaxRetry: queue.NoRetry})
	enough := enqueueMany(t, client, 5, queue.NewJob{Queue: q, Type: "beside", Payload: json.RawMessage(`{"ms": 800}`), MaxRetry: 3})
	poison := enqueue(t, client, queue.NewJob{Queue: q, Type: "exit", Payload: json.RawMessage(`{"with": 10}`), MaxRetry: 2}).ID
	_, stop := supervise(t, r, hostileSettings(q, "WORKER_CONCURRENCY=11", "HEARTBEAT_TTL=3s"))
	defer stop()
	redistest.Await(t, time.Minute, "the poison to be dead", func() bool { return isDead(t, c, q, poison) })
	awaitDrained(t, c, q, time.Minute)
	for _, id := range none {
		if info, err := client.Get(t.Context(), q, id); err != nil || info.State != queue.Dead || !strings.Contains(info.Failures[0].Error, "worker lost") {
			t.Errorf("a neighbour without retries ended as %+v, %v; want dead with the reason", info, err)
		}
	}
	if done := stat(t, c, q, "done"); done != len(enough) {
		t.Errorf("%d neighbours with 3 retries are done, want %d", done, len(enough))
	}
	redistest.AssertConserved(t, c, q)
}

// debug is what a hostile worker tells of itself.
type debug struct {
	PID        int
	Goroutines int
	Stats      []worker.Stats
}

func (p *process) debug(t *testing.T) (d debug) {
	t.Helper()
	res, err := http.Get("http://" + p.addr + "/debug")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestHarmlessDeeds: whatever a handler does short of killing its process costs an attempt, no slot and no goroutine, and its
// error is kept.
func TestHarmlessDeeds(t *testing.T) {
	t.Parallel()
	r := redistest.Own(t)
	q, c, client := redistest.Queue(t), r.Client(), open(t, r.URL())
	const slots = 5
	p := start(t, r, hostileSettings(q, fmt.Sprintf("WORKER_CONCURRENCY=%d", slots), "STUCK_AFTER=100ms"), built.Path(t, "hostile"))
	p.awaitHTTP(t, "/readyz", http.StatusOK, 20*time.Second)
	done := 0
	meet := func() {
		t.Helper()
		enqueueMany(t, client, 3*slots, queue.NewJob{Queue: q, Type: "meet", MaxRetry: queue.NoRetry, Timeout: 20 * time.Second})
		awaitDrained(t, c, q, 30*time.Second)
		if done += 3 * slots; stat(t, c, q, "done") != done {
			t.Errorf("%d jobs are done, want %d: %d handlers did not run at once", stat(t, c, q, "done"), done, slots)
		}
	}
	meet()
	before := p.debug(t)

	failing := map[string]string{
		"panic": "handler panicked: as it was told to", "panic-nil": "panic called with nil argument", "panic-error": "that cannot be printed",
		"error-panics": "that cannot be printed", "error-exits": "ended its goroutine while it was read", "goexit": "runtime.Goexit",
	}
	ids := map[string][]string{}
	for deed := range failing {
		ids[deed] = enqueueMany(t, client, 2*slots, queue.NewJob{Queue: q, Type: deed, MaxRetry: 1})
	}
	for _, deed := range []string{"ignore", "deadlock"} { // they return in the end, and then the job is done
		enqueueMany(t, client, slots, queue.NewJob{Queue: q, Type: deed, Payload: json.RawMessage(`{"ms": 700}`), Timeout: 10 * time.Millisecond})
		done += slots
	}
	enqueue(t, client, queue.NewJob{Queue: q, Type: "close-stdout"})
	done++
	awaitDrained(t, c, q, time.Minute)
	for deed, text := range failing {
		for _, id := range ids[deed] {
			info, err := client.Get(t.Context(), q, id)
			if err != nil || info.State != queue.Dead || info.Attempts != 2 || len(info.Failures) != 2 || !strings.Contains(info.Failures[0].Error, text) {
				t.Errorf("%s ended as %+v, %v; want dead after 2 attempts with %q", deed, info, err, text)
			}
		}
	}
	meet()
	redistest.Await(t, 10*time.Second, "as many goroutines as before", func() bool { return p.debug(t).Goroutines <= before.Goroutines })
	after := p.debug(t)
	if after.PID != before.PID || len(after.Stats) != 1 || after.Stats[0] != (worker.Stats{Queue: q, Slots: slots}) {
		t.Errorf("before %+v, after %+v: want the same process with all slots free", before, after)
	}
	t.Logf("goroutines before %d, after %d", before.Goroutines, after.Goroutines)
	redistest.AssertConserved(t, c, q)
}

// TestStuckIsReported: a handler that ignores its timeout is seen from outside, in the heartbeat, the log and the probe, until
// it returns.
func TestStuckIsReported(t *testing.T) {
	t.Parallel()
	r := redistest.Own(t)
	q, c, client := redistest.Queue(t), r.Client(), open(t, r.URL())
	p := start(t, r, hostileSettings(q, "WORKER_CONCURRENCY=1", "STUCK_AFTER=300ms"), built.Path(t, "hostile"))
	p.awaitHTTP(t, "/readyz", http.StatusOK, 20*time.Second)
	beat := keysLike(t, c, "punctual:{"+q+"}:heartbeat:*")
	if len(beat) != 1 {
		t.Fatalf("heartbeats %v", beat)
	}
	tells := func() bool { return strings.Contains(c.Get(t.Context(), beat[0]).Val(), `"stuck":1`) }
	id := enqueue(t, client, queue.NewJob{Queue: q, Type: "ignore", Payload: json.RawMessage(`{"ms": 4000}`), Timeout: 100 * time.Millisecond}).ID
	redistest.Await(t, 10*time.Second, "the heartbeat to tell", tells)
	if status := p.get("/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz answers %d while the only slot is stuck, want 503", status)
	}
	p.awaitLog(t, time.Second, "goes on though its context has ended")
	if !strings.Contains(p.stderr.String(), `"job":"`+id+`"`) {
		t.Error("the log does not name the job")
	}
	p.awaitHTTP(t, "/readyz", http.StatusOK, 20*time.Second)
	p.awaitLog(t, time.Second, "stuck handler has returned at last")
	redistest.Await(t, 10*time.Second, "the heartbeat to tell no more", func() bool { return !tells() })
	awaitDrained(t, c, q, 10*time.Second)
	if done := stat(t, c, q, "done"); done != 1 {
		t.Errorf("done = %d, want 1", done)
	}
	redistest.AssertConserved(t, c, q)
}
