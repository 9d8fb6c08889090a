package queue_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// bound is how long a test waits for what must come. It is no measure of speed.
const bound = 30 * time.Second

// timing has intervals so long that no test comes near one: windows and leases are written by hand where a test needs
// them old.
var timing = queue.Timing{Interval: time.Minute, TTL: 5 * time.Minute}

// rig is one queue of one test on one Redis. The conservation rule is checked when the test ends.
type rig struct {
	testing.TB
	server *redistest.Server
	raw    *redis.Client // looks at the keys and spoils them, past the package
	client *queue.Client
	link   *queue.Link
	name   string
	number int64 // of the last claim
}

func newRig(t testing.TB) *rig {
	t.Helper()
	return rigOn(t, redistest.Any(t), queue.Options{Timeout: bound})
}

func rigOn(t testing.TB, s *redistest.Server, o queue.Options) *rig {
	t.Helper()
	return rigAt(t, s, s.URL(), o)
}

// rigAt reaches the server by another way, a proxy say.
func rigAt(t testing.TB, s *redistest.Server, url string, o queue.Options) *rig {
	t.Helper()
	r := &rig{TB: t, server: s, raw: s.Client(), name: redistest.Queue(t)}
	var err error
	if r.client, err = queue.Open(t.Context(), url, o); err != nil {
		t.Fatal(err)
	}
	if r.link, err = r.client.Link(r.name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = r.link.Close(), r.client.Close()
		redistest.AssertConserved(t, r.raw, r.name)
	})
	return r
}

// key is spelled here once more: a test must not believe the code that it tests.
func (r *rig) key(name string) string { return "punctual:{" + r.name + "}:" + name }

// do runs one command past the package; a key is given as k("name").
func (r *rig) do(args ...any) any {
	r.Helper()
	for i, arg := range args {
		if name, ok := arg.(k); ok {
			args[i] = r.key(string(name))
		}
	}
	v, err := r.raw.Do(r.Context(), args...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		r.Fatalf("%v: %v", args, err)
	}
	return v
}

type k string

// now is the clock of Redis in ms.
func (r *rig) now() int64 {
	r.Helper()
	t, err := r.raw.Time(r.Context()).Result()
	if err != nil {
		r.Fatal(err)
	}
	return t.UnixMilli()
}

// layout writes another layout version, until the test ends: Open refuses a Redis that has a newer one in any queue.
func (r *rig) layout(version string) {
	r.Helper()
	r.do("HSET", k("meta"), "layout", version)
	r.Cleanup(func() { r.raw.HDel(context.Background(), r.key("meta"), "layout") })
}

func (r *rig) stat(name string) int {
	r.Helper()
	n, _ := strconv.Atoi(fmt.Sprint(r.do("HGET", k("stats"), name)))
	return n
}

// expectStats compares the whole stats hash: what is not named must not be there, but how late jobs were claimed, which nobody can know.
func (r *rig) expectStats(want map[string]string) {
	r.Helper()
	got, err := r.raw.HGetAll(r.Context(), r.key("stats")).Result()
	maps.DeleteFunc(got, func(name, _ string) bool { return strings.HasPrefix(name, "late_") })
	if err != nil || !reflect.DeepEqual(got, want) {
		r.Errorf("stats: %v, want %v (%v)", got, want, err)
	}
}

// token says whether the wake token is there. More than one is a failure in itself.
func (r *rig) token() bool {
	r.Helper()
	n := r.do("LLEN", k("wake")).(int64)
	if n > 1 {
		r.Errorf("%d tokens on wake", n)
	}
	return n == 1
}

func (r *rig) dropToken() { r.Helper(); r.do("DEL", k("wake")) }

// put enqueues jobs into the queue of this test and returns their ids.
func (r *rig) put(jobs ...queue.NewJob) []string {
	r.Helper()
	for i := range jobs {
		jobs[i].Queue = r.name
	}
	done, err := r.client.EnqueueMany(r.Context(), jobs)
	if err != nil {
		r.Fatal(err)
	}
	ids := make([]string, len(done))
	for i, d := range done {
		if ids[i] = d.ID; d.Err != nil {
			r.Fatal(d.Err)
		}
	}
	return ids
}

// putNow enqueues n jobs that are due, and have been for a while: a test can claim them at once.
func (r *rig) putNow(n int) []string {
	r.Helper()
	ids := r.put(make([]queue.NewJob, n)...)
	r.makeDue(ids...)
	return ids
}

// makeDue moves the due times of scheduled jobs to the distant past, all to the same ms.
func (r *rig) makeDue(ids ...string) {
	r.Helper()
	for _, id := range ids {
		r.do("ZADD", k("scheduled"), "XX", 1000, id)
	}
}

func (r *rig) register(workers ...string) {
	r.Helper()
	for _, w := range workers {
		if _, err := r.beat(w, true); err != nil {
			r.Fatal(err)
		}
	}
}

func (r *rig) beat(worker string, first bool) (queue.Pulse, error) {
	return r.link.Heartbeat(r.Context(), queue.WorkerInfo{ID: worker, Host: "here", PID: 7, Concurrency: 3}, timing, first)
}

// claim claims up to n jobs for a worker, once.
func (r *rig) claim(worker string, n int) queue.Claims {
	r.Helper()
	x := r.exchange(worker, n)
	if x.ClaimErr != nil {
		r.Fatal(x.ClaimErr)
	}
	return x.Claims
}

func (r *rig) exchange(worker string, n int, results ...queue.Result) queue.Exchanged {
	r.number++
	return r.link.Exchange(r.Context(), queue.Exchange{Worker: worker, Claim: n, Number: r.number, Results: results,
		Lease: timing.KeeperLease()})
}

// take claims exactly n jobs.
func (r *rig) take(worker string, n int) []queue.Claimed {
	r.Helper()
	c := r.claim(worker, n)
	if len(c.Jobs) != n {
		r.Fatalf("%d jobs claimed, want %d", len(c.Jobs), n)
	}
	return c.Jobs
}

func (r *rig) settle(worker string, results ...queue.Result) []queue.Outcome {
	r.Helper()
	x := r.exchange(worker, 0, results...)
	if x.SettleErr != nil {
		r.Fatal(x.SettleErr)
	}
	return x.Settled
}

func (r *rig) get(id string) queue.Info {
	r.Helper()
	info, err := r.client.Get(r.Context(), r.name, id)
	if err != nil {
		r.Fatalf("get %s: %v", id, err)
	}
	return info
}

// kill makes a worker one that reap finds dead: no heartbeat, overdue, and a full window seen just now.
func (r *rig) kill(worker string) {
	r.Helper()
	now := r.now()
	r.do("DEL", k("heartbeat:"+worker))
	r.do("ZADD", k("workers"), "XX", now-1, worker)
	r.do("HSET", k("meta"), "interval", timing.Interval.Milliseconds(), "window_start", now-time.Hour.Milliseconds(), "window_seen", now)
}

// reap reaps until nothing is left and returns the sums.
func (r *rig) reap(victim string) (sum queue.Reaped) {
	r.Helper()
	for {
		got, err := r.link.Reap(r.Context(), victim)
		if err != nil {
			r.Fatal(err)
		}
		sum.Verdict, sum.Left = got.Verdict, got.Left
		sum.Rescheduled += got.Rescheduled
		sum.Dead += got.Dead
		sum.Cancelled += got.Cancelled
		if got.Left == 0 {
			return sum
		}
	}
}

func ids(claimed []queue.Claimed) []string {
	ids := make([]string, len(claimed))
	for i, c := range claimed {
		ids[i] = c.Job.ID
	}
	return ids
}

func equal[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
