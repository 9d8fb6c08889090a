package queue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// While a queue is paused nothing is claimed; jobs are taken in and settled; when it goes on, a worker is woken.
func TestPause(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.putNow(2)
	held := r.take("w", 1)[0]
	changed, err := r.client.Pause(t.Context(), r.name)
	equal(t, "paused", changed && err == nil, true)
	r.dropToken()
	c := r.claim("w", 5)
	equal(t, "claimed", len(c.Jobs), 0)
	equal(t, "next due, armed", c.NextDue.IsZero() && !c.Armed, true)
	equal(t, "held", c.Held, 1)
	pulse, err := r.beat("w", false)
	equal(t, "next due", err == nil && pulse.NextDue.IsZero(), true)
	pulse, err = r.client.Observe(t.Context(), r.name, timing)
	equal(t, "next due", err == nil && pulse.NextDue.IsZero(), true)
	equal(t, "settled", r.settle("w", queue.Result{Element: held.Element, Outcome: "done"})[0], queue.OutcomeDone)
	r.putNow(1)
	r.dropToken()
	changed, err = r.client.Pause(t.Context(), r.name)
	equal(t, "again", !changed && err == nil, true)
	changed, err = r.client.Resume(t.Context(), r.name)
	equal(t, "resumed", changed && err == nil, true)
	equal(t, "token", r.token(), true)
	r.take("w", 2)
	changed, err = r.client.Resume(t.Context(), r.name)
	equal(t, "again", !changed && err == nil, true)
	equal(t, "field", r.do("HEXISTS", k("meta"), "paused"), any(int64(0)))
}

// A worker that was reaped is told so, paused or not.
func TestPauseDoesNotHideTheFence(t *testing.T) {
	r := newRig(t)
	r.putNow(1)
	if _, err := r.client.Pause(t.Context(), r.name); err != nil {
		t.Fatal(err)
	}
	if x := r.exchange("stranger", 1); !errors.Is(x.ClaimErr, queue.ErrFenced) {
		t.Errorf("%v", x.ClaimErr)
	}
}

// A timekeeper gives its lease up with its next claim; when the queue goes on, the worker that the token wakes takes it.
func TestPauseEndsTimekeeping(t *testing.T) {
	r := newRig(t)
	r.register("w", "other")
	r.at(time.Hour)
	equal(t, "armed", r.claim("w", 1).Armed, true)
	if _, err := r.client.Pause(t.Context(), r.name); err != nil {
		t.Fatal(err)
	}
	r.claim("w", 1)
	equal(t, "keeper", r.do("HEXISTS", k("meta"), "timekeeper"), any(int64(0)))
	if _, err := r.client.Resume(t.Context(), r.name); err != nil {
		t.Fatal(err)
	}
	equal(t, "token", r.token(), true)
	equal(t, "armed", r.claim("other", 1).Armed, true)
}

func TestPauseOfAQueueThatIsNotThere(t *testing.T) {
	r := newRig(t)
	for name, want := range map[string]error{r.name + "-never": queue.ErrNoQueue, "No Queue": queue.ErrInvalid} {
		if _, err := r.client.Pause(t.Context(), name); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
