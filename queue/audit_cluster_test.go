package queue_test

import (
	"testing"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// On a Cluster the names of all queues lie on one node and a queue may lie on another: an audit asks both.
func TestAuditOnACluster(t *testing.T) {
	n := redistest.NewCluster(t, 2, 0)
	c, err := queue.Open(t.Context(), n.URL(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, server := range n.Servers {
		name := n.QueueOn(t, server)
		if _, err := c.Enqueue(t.Context(), queue.NewJob{Queue: name}); err != nil {
			t.Fatal(err)
		}
		report, err := c.Audit(t.Context(), name, queue.AuditOptions{})
		if err != nil || len(report.Findings) > 0 {
			t.Errorf("audit of a queue on %s: %+v, %v; want no findings", server.Addr(), report.Findings, err)
		}
		if err := n.Client(t).SRem(t.Context(), "punctual:queues", name).Err(); err != nil {
			t.Fatal(err)
		}
		report, err = c.Audit(t.Context(), name, queue.AuditOptions{Fix: true})
		if err != nil || len(report.Findings) != 1 || !report.Findings[0].Fixed {
			t.Errorf("mend the name of a queue on %s: %+v, %v; want it to be added", server.Addr(), report.Findings, err)
		}
	}
}
