package queue_test

import (
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// What is well is left alone, whatever an audit saw before. TestAuditFindsEachDamage has what repair mends.
func TestRepairLeavesWhatIsWell(t *testing.T) {
	r := newRig(t)
	healthy(r)
	before := r.everything()
	for _, id := range []string{"waiting", "late", "held", "gone", "over", "nobody"} {
		words, err := r.client.Repair(t.Context(), r.name, id, "w")
		equal(t, "error", err, nil)
		if id == "held" || words[0] == "again" { // v is registered and was not named
			equal(t, id, words, []string{"again"})
		}
	}
	r.unchanged(before)
	if _, err := r.link.Leave(t.Context(), "v"); err != nil {
		t.Fatal(err)
	}
	before = r.everything()
	for _, id := range []string{"waiting", "late", "held", "gone", "over", "nobody"} {
		words, err := r.client.Repair(t.Context(), r.name, id, "w")
		equal(t, "error", err, nil)
		equal(t, id, words, []string{"well"})
	}
	r.unchanged(before)
}

// The repair of a job that is taken off its worker meanwhile settles nothing twice: the late result is lost.
func TestRepairedJobAndItsLateResult(t *testing.T) {
	r := newRig(t)
	healthy(r)
	first := r.element("w", "held")
	r.do("RPUSH", k("processing:w"), "99:held")
	equal(t, "left", r.audit(true).Left(), 0)
	equal(t, "first", r.settle("w", queue.Result{Element: first, Outcome: queue.OutcomeDone}), []queue.Outcome{queue.OutcomeLost})
	equal(t, "latest", r.settle("w", queue.Result{Element: "99:held", Outcome: queue.OutcomeDone}), []queue.Outcome{queue.OutcomeDone})
	equal(t, "findings", r.audit(false).Findings, []queue.Finding{})
}

// A job whose attempts cannot be read cannot be scheduled: how often it ran is not known.
func TestRepairOfUnreadableAttempts(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{ID: "a", Delay: time.Hour})
	r.do("ZREM", k("scheduled"), "a")
	r.do("HSET", k("attempts"), "a", "many")
	r.audit(true)
	info := r.get("a")
	equal(t, "state, failure", []string{string(info.State), info.Failures[0].Error}, []string{"dead", "attempts are not a number"})
	equal(t, "attempts", info.Attempts, 0)
	equal(t, "findings", r.audit(false).Findings, []queue.Finding{})
}
