package queue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// A job with a retention is kept when it is done, and answers Get until trim forgets it.
func TestRetention(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.put(queue.NewJob{ID: "a", Retention: time.Hour, Payload: []byte("1")})
	r.makeDue("a")
	c := r.take("w", 1)[0]
	equal(t, "retention", c.Job.Retention, time.Hour)
	r.settle("w", queue.Result{Element: c.Element, Outcome: queue.OutcomeRetry, Failure: &queue.Failure{Error: "x"}, Retention: time.Hour})
	r.makeDue("a")
	before := r.now()
	equal(t, "outcome", r.settle("w", queue.Result{Element: r.take("w", 1)[0].Element, Outcome: queue.OutcomeDone, Retention: time.Hour}),
		[]queue.Outcome{queue.OutcomeDone})
	got := r.get("a")
	equal(t, "state", got.State, queue.Done)
	equal(t, "attempts", got.Attempts, 2)
	equal(t, "failures", len(got.Failures), 1)
	equal(t, "payload", string(got.Payload), "1")
	if ms := got.Finished.UnixMilli(); ms < before || ms > r.now() || !got.Due.Equal(got.Finished.Add(time.Hour)) {
		t.Errorf("finished %s, kept until %s", got.Finished, got.Due)
	}
	equal(t, "exists", errors.Is(r.hand(queue.NewJob{ID: "a"}).Err, queue.ErrExists), true)
	r.expectStats(map[string]string{"enqueued": "1", "claimed": "2", "retried": "1", "done": "1"})
	r.trim(queue.Trimmed{}, 10)
	r.do("ZADD", k("done"), r.now()-1, "a")
	r.trim(queue.Trimmed{Done: 1}, 10)
	_, err := r.client.Get(t.Context(), r.name, "a")
	equal(t, "forgotten", errors.Is(err, queue.ErrNotFound), true)
	for _, key := range []k{"jobs", "attempts", "errors", "done"} {
		equal(t, string(key), r.do("EXISTS", key), any(int64(0)))
	}
	equal(t, "counted", r.stat("done_trimmed"), 1)
}

func (r *rig) trim(want queue.Trimmed, mostDone int) {
	r.Helper()
	got, err := r.link.Trim(r.Context(), 1000, 1000*time.Hour, mostDone)
	if err != nil || got != want {
		r.Errorf("trimmed %+v, want %+v (%v)", got, want, err)
	}
}

// A job that is done and whose record another hand has deleted is forgotten: there is nothing to keep.
func TestRetentionOfNothing(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.put(queue.NewJob{ID: "a", Retention: time.Hour})
	r.makeDue("a")
	element := r.take("w", 1)[0].Element
	r.do("HDEL", k("jobs"), "a")
	equal(t, "outcome", r.settle("w", queue.Result{Element: element, Outcome: queue.OutcomeDone, Retention: time.Hour}), []queue.Outcome{queue.OutcomeDone})
	equal(t, "kept", r.do("EXISTS", k("done")), any(int64(0)))
}

// Done jobs are bounded in number: those that may be forgotten first go first, in parts, behind the dead.
func TestTrimOfTheDone(t *testing.T) {
	r := newRig(t)
	r.register("w")
	bury(r, 30)
	ids := r.putNow(100)
	var results []queue.Result
	for i, c := range r.take("w", 100) {
		results = append(results, queue.Result{Element: c.Element, Outcome: queue.OutcomeDone, Retention: time.Hour + time.Duration(i)*time.Minute})
	}
	r.settle("w", results...)
	got, err := r.link.Trim(t.Context(), 0, time.Hour, 5)
	equal(t, "one call", got, queue.Trimmed{Dead: 30, Done: 70, More: true})
	equal(t, "error", err, nil)
	r.trim(queue.Trimmed{Done: 25}, 5)
	equal(t, "kept", r.raw.ZRange(t.Context(), r.key("done"), 0, -1).Val(), ids[95:])
	equal(t, "jobs", r.raw.HLen(t.Context(), r.key("jobs")).Val(), int64(5))
	equal(t, "counted", r.stat("done_trimmed"), 95)
}

// A job that was not started in time goes to dead when it is next claimed; one that was begun once never expires.
func TestExpiry(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.put(queue.NewJob{ID: "late", Expires: 1500 * time.Millisecond}, queue.NewJob{ID: "begun", Expires: time.Second},
		queue.NewJob{ID: "in-time", Expires: time.Hour}, queue.NewJob{ID: "never"})
	now := r.now()
	for id, due := range map[string]int64{"late": 1000, "begun": now, "in-time": now, "never": 1000} {
		r.do("ZADD", k("scheduled"), due, id)
	}
	claimed := r.claim("w", 9).Jobs
	equal(t, "claimed", len(claimed), 3)
	got := r.get("late")
	equal(t, "state", got.State, queue.Dead)
	equal(t, "reason", got.Failures[0].Error, "expired: not started within 1.5 s of its due time")
	equal(t, "by", got.Failures[0].Worker, "w")
	equal(t, "attempts", got.Attempts, 0)
	equal(t, "expires", got.Expires, 1500*time.Millisecond)
	r.expectStats(map[string]string{"enqueued": "4", "claimed": "3", "dead": "1", "expired": "1"})
	for _, c := range claimed {
		r.settle("w", queue.Result{Element: c.Element, Outcome: queue.OutcomeRetry})
		r.makeDue(c.Job.ID)
	}
	equal(t, "claimed again", len(r.claim("w", 9).Jobs), 3)
}
