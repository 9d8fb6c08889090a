package queue_test

import (
	"time"

	"github.com/punctualq/punctual/queue"
)

func init() { scenarios = append(scenarios, verbScenarios...) }

// What people and other programs ask for, as scenarios.
var verbScenarios = []scenario{
	{"reschedule", func(r *rig) { r.at(2 * time.Hour); r.put(queue.NewJob{ID: "a", Delay: 3 * time.Hour}); r.dropToken() }, func(r *rig, _ bool) {
		r.reschedule("a", queue.When{In: time.Hour})
		equal(r, "token", r.token(), true)
		r.reschedule("a", queue.When{})
		r.reschedule("a", queue.When{At: time.UnixMilli(1000)})
	}},
	{"redrive", func(r *rig) { bury(r, 5); r.do("HSET", k("jobs"), "dead001", `{"type":"unreadable"}`); r.dropToken() }, func(r *rig, _ bool) {
		if err := r.client.Redrive(r.Context(), r.name, "dead000"); err != nil {
			r.Error(err)
		}
		moved, err := r.client.RedriveAll(r.Context(), r.name, queue.Filter{})
		equal(r, "moved", moved, queue.Moved{Jobs: 3, Seen: 4, Unreadable: 1})
		equal(r, "error", err, nil)
		equal(r, "token", r.token(), true)
	}},
	{"purge", func(r *rig) {
		bury(r, 3)
		r.at(time.Hour)
		r.do("ZADD", k("done"), 1e15, "kept")
		r.do("HSET", k("jobs"), "kept", "{}")
	}, func(r *rig, _ bool) {
		for state, n := range map[queue.State]int{queue.Dead: 3, queue.Scheduled: 1, queue.Done: 1} {
			moved, err := r.client.PurgeAll(r.Context(), r.name, queue.Filter{State: state})
			equal(r, string(state), moved, queue.Moved{Jobs: n, Seen: n})
			equal(r, "error", err, nil)
		}
		equal(r, "jobs", r.do("EXISTS", k("jobs")), any(int64(0)))
	}},
	{"groups", func(r *rig) {
		r.register("w")
		r.die("mail", "a 1", "b", "a 2", "c", "c")
	}, func(r *rig, _ bool) {
		a, _ := groupOf("mail", "a #")
		c, _ := groupOf("mail", "c")
		equal(r, "listed", len(r.list(queue.Listing{State: queue.Dead, Group: a}).Jobs), 2)
		moved, err := r.client.RedriveAll(r.Context(), r.name, queue.Filter{Group: a})
		equal(r, "redriven", moved.Jobs, 2)
		equal(r, "error", err, nil)
		moved, err = r.client.PurgeAll(r.Context(), r.name, queue.Filter{Group: c, Limit: 1})
		equal(r, "purged", moved.Jobs, 1)
		equal(r, "error", err, nil)
		equal(r, "counted", r.sizes(), map[string]int{"": 0, "b": 1, "c": 1})
		_, err = r.link.Trim(r.Context(), 0, time.Hour, 0)
		equal(r, "error", err, nil)
		equal(r, "left", r.do("EXISTS", k("groups")), any(int64(0)))
	}},
	{"minutes", func(r *rig) { r.register("w"); r.putNow(2); r.ago(3) }, func(r *rig, _ bool) {
		if _, err := r.beat("w", false); err != nil {
			r.Error(err)
		}
		r.take("w", 2)
		grown := map[string]int64{}
		for _, m := range r.minutes(9) {
			for name, n := range m.Counters {
				grown[name] += n
			}
		}
		equal(r, "growth", grown, map[string]int64{"enqueued": 2, "claimed": 2})
	}},
	{"edit", func(r *rig) { r.put(queue.NewJob{ID: "a", Delay: time.Hour}) }, func(r *rig, _ bool) {
		if _, err := r.client.Edit(r.Context(), r.name, "a", queue.Changes{Payload: []byte("7")}); err != nil {
			r.Error(err)
		}
		equal(r, "payload", string(r.get("a").Payload), "7")
	}},
	{"list, get, overview", func(r *rig) { scattered(r); r.at(time.Hour) }, func(r *rig, _ bool) {
		for state, n := range map[queue.State]int{queue.Dead: 1, queue.Scheduled: 2, queue.Processing: 1, queue.Done: 0} {
			for _, newest := range []bool{false, true} {
				equal(r, string(state), len(r.pages(queue.Listing{State: state, Limit: 1, Newest: newest}, nil)), n)
			}
		}
		equal(r, "worker", r.get("runs").Worker, "w")
		equal(r, "processing", r.overview().Processing, 1)
	}},
	{"trail", func(r *rig) { r.put(queue.NewJob{Delay: time.Hour}) }, func(r *rig, _ bool) {
		for _, verb := range []string{"pause", "resume"} {
			equal(r, "error", r.record(queue.Deed{Verb: verb, Who: "ann"}), nil)
		}
		equal(r, "kept", len(r.trail(9)), 2)
	}},
	{"limit", func(*rig) {}, func(r *rig, _ bool) {
		ann, _ := r.subject()
		for range 2 {
			_ = r.limit(ann, hourly, 1)
		}
	}},
}
