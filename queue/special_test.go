package queue_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// hand hands in one job of this queue.
func (r *rig) hand(job queue.NewJob) queue.Enqueued {
	r.Helper()
	job.Queue = r.name
	done, err := r.client.Enqueue(r.Context(), job)
	if !errors.Is(err, done.Err) {
		r.Errorf("%v, and of the job %v", err, done.Err)
	}
	return done
}

// bounded makes the client one that bounds the scheduled jobs.
func (r *rig) bounded(most int) {
	r.Helper()
	before := r.client
	r.Cleanup(func() { _ = before.Close() })
	var err error
	if r.client, err = queue.Open(r.Context(), r.server.URL(), queue.Options{Timeout: bound, MaxScheduled: most}); err != nil {
		r.Fatal(err)
	}
}

// A run_at is when the job is due, rounded up to the ms; one in the past is now. Never earlier, by the clock of Redis.
func TestEnqueueAt(t *testing.T) {
	r := newRig(t)
	at := time.UnixMilli(r.now()).Add(time.Hour + time.Microsecond)
	done := r.hand(queue.NewJob{At: at})
	want := at.Add(time.Millisecond - time.Microsecond)
	equal(t, "due", done.Due.Equal(want), true)
	equal(t, "kept", r.get(done.ID).Due.Equal(want), true)
	for _, past := range []time.Time{time.Unix(1, 0), time.Unix(-5000, 0), time.UnixMilli(r.now() - 1000)} {
		before := r.now()
		done = r.hand(queue.NewJob{At: past})
		if due := done.Due.UnixMilli(); done.Err != nil || due < before || due > r.now()+1 {
			t.Errorf("due at %d, and it was handed in at %d (%v)", due, before, done.Err)
		}
		equal(t, "kept", r.get(done.ID).Due.Equal(done.Due), true)
	}
}

// Plain and special jobs of one call: each gets its own answer, in the order given.
func TestEnqueuePlainAndSpecial(t *testing.T) {
	r := newRig(t)
	at := time.UnixMilli(r.now()).Add(time.Hour)
	done, err := r.client.EnqueueMany(t.Context(), []queue.NewJob{
		{Queue: r.name, ID: "a", At: at},
		{Queue: r.name, ID: "b", Delay: 2 * time.Hour},
		{Queue: r.name, ID: "c", Unique: &queue.Unique{Key: "k", Until: queue.UntilDone}},
		{Queue: r.name, ID: "d"},
		{Queue: r.name, ID: "b", At: at},
		{Queue: r.name, ID: "e", Unique: &queue.Unique{Key: "k", Until: queue.UntilStart}},
		{Queue: r.name, ID: "a", At: at},
	})
	if !errors.Is(err, queue.ErrUnique) {
		t.Errorf("%v, want the first error that is not ErrExists", err)
	}
	var holder *queue.UniqueError
	for i, want := range []string{"", "", "", "", "exists", "unique", "exists"} {
		switch d := done[i]; want {
		case "":
			equal(t, d.ID, d.Err, nil)
			equal(t, d.ID, r.get(d.ID).Due.Equal(d.Due), true)
		case "exists":
			equal(t, d.ID, errors.Is(d.Err, queue.ErrExists), true)
		case "unique":
			equal(t, d.ID, errors.As(d.Err, &holder) && holder.Holder == "c", true)
		}
	}
	r.expectStats(map[string]string{"enqueued": "4"})
}

// The same request with the same key finds the job of the first, also when it has run; another request is a conflict.
func TestIdempotency(t *testing.T) {
	r := newRig(t)
	key := func(scope, key, request string) *queue.Idempotency {
		return &queue.Idempotency{Scope: scope, Key: key, Request: request}
	}
	first := r.hand(queue.NewJob{Idempotency: key("ann", "1", "x")})
	again := r.hand(queue.NewJob{Idempotency: key("ann", "1", "x")})
	equal(t, "replayed", again, queue.Enqueued{ID: first.ID, Replayed: true})
	equal(t, "the first", first.Replayed, false)
	equal(t, "conflict", errors.Is(r.hand(queue.NewJob{Idempotency: key("ann", "1", "y")}).Err, queue.ErrConflict), true)
	other := r.hand(queue.NewJob{Idempotency: key("bob", "1", "y")})
	equal(t, "of another scope", other.Err == nil && !other.Replayed, true)
	equal(t, "key behind a key", r.hand(queue.NewJob{Idempotency: key("an", "n1", "y")}).Replayed, false)
	ttl := r.raw.PTTL(t.Context(), r.raw.Keys(t.Context(), r.key("idempotency:*")).Val()[0]).Val()
	if ttl <= 23*time.Hour || ttl > 24*time.Hour {
		t.Errorf("it is kept for %s", ttl)
	}
	equal(t, "jobs", r.stat("enqueued"), 3)

	r.register("w")
	r.makeDue(first.ID)
	r.settle("w", queue.Result{Element: r.take("w", 1)[0].Element, Outcome: queue.OutcomeDone})
	equal(t, "after it has run", r.hand(queue.NewJob{Idempotency: key("ann", "1", "x")}).ID, first.ID)
	equal(t, "with an id of its own", r.hand(queue.NewJob{ID: "mine", Idempotency: key("ann", "1", "x")}).ID, first.ID)
}

// Two jobs in one call with the same key: the second sees the first. What is refused stores no key.
func TestIdempotencyInOneCall(t *testing.T) {
	r := newRig(t)
	same := &queue.Idempotency{Key: "1", Request: "x"}
	r.put(queue.NewJob{ID: "there"})
	done, err := r.client.EnqueueMany(t.Context(), []queue.NewJob{
		{Queue: r.name, ID: "there", Idempotency: same},
		{Queue: r.name, ID: "a", Idempotency: same},
		{Queue: r.name, ID: "b", Idempotency: same},
		{Queue: r.name, ID: "c", Idempotency: &queue.Idempotency{Key: "1", Request: "y"}},
	})
	equal(t, "conflict", errors.Is(err, queue.ErrConflict) && errors.Is(done[3].Err, queue.ErrConflict), true)
	equal(t, "exists", errors.Is(done[0].Err, queue.ErrExists), true)
	equal(t, "first", done[1].ID == "a" && done[1].Err == nil && !done[1].Replayed, true)
	equal(t, "second", done[2], queue.Enqueued{ID: "a", Replayed: true})
}

// What another hand has left under a key is no reason to make a second job.
func TestIdempotencyThatCannotBeRead(t *testing.T) {
	r := newRig(t)
	job := queue.NewJob{Idempotency: &queue.Idempotency{Key: "1", Request: "x"}}
	r.hand(job)
	name := strings.TrimPrefix(r.raw.Keys(t.Context(), r.key("idempotency:*")).Val()[0], r.key(""))
	for _, value := range []string{"", "junk", "[]", `{"id":7,"request":"x"}`, `{"request":"x"}`, `{"id":"a"}`, "null"} {
		r.do("SET", k(name), value)
		equal(t, value, errors.Is(r.hand(job).Err, queue.ErrConflict), true)
	}
	r.do("DEL", k(name))
	r.do("RPUSH", k(name), "x")
	before := r.everything()
	expectUnavailable(t, "a list", r.hand(job).Err)
	r.unchanged(before)
}

// 100 parallel requests with one key make one job, on whichever connection and in whatever batches they go.
func TestIdempotencyInParallel(t *testing.T) {
	r := newRig(t)
	done := make([]queue.Enqueued, 100)
	var all sync.WaitGroup
	for i := range done {
		all.Go(func() { done[i] = r.hand(queue.NewJob{Idempotency: &queue.Idempotency{Key: "1", Request: "x"}}) })
	}
	all.Wait()
	made := 0
	for _, d := range done {
		if equal(t, "id", d.ID, done[0].ID); !d.Replayed {
			made++
		}
	}
	equal(t, "made", made, 1)
	equal(t, "enqueued", r.stat("enqueued"), 1)
}

// A queue takes no more scheduled jobs than Options.MaxScheduled; what is refused changes nothing and stores no key.
func TestMaxScheduled(t *testing.T) {
	r := rigOn(t, redistest.Any(t), queue.Options{Timeout: bound, MaxScheduled: 3})
	r.put(queue.NewJob{ID: "a", Delay: time.Hour})
	done, err := r.client.EnqueueMany(t.Context(), []queue.NewJob{
		{Queue: r.name, ID: "b", Delay: time.Hour},
		{Queue: r.name, ID: "a"},
		{Queue: r.name, ID: "c", Delay: time.Hour},
		{Queue: r.name, ID: "d", Delay: time.Hour},
		{Queue: r.name, ID: "e", Unique: &queue.Unique{Key: "k", Until: queue.UntilDone}, Idempotency: &queue.Idempotency{Key: "1"}},
	})
	equal(t, "error", errors.Is(err, queue.ErrQueueFull), true)
	for i, want := range []error{nil, queue.ErrExists, nil, queue.ErrQueueFull, queue.ErrQueueFull} {
		equal(t, fmt.Sprint(i), errors.Is(done[i].Err, want), true)
	}
	equal(t, "exists is said before full", errors.Is(r.hand(queue.NewJob{ID: "b"}).Err, queue.ErrExists), true)
	equal(t, "keys", r.raw.Keys(t.Context(), r.key("[iu]*")).Val(), []string{})
	r.register("w")
	r.makeDue("a")
	r.take("w", 1)
	equal(t, "once there is room", r.hand(queue.NewJob{Delay: time.Hour}).Err, nil)
	r.kill("w")
	r.reap("w") // what was accepted comes back whatever the bound
	equal(t, "scheduled", r.do("ZCARD", k("scheduled")), any(int64(4)))
}
