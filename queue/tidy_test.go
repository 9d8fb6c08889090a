package queue_test

import (
	"testing"

	"github.com/punctualq/punctual/queue"
)

// What is well is left alone, whatever an audit saw before. TestAuditFindsEachDamage has what tidy mends.
func TestTidyLeavesWhatIsWell(t *testing.T) {
	r := newRig(t)
	healthy(r)
	r.dropToken()
	before := r.everything()
	for _, what := range [][3]string{{"list-unregistered", "w"}, {"list-unregistered", "nobody"}, {"heartbeat-unregistered", "w"},
		{"heartbeat-unregistered", "nobody"}, {"heartbeat-without-ttl", "w"}, {"heartbeat-without-ttl", "nobody"},
		{"worker-never-overdue", "w", "5"}, {"worker-never-overdue", "nobody", "5"}, {"reaping-unregistered", "w"}, {"order-unregistered", "w"}, {"cancelled-not-held", "w", "w"},
		{"meta-malformed", "interval", "soon"}, {"counter-malformed", "enqueued", "many"}, {"wake-tokens"}, {"counters-differ"},
		{"group-malformed", "0123456789abcdef", "junk"}} {
		words, err := r.client.Tidy(t.Context(), r.name, what[0], what[1], what[2])
		equal(t, "error", err, nil)
		equal(t, what[0], words, []string{"well"})
	}
	r.unchanged(before)
}

// A worker that comes alive between audit and repair keeps its mark and its list.
func TestTidyAfterTheWorkerCameBack(t *testing.T) {
	r := newRig(t)
	healthy(r)
	r.do("ZREM", k("workers"), "w")
	equal(t, "left", r.audit(false).Left(), 2)
	r.register("w")
	words, err := r.client.Tidy(t.Context(), r.name, "list-unregistered", "w", "")
	equal(t, "error", err, nil)
	equal(t, "answer", words, []string{"well"})
	equal(t, "findings", r.audit(true).Findings, []queue.Finding{})
}
