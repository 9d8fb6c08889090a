package queue_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

func TestPurge(t *testing.T) {
	for name, c := range map[string]struct {
		filter queue.Filter
		want   queue.Moved
	}{
		"all":               {queue.Filter{}, queue.Moved{Jobs: 250, Seen: 250}},
		"up to a limit":     {queue.Filter{Limit: 120}, queue.Moved{Jobs: 120, Seen: 120, More: true}},
		"one type":          {queue.Filter{Type: "odd"}, queue.Moved{Jobs: 125, Seen: 250}},
		"one type, limited": {queue.Filter{State: queue.Dead, Type: "odd", Limit: 3}, queue.Moved{Jobs: 3, Seen: 5, More: true}},
		"the old":           {queue.Filter{MinAge: 200 * time.Minute}, queue.Moved{Jobs: 50, Seen: 50}},
		"none scheduled":    {queue.Filter{State: queue.Scheduled}, queue.Moved{}},
		"none done":         {queue.Filter{State: queue.Done}, queue.Moved{}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			graveyard(r, 250, "1")
			moved, err := r.client.PurgeAll(t.Context(), r.name, c.filter)
			if moved.Next = ""; err != nil || moved != c.want {
				t.Errorf("%+v, %v, want %+v", moved, err, c.want)
			}
			equal(t, "purged", r.stat("purged_dead"), c.want.Jobs)
			equal(t, "left", r.do("HLEN", k("jobs")), any(int64(250-c.want.Jobs)))
		})
	}
}

// One job that is over is dropped, whenever it ended; one that waits or runs is not.
func TestPurgeOne(t *testing.T) {
	r := newRig(t)
	bury(r, 2)
	r.do("HSET", k("jobs"), "kept", `{"type":"message","retention_ms":60000}`)
	r.do("ZADD", k("done"), r.now()+60000, "kept")
	r.put(queue.NewJob{ID: "runs"})
	r.makeDue("runs")
	r.take("w", 1)
	r.put(queue.NewJob{ID: "waits", Delay: time.Hour})
	for _, id := range []string{"dead001", "kept"} {
		equal(t, id, r.client.Purge(t.Context(), r.name, id), nil)
	}
	equal(t, "counted", fmt.Sprint(r.stat("purged_dead"), r.stat("purged_done")), "1 1")
	for id, state := range map[string]queue.State{"runs": queue.Processing, "waits": queue.Scheduled} {
		var wrong *queue.StateError
		if err := r.client.Purge(t.Context(), r.name, id); !errors.As(err, &wrong) || wrong.State != state {
			t.Errorf("%s: %v", id, err)
		}
	}
	for _, id := range []string{"dead001", "nobody"} {
		if err := r.client.Purge(t.Context(), r.name, id); !errors.Is(err, queue.ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if err := r.client.Purge(t.Context(), "no queue", "x"); !errors.Is(err, queue.ErrInvalid) {
		t.Errorf("a name that no queue has: %v", err)
	}
	record := r.do("HGET", k("jobs"), "waits")
	r.do("HSET", k("jobs"), "waits", "junk")
	if err := r.client.Purge(t.Context(), r.name, "waits"); !errors.Is(err, queue.ErrState) {
		t.Errorf("one that waits and cannot be read: %v", err)
	}
	r.do("HSET", k("jobs"), "waits", record)
	equal(t, "left", r.do("HLEN", k("jobs")), any(int64(3)))
}

func TestPurgeOfScheduledJobs(t *testing.T) {
	r := newRig(t)
	scattered(r)
	r.put(queue.NewJob{ID: "young", Delay: time.Minute}, queue.NewJob{ID: "other", Type: "other"}, queue.NewJob{ID: "old", Delay: time.Hour})
	r.do("HSET", k("jobs"), "old", `{"type":"message","created":1000}`)
	r.do("HSET", k("attempts"), "old", "2")
	r.do("HSET", k("errors"), "old", "[]")
	filter := queue.Filter{State: queue.Scheduled, MinAge: time.Hour}
	moved, err := r.client.PurgeAll(t.Context(), r.name, filter)
	if err != nil || moved != (queue.Moved{Jobs: 1, Seen: 4}) {
		t.Errorf("%+v, %v", moved, err)
	}
	if _, err := r.client.Get(t.Context(), r.name, "old"); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("old: %v", err)
	}
	filter = queue.Filter{State: queue.Scheduled, Type: queue.DefaultType}
	if moved, err = r.client.PurgeAll(t.Context(), r.name, filter); err != nil || moved != (queue.Moved{Jobs: 2, Seen: 3}) {
		t.Errorf("%+v, %v", moved, err)
	}
	equal(t, "other", r.get("other").State, queue.Scheduled)
	equal(t, "runs", r.get("runs").State, queue.Processing)
	equal(t, "dead", r.get("dead000").State, queue.Dead)
	equal(t, "purged", r.stat("purged_scheduled"), 3)
}

func TestPurgeOfDoneJobs(t *testing.T) {
	r := newRig(t)
	for i := range 3 {
		id := fmt.Sprint("done", i)
		r.do("HSET", k("jobs"), id, fmt.Sprintf(`{"type":"message","retention_ms":%d}`, time.Hour.Milliseconds()))
		r.do("ZADD", k("done"), r.now()+time.Hour.Milliseconds()-int64(i)*time.Minute.Milliseconds(), id)
	}
	r.do("HSET", k("stats"), "adjusted", 3)
	moved, err := r.client.PurgeAll(t.Context(), r.name, queue.Filter{State: queue.Done, Limit: 2})
	if moved.Next = ""; err != nil || moved != (queue.Moved{Jobs: 2, Seen: 2, More: true}) {
		t.Errorf("%+v, %v", moved, err)
	}
	equal(t, "purged", r.stat("purged_done"), 2)
	equal(t, "the last to be forgotten stays", fmt.Sprint(r.do("ZRANGE", k("done"), 0, -1)), "[done0]")
}

// holders are two jobs that name a unique key, of which another job has got the second by now.
func holders(r *rig) {
	r.Helper()
	r.put(queue.NewJob{ID: "a", Delay: time.Hour}, queue.NewJob{ID: "b", Delay: time.Hour}, queue.NewJob{ID: "c", Delay: time.Hour})
	r.do("HSET", k("jobs"), "a", `{"unique":"one","until":"done","type":"message","payload":{"unique":"three"}}`,
		"b", `{"unique":"two","until":"start","type":"message"}`, "c", `{"type":"message","payload":{"unique":"three"}}`)
	r.do("HSET", k("unique"), "one", "a", "two", "other", "three", "c")
}

// The unique keys that they hold are free again, and those of others are not.
func TestPurgeReleasesUniqueKeys(t *testing.T) {
	r := newRig(t)
	holders(r)
	if moved, err := r.client.PurgeAll(t.Context(), r.name, queue.Filter{State: queue.Scheduled}); err != nil || moved.Jobs != 3 {
		t.Errorf("%+v, %v", moved, err)
	}
	equal(t, "held", r.raw.HGetAll(t.Context(), r.key("unique")).Val(), map[string]string{"two": "other", "three": "c"})
	r.do("DEL", k("unique"))
}

func TestPurgeOfBigRecords(t *testing.T) {
	r := newRig(t)
	for i := range 40 {
		r.put(queue.NewJob{ID: fmt.Sprint(i), Payload: []byte(`"` + strings.Repeat("x", 100_000) + `"`)})
	}
	moved, err := r.client.PurgeAll(t.Context(), r.name, queue.Filter{State: queue.Scheduled})
	if err != nil || moved != (queue.Moved{Jobs: 40, Seen: 40}) {
		t.Errorf("%+v, %v", moved, err)
	}
}

// What cannot be read, or whose record is gone, can be got rid of.
func TestPurgeOfWhatCannotBeRead(t *testing.T) {
	r := newRig(t)
	for _, state := range []queue.State{queue.Scheduled, queue.Dead} {
		r.do("ZADD", k(state), 1000, "gone", 1000, "junk", 1000, "")
		r.do("HSET", k("jobs"), "junk", "junk", "", "{}")
		moved, err := r.client.PurgeAll(t.Context(), r.name, queue.Filter{State: state})
		if err != nil || moved != (queue.Moved{Jobs: 3, Seen: 3}) {
			t.Errorf("%s: %+v, %v", state, moved, err)
		}
	}
}

// One that has another score by now, or is named twice, was not meant.
func TestPurgeOfWhatHasMoved(t *testing.T) {
	r := newRig(t)
	bury(r, 1)
	score := strconv.FormatInt(r.get("dead000").Due.UnixMilli(), 10)
	for _, c := range []struct{ pairs, want []string }{
		{[]string{"dead000", "1"}, []string{"moved"}},
		{[]string{"dead000", score, "dead000", score, "nobody", "1"}, []string{"purged", "moved", "moved"}},
	} {
		words, err := r.client.PurgeOf(t.Context(), r.name, queue.Dead, c.pairs...)
		if err != nil || fmt.Sprint(words[2:]) != fmt.Sprint(c.want) {
			t.Errorf("%v: %v, %v, want %v", c.pairs, words, err, c.want)
		}
	}
}

func TestPurgeRefuses(t *testing.T) {
	r := newRig(t)
	for _, f := range []queue.Filter{{State: queue.Processing}, {State: "gone"}, {Type: "No Type"}, {MinAge: -1}, {Limit: -1}, {Limit: 100_001}} {
		if _, err := r.client.PurgeAll(t.Context(), r.name, f); !errors.Is(err, queue.ErrInvalid) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

// The counters tell of each job that was purged or redriven: the audit has nothing to say.
func TestPurgeIsAccountedFor(t *testing.T) {
	r := newRig(t)
	scattered(r)
	for _, use := range []func() error{
		func() error { return r.client.Redrive(t.Context(), r.name, "dead000") },
		func() error { return purgeFirst(r, queue.Scheduled) },
		func() error { bury(r, 2); return purgeFirst(r, queue.Dead) },
	} {
		if err := use(); err != nil {
			t.Fatal(err)
		}
		report, err := r.client.Audit(t.Context(), r.name, queue.AuditOptions{})
		if err != nil || len(report.Findings) > 0 {
			t.Errorf("%+v, %v", report.Findings, err)
		}
	}
	equal(t, "purged", r.stat("purged_dead")+r.stat("purged_scheduled"), 2)
}
