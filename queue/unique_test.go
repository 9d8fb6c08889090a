package queue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// expectHolder asks by handing in another job who holds a key; "" for nobody: then the other job holds it now.
func (r *rig) expectHolder(key, want string) {
	r.Helper()
	done := r.hand(queue.NewJob{Delay: time.Hour, Unique: &queue.Unique{Key: key, Until: queue.UntilDone}})
	var holder *queue.UniqueError
	if got := ""; errors.As(done.Err, &holder) {
		got = holder.Holder
		equal(r, "holder of "+key, got, want)
	} else {
		equal(r, "holder of "+key, got, want)
		equal(r, "error", done.Err, nil)
	}
}

// A job that holds its key until its start gives it up when it is claimed, and takes nothing from the next holder afterwards.
func TestUniqueUntilStart(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.put(queue.NewJob{ID: "a", Unique: &queue.Unique{Key: "k", Until: queue.UntilStart}})
	r.expectHolder("k", "a")
	r.makeDue("a")
	element := r.take("w", 1)[0].Element
	next := r.hand(queue.NewJob{Delay: time.Hour, Unique: &queue.Unique{Key: "k", Until: queue.UntilStart}})
	equal(t, "next", next.Err, nil)
	r.settle("w", queue.Result{Element: element, Outcome: queue.OutcomeRetry, Unique: "k"})
	r.expectHolder("k", next.ID)
	r.makeDue("a")
	r.settle("w", queue.Result{Element: r.take("w", 1)[0].Element, Outcome: queue.OutcomeDone, Unique: "k"})
	r.expectHolder("k", next.ID)
}

// A job that holds its key until it is done keeps it over retries, releases and the death of its worker.
func TestUniqueUntilDone(t *testing.T) {
	for _, last := range []queue.Outcome{queue.OutcomeDone, queue.OutcomeDead} {
		t.Run(string(last), func(t *testing.T) {
			r := newRig(t)
			r.register("w", "v")
			r.put(queue.NewJob{ID: "a", Unique: &queue.Unique{Key: "k", Until: queue.UntilDone}})
			for _, outcome := range []queue.Outcome{queue.OutcomeRetry, queue.OutcomeRelease} {
				r.makeDue("a")
				c := r.take("w", 1)[0]
				equal(t, "unique", *c.Job.Unique, queue.Unique{Key: "k", Until: queue.UntilDone})
				r.settle("w", queue.Result{Element: c.Element, Outcome: outcome, Unique: "k"})
				r.expectHolder("k", "a")
			}
			r.makeDue("a")
			r.take("v", 1)
			r.kill("v")
			r.reap("v")
			r.expectHolder("k", "a")
			r.makeDue("a")
			element := r.take("w", 1)[0].Element
			r.settle("w", queue.Result{Element: "9" + element, Outcome: last, Unique: "k"}) // lost
			r.expectHolder("k", "a")
			r.settle("w", queue.Result{Element: element, Outcome: last, Unique: "k"})
			r.expectHolder("k", "")
		})
	}
}

// Whatever buries a job gives its key up.
func TestUniqueOfTheDead(t *testing.T) {
	r := newRig(t)
	r.register("w")
	for _, until := range []string{queue.UntilStart, queue.UntilDone} {
		r.put(queue.NewJob{ID: "late-" + until, Expires: time.Second, Unique: &queue.Unique{Key: "late-" + until, Until: until}})
		r.put(queue.NewJob{ID: "reaped-" + until, MaxRetry: queue.NoRetry, Unique: &queue.Unique{Key: "reaped-" + until, Until: until}})
		r.makeDue("late-"+until, "reaped-"+until)
	}
	equal(t, "claimed", len(r.claim("w", 9).Jobs), 2)
	r.kill("w")
	equal(t, "reaped", r.reap("w").Dead, 2)
	equal(t, "dead", r.do("ZCARD", k("dead")), any(int64(4)))
	equal(t, "keys", r.do("EXISTS", k("unique")), any(int64(0)))
}

// A key that is held for a time is held whatever becomes of the job, and by no event.
func TestUniqueForATime(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.put(queue.NewJob{ID: "a", Unique: &queue.Unique{Key: "k", For: time.Hour}})
	r.makeDue("a")
	c := r.take("w", 1)[0]
	equal(t, "unique", *c.Job.Unique, queue.Unique{Key: "k", For: time.Hour})
	r.settle("w", queue.Result{Element: c.Element, Outcome: queue.OutcomeDone})
	r.expectHolder("k", "a")
	keys := r.raw.Keys(t.Context(), r.key("uniquefor:*")).Val()
	equal(t, "keys", len(keys), 1)
	if ttl := r.raw.PTTL(t.Context(), keys[0]).Val(); ttl > time.Hour || ttl < time.Minute {
		t.Errorf("it is held for %s", ttl)
	}
	r.raw.Del(t.Context(), keys[0]) // its time has come
	r.expectHolder("k", "")
	again := r.hand(queue.NewJob{Unique: &queue.Unique{Key: "k", For: time.Hour}})
	equal(t, "held by the other kind", errors.Is(again.Err, queue.ErrUnique), true)
}

// A result frees the key only if its own job holds it: after a death and a redrive it may be another's.
func TestUniqueIsFreedByItsHolderOnly(t *testing.T) {
	r := newRig(t)
	r.register("w")
	id := r.putNow(1)[0]
	r.put(queue.NewJob{ID: "holder", Delay: time.Hour, Unique: &queue.Unique{Key: "k", Until: queue.UntilDone}})
	r.settle("w", queue.Result{Element: r.take("w", 1)[0].Element, Outcome: queue.OutcomeDone, Unique: "k"})
	_, err := r.client.Get(t.Context(), r.name, id)
	equal(t, "gone", errors.Is(err, queue.ErrNotFound), true)
	r.expectHolder("k", "holder")
}
