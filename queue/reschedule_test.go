package queue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

func (r *rig) reschedule(id string, when queue.When) time.Time {
	r.Helper()
	due, err := r.client.Reschedule(r.Context(), r.name, id, when)
	if err != nil {
		r.Fatalf("reschedule %s: %v", id, err)
	}
	return due
}

// scattered makes one job of each state: waits, runs, dead.
func scattered(r *rig) {
	r.Helper()
	bury(r, 1)
	r.put(queue.NewJob{ID: "runs"})
	r.makeDue("runs")
	r.take("w", 1)
	r.put(queue.NewJob{ID: "waits", Delay: time.Hour})
}

// inState is what a verb that is for scheduled jobs says of the others.
func inState(r *rig, what string, use func(id string) error) {
	r.Helper()
	before := r.everything()
	for id, want := range map[string]queue.State{"runs": queue.Processing, "dead000": queue.Dead} {
		var state *queue.StateError
		if err := use(id); !errors.As(err, &state) || state.State != want || !errors.Is(err, queue.ErrState) {
			r.Errorf("%s of %s: %v, want that it is %s", what, id, err, want)
		}
	}
	if err := use("nobody"); !errors.Is(err, queue.ErrNotFound) {
		r.Errorf("%s of nobody: %v", what, err)
	}
	r.unchanged(before)
}

func TestReschedule(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.put(queue.NewJob{ID: "a", Delay: time.Hour}, queue.NewJob{ID: "b", Delay: 2 * time.Hour})
	r.dropToken()

	before := r.now()
	due := r.reschedule("b", queue.When{In: 90 * time.Minute}).UnixMilli()
	if due < before+90*60_000 || due > r.now()+1+90*60_000 {
		t.Errorf("due %d ms from then, want 90 minutes", due-before)
	}
	equal(t, "due", r.get("b").Due.UnixMilli(), due)
	equal(t, "token of one that is not the head", r.token(), false)

	at := time.UnixMilli(r.now()).Add(30*time.Minute + 300*time.Microsecond)
	equal(t, "rounded up", r.reschedule("b", queue.When{At: at}).UnixMilli(), at.UnixMilli()+1)
	equal(t, "token of a new head", r.token(), true)
	r.dropToken()
	r.reschedule("b", queue.When{In: 3 * time.Hour})
	equal(t, "token when the head goes back", r.token(), false)

	before = r.now()
	for _, when := range []queue.When{{}, {At: time.UnixMilli(1000)}} { // now, and in the past
		r.reschedule("a", queue.When{In: time.Hour})
		if due := r.reschedule("a", when).UnixMilli(); due < before || due > r.now()+1 {
			t.Errorf("%+v: due %d ms from then", when, due-before)
		}
	}
	r.makeDue("a")
	for _, when := range []queue.When{{}, {At: time.UnixMilli(r.now() - 1)}} {
		equal(t, "one that is due keeps its turn", r.reschedule("a", when).UnixMilli(), 1000)
	}
	r.reschedule("a", queue.When{In: time.Minute}) // and may be put off all the same
	equal(t, "claimed", len(r.claim("w", 5).Jobs), 0)
	r.reschedule("a", queue.When{})
	r.reschedule("b", queue.When{In: 4 * time.Hour})
	equal(t, "stats", r.do("HLEN", k("stats")), any(int64(1)))
	r.makeDue("a")
	equal(t, "claimed", r.take("w", 1)[0].Job.ID, "a")
}

func TestRescheduleOnlyWhatIsScheduled(t *testing.T) {
	r := newRig(t)
	scattered(r)
	inState(r, "reschedule", func(id string) error {
		_, err := r.client.Reschedule(t.Context(), r.name, id, queue.When{})
		return err
	})
}

func TestRescheduleRefuses(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{ID: "a", Delay: time.Hour})
	before := r.everything()
	for field, when := range map[string][]queue.When{
		"delay_seconds": {{In: -1}, {In: queue.MaxDelay + 1}},
		"run_at":        {{At: time.Now().Add(queue.MaxDelay + time.Hour)}, {At: time.Now(), In: time.Second}, {At: time.UnixMilli(1 << 60)}},
	} {
		for _, w := range when {
			var invalid *queue.InvalidError
			if _, err := r.client.Reschedule(t.Context(), r.name, "a", w); !errors.As(err, &invalid) || invalid.Field != field {
				t.Errorf("%+v: %v, want that %s is invalid", w, err, field)
			}
		}
	}
	if _, err := r.client.Reschedule(t.Context(), "Bad Name", "a", queue.When{}); !errors.Is(err, queue.ErrInvalid) {
		t.Error(err)
	}
	r.unchanged(before)
	r.reschedule("a", queue.When{In: queue.MaxDelay})
}
