package queue_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// forgettable makes a queue of which all but jobs and workers is left.
func forgettable(r *rig) {
	r.Helper()
	r.register("w")
	r.put(queue.NewJob{Delay: time.Hour})
	r.do("HSET", k("unique"), "key", "gone")
	r.do("SADD", k("cancelled"), "gone")
	if _, err := r.client.PurgeAll(r.Context(), r.name, queue.Filter{State: queue.Scheduled}); err != nil {
		r.Fatal(err)
	}
	if left, err := r.link.Leave(r.Context(), "w"); !left || err != nil {
		r.Fatal(left, err)
	}
}

func TestForget(t *testing.T) {
	r := newRig(t)
	forgettable(r)
	if before := r.everything(); len(before) < 4 {
		t.Fatalf("there is only %v", before)
	}
	equal(t, "error", r.client.Forget(t.Context(), r.name), nil)
	equal(t, "left", r.everything(), map[string]any{})
	queues, err := r.client.Queues(t.Context())
	if err != nil || slices.Contains(queues, r.name) || r.raw.SIsMember(t.Context(), "punctual:queues", r.name).Val() {
		t.Errorf("%v, %v: it is known", queues, err)
	}
	equal(t, "again", r.client.Forget(t.Context(), r.name), nil)
	r.put(queue.NewJob{ID: "a"})
	equal(t, "known again", r.raw.SIsMember(t.Context(), "punctual:queues", r.name).Val(), true)
	equal(t, "name", errors.Is(r.client.Forget(t.Context(), "No Queue"), queue.ErrInvalid), true)
}

// What is in use stays as it is: one job of any state, or one worker.
func TestForgetLeavesWhatIsInUse(t *testing.T) {
	for name, use := range map[string]func(r *rig){
		"scheduled":  func(r *rig) { r.put(queue.NewJob{Delay: time.Hour}) },
		"processing": func(r *rig) { r.register("w"); r.putNow(1); r.take("w", 1) },
		"dead":       func(r *rig) { bury(r, 1); _, _ = r.link.Leave(r.Context(), "w") },
		"done":       func(r *rig) { r.do("ZADD", k("done"), 1e15, "kept"); r.do("HSET", k("jobs"), "kept", "{}") },
		"worker":     func(r *rig) { r.register("w") },
		"no record":  func(r *rig) { r.do("ZADD", k("scheduled"), 1, "foreign") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			use(r)
			before := r.everything()
			if err := r.client.Forget(t.Context(), r.name); !errors.Is(err, queue.ErrInUse) {
				t.Errorf("%v, want ErrInUse", err)
			}
			r.unchanged(before)
			if name == "no record" {
				r.do("DEL", k("scheduled"))
			}
		})
	}
}
