package queue_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

func (r *rig) overview() queue.Overview {
	r.Helper()
	o, err := r.client.Overview(r.Context(), r.name)
	if err != nil {
		r.Fatal(err)
	}
	return o
}

func TestOverview(t *testing.T) {
	r := newRig(t)
	if _, err := r.client.Overview(t.Context(), r.name); !errors.Is(err, queue.ErrNoQueue) {
		t.Errorf("before: %v", err)
	}
	bury(r, 3)
	r.register("v")
	r.putNow(4)
	r.take("w", 2)
	r.putNow(1)
	done, err := r.client.Enqueue(t.Context(), queue.NewJob{Queue: r.name, Delay: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	r.at(2 * time.Hour)
	r.do("ZADD", k("done"), 1e15, "kept")
	r.do("HSET", k("jobs"), "kept", "{}")
	r.do("HSET", k("stats"), "adjusted", 1, "junk", "junk")
	before := r.everything()
	now := r.now()
	o := r.overview()
	if o.Now.UnixMilli() < now || o.Now.UnixMilli() > r.now() {
		t.Errorf("now: %v", o.Now)
	}
	equal(t, "lateness", o.Lateness(), o.Now.Sub(time.UnixMilli(1000)))
	o.Now = time.Time{}
	equal(t, "overview", o, queue.Overview{Queue: r.name, Scheduled: 5, Due: 3, Processing: 2, Dead: 3, Done: 1, OldestDue: time.UnixMilli(1000),
		NextDue: done.Due, Workers: 2, Counters: map[string]int64{"enqueued": 10, "claimed": 5, "dead": 3, "adjusted": 1}})
	r.unchanged(before)

	r.do("HSET", k("meta"), "paused", "1")
	equal(t, "paused", r.overview().Paused, true)
	r.do("HDEL", k("meta"), "paused")
	for _, id := range r.raw.ZRange(t.Context(), r.key("scheduled"), 0, -1).Val() {
		r.reschedule(id, queue.When{In: time.Hour})
	}
	o = r.overview()
	if o.Due != 0 || !o.OldestDue.IsZero() || o.Lateness() != 0 || o.NextDue.IsZero() {
		t.Errorf("nothing is due: %+v", o)
	}
	if _, err := r.client.Overview(t.Context(), "Bad Name"); !errors.Is(err, queue.ErrInvalid) {
		t.Error(err)
	}
}

func TestOverviews(t *testing.T) {
	a, b := newRig(t), newRig(t)
	a.putNow(2)
	b.register("w")
	a.forgetScripts()
	// One of which the name is known, and nothing is there.
	c := newRig(t)
	a.do("SADD", "punctual:queues", c.name)
	defer a.do("SREM", "punctual:queues", c.name)
	all, err := a.client.Overviews(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(all, func(a, b queue.Overview) int { return map[bool]int{true: -1, false: 1}[a.Queue < b.Queue] }) {
		t.Error("they are not in order of their names")
	}
	found := map[string]queue.Overview{}
	for _, o := range all {
		found[o.Queue] = o
	}
	equal(t, "due", found[a.name].Due, 2)
	equal(t, "workers", found[b.name].Workers, 1)
	if o, known := found[c.name]; !known || o.Scheduled != 0 {
		t.Errorf("%+v, %v", o, known)
	}
}
