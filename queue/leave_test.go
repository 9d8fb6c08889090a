package queue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

func TestLeaveWithAnEmptyList(t *testing.T) {
	r := newRig(t)
	r.register("w", "other")
	r.do("HSET", k("meta"), "reaping:w", "1")
	left, err := r.link.Leave(t.Context(), "w")
	if err != nil || !left {
		t.Fatalf("%v, %v", left, err)
	}
	equal(t, "heartbeat", r.do("EXISTS", k("heartbeat:w")), any(int64(0)))
	equal(t, "registry", r.raw.ZRange(t.Context(), r.key("workers"), 0, -1).Val(), []string{"other"})
	equal(t, "mark", r.do("HEXISTS", k("meta"), "reaping:w"), any(int64(0)))
	equal(t, "token: nothing waits", r.token(), false)
	if _, err := r.beat("w", false); !errors.Is(err, queue.ErrFenced) {
		t.Errorf("it is not registered any more: %v", err)
	}
	before := r.everything()
	if left, err = r.link.Leave(t.Context(), "w"); err != nil || !left {
		t.Errorf("again: %v, %v", left, err)
	}
	r.unchanged(before)
}

// What is left on the list is found by the reaper, and soon.
func TestLeaveWithJobsOnTheList(t *testing.T) {
	r := newRig(t)
	r.register("w", "other")
	r.putNow(2)
	r.take("w", 2)
	r.dropToken()
	left, err := r.link.Leave(t.Context(), "w")
	if err != nil || left {
		t.Fatalf("%v, %v", left, err)
	}
	equal(t, "heartbeat", r.do("EXISTS", k("heartbeat:w")), any(int64(0)))
	equal(t, "list", r.raw.LLen(t.Context(), r.key("processing:w")).Val(), int64(2))
	pulse, err := r.beat("other", false)
	if err != nil || pulse.Overdue != "w" {
		t.Errorf("overdue at once: %+v, %v", pulse, err)
	}
	equal(t, "token: nothing waits", r.token(), false)
	r.kill("w") // fills the window
	equal(t, "reaped", r.reap("w"), queue.Reaped{Verdict: "reaped", Rescheduled: 2})
}

func TestLeaveGivesUpTheLeaseAndAsksAnotherToLook(t *testing.T) {
	r := newRig(t)
	r.register("w", "other")
	due := r.at(time.Hour)[0]
	r.claim("w", 1)
	if _, err := r.link.Leave(t.Context(), "w"); err != nil {
		t.Fatal(err)
	}
	expectKeeper(r, "", 0)
	equal(t, "token", r.token(), true)

	r.claim("other", 1)
	r.register("w")
	if _, err := r.link.Leave(t.Context(), "w"); err != nil {
		t.Fatal(err)
	}
	expectKeeper(r, "other", due)
	equal(t, "one token", r.token(), true)
}

// A worker that another is reaping may say goodbye meanwhile: it must not free itself of the mark while jobs are left.
func TestLeaveWhileBeingReaped(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.putNow(150)
	r.claim("w", 100)
	r.claim("w", 100)
	r.kill("w")
	if got, err := r.link.Reap(t.Context(), "w"); err != nil || got.Left != 50 {
		t.Fatalf("%+v, %v", got, err)
	}
	left, err := r.link.Leave(t.Context(), "w")
	if err != nil || left {
		t.Fatalf("%v, %v", left, err)
	}
	if _, err := r.beat("w", false); !errors.Is(err, queue.ErrFenced) {
		t.Errorf("%v", err)
	}
	equal(t, "rest", r.reap("w"), queue.Reaped{Verdict: "reaped", Rescheduled: 50})
}

func TestLeaveOfAStranger(t *testing.T) {
	r := newRig(t)
	left, err := r.link.Leave(t.Context(), "stranger")
	if err != nil || !left {
		t.Errorf("%v, %v", left, err)
	}
	equal(t, "keys", r.everything(), map[string]any{})
}
