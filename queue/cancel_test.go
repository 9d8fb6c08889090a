package queue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// expectCancelled cancels a job, and says in which state it must have been found.
func expectCancelled(r *rig, id string, want queue.State, wantErr error) {
	r.Helper()
	state, err := r.client.Cancel(r.Context(), r.name, id)
	if state != want || !errors.Is(err, wantErr) {
		r.Errorf("cancel of %s: %q, %v, want %q, %v", id, state, err, want, wantErr)
	}
}

// A job that waits is gone, and nothing of it is left: its id may be used again.
func TestCancelOfAJobThatWaits(t *testing.T) {
	r := newRig(t)
	r.register("w")
	id := r.putNow(1)[0]
	job := r.take("w", 1)[0]
	r.settle("w", queue.Result{Element: job.Element, Outcome: "retry", Delay: time.Hour, Failure: &queue.Failure{Error: "x"}})
	expectCancelled(r, id, queue.Scheduled, nil)
	equal(t, "left of it", r.do("EXISTS", k("scheduled"), k("jobs"), k("attempts"), k("errors"), k("cancelled"), k("control:w")), any(int64(0)))
	expectCancelled(r, id, "", queue.ErrNotFound)
	r.expectStats(map[string]string{"enqueued": "1", "claimed": "1", "retried": "1", "cancelled": "1"})
	r.put(queue.NewJob{ID: id})
}

// One that is finished stays as it is, and the error says what it is.
func TestCancelOfAFinishedJob(t *testing.T) {
	r := newRig(t)
	bury(r, 1)
	r.put(queue.NewJob{ID: "kept"})
	r.do("ZREM", k("scheduled"), "kept")
	r.do("ZADD", k("done"), r.now()+time.Hour.Milliseconds(), "kept")
	before := r.everything()
	for id, state := range map[string]queue.State{"dead000": queue.Dead, "kept": queue.Done} {
		expectCancelled(r, id, state, queue.ErrState)
		_, err := r.client.Cancel(t.Context(), r.name, id)
		var wrong *queue.StateError
		equal(t, "told", errors.As(err, &wrong) && wrong.State == state, true)
	}
	expectCancelled(r, "nobody", "", queue.ErrNotFound)
	if _, err := r.client.Cancel(t.Context(), "No Queue", "x"); !errors.Is(err, queue.ErrInvalid) {
		t.Errorf("%v", err)
	}
	r.unchanged(before)
}

// Whatever its worker reports of a job that is being cancelled, it is gone; but what is done is done.
func TestCancelOfAJobThatIsRun(t *testing.T) {
	for outcome, want := range map[queue.Outcome]queue.Outcome{"done": "done", "retry": "cancelled", "dead": "cancelled",
		"release": "cancelled", "corrupt": "cancelled"} {
		t.Run(string(outcome), func(t *testing.T) {
			r := newRig(t)
			r.register("v", "w")
			id := r.putNow(1)[0]
			element := r.take("w", 1)[0].Element
			expectCancelled(r, id, queue.Processing, nil)
			expectCancelled(r, id, queue.Processing, nil)
			pulse, err := r.beat("w", false)
			equal(t, "error", err, nil)
			equal(t, "told", pulse.Cancelled, []string{element})
			equal(t, "own list", pulse.Own, []string{element})
			equal(t, "tokens", r.do("LRANGE", k("control:w"), 0, -1), any([]any{"1"}))
			equal(t, "tokens of others", r.do("EXISTS", k("control:v")), any(int64(0)))
			if ttl := r.raw.PTTL(t.Context(), r.key("control:w")).Val(); ttl <= 0 || ttl > time.Minute {
				t.Errorf("the token is kept for %s", ttl)
			}
			pulse, err = r.beat("v", false)
			equal(t, "another is told nothing", err == nil && len(pulse.Cancelled)+len(pulse.Own) == 0, true)
			got := r.settle("w", queue.Result{Element: element, Outcome: outcome, Failure: &queue.Failure{Error: "x"}},
				queue.Result{Element: "77:" + id, Outcome: outcome})
			equal(t, "outcomes", got, []queue.Outcome{want, queue.OutcomeLost})
			equal(t, "left of it", r.do("EXISTS", k("scheduled"), k("jobs"), k("attempts"), k("errors"), k("cancelled"), k("dead")), any(int64(0)))
			r.expectStats(map[string]string{"enqueued": "1", "claimed": "1", string(want): "1", "lost": "1"})
		})
	}
}

// Results that were not cancelled are taken as ever beside one that was, whichever way they are taken off the list.
func TestCancelLeavesTheOthersAlone(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.putNow(5)
	jobs := r.take("w", 5)
	expectCancelled(r, jobs[1].Job.ID, queue.Processing, nil)
	expectCancelled(r, jobs[3].Job.ID, queue.Processing, nil)
	var results []queue.Result
	for i, outcome := range []queue.Outcome{"done", "done", "retry", "retry", "release"} {
		results = append(results, queue.Result{Element: jobs[i].Element, Outcome: outcome, Delay: time.Hour})
	}
	equal(t, "outcomes", r.settle("w", results...), []queue.Outcome{"done", "done", "retry", "cancelled", "release"})
	equal(t, "none is being cancelled", r.do("EXISTS", k("cancelled")), any(int64(0)))
	equal(t, "retry", r.get(jobs[2].Job.ID).State, queue.Scheduled)
}

// The worker of a job that is being cancelled dies: nobody runs it again.
func TestCancelOfAJobWhoseWorkerDies(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.putNow(3)
	jobs := r.take("w", 3)
	expectCancelled(r, jobs[1].Job.ID, queue.Processing, nil)
	r.kill("w")
	equal(t, "reaped", r.reap("w"), queue.Reaped{Verdict: "reaped", Rescheduled: 2, Cancelled: 1})
	if _, err := r.client.Get(t.Context(), r.name, jobs[1].Job.ID); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("%v", err)
	}
	equal(t, "left of it", r.do("EXISTS", k("cancelled"), k("control:w")), any(int64(0)))
	r.expectStats(map[string]string{"enqueued": "3", "claimed": "3", "reaped": "3", "cancelled": "1"})
}

// A worker that registers while a job is looked for is not missed.
func TestCancelKnowsEveryWorker(t *testing.T) {
	r := newRig(t)
	r.register("v", "w")
	id := r.putNow(1)[0]
	r.take("w", 1)
	equal(t, "knowing v", queue.CancelKnowing(t.Context(), r.client, r.name, id, "v"), "again")
	equal(t, "knowing one that has left, too", queue.CancelKnowing(t.Context(), r.client, r.name, id, "v", "gone"), "again")
	equal(t, "knowing all", queue.CancelKnowing(t.Context(), r.client, r.name, id, "v", "w"), "processing")
	equal(t, "nobody has it", queue.CancelKnowing(t.Context(), r.client, r.name, "x", "v", "w"), "missing")
}

// The history tells of it, for the checker.
func TestCancelIsPartOfTheHistory(t *testing.T) {
	l := &ledger{}
	r := rigOn(t, redistest.Any(t), queue.Options{Timeout: bound, History: l.tell})
	id := r.putNow(1)[0]
	l.take()
	expectCancelled(r, id, queue.Scheduled, nil)
	expectCancelled(r, id, "", queue.ErrNotFound)
	l.expect(t, "cancel-job invoke "+id, "cancel-job ok "+id+" scheduled", "cancel-job invoke "+id, "cancel-job fail "+id)
}
