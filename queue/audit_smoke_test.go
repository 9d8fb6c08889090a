package queue_test

import (
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

func TestAuditClean(t *testing.T) {
	for _, s := range []*redistest.Server{redistest.Any(t), redistest.Embedded(t)} {
		r := rigOn(t, s, queue.Options{Timeout: bound})
		busy(r)
		jobs := make([]queue.NewJob, 300)
		for i := range jobs {
			jobs[i].Delay = time.Hour
		}
		for i := 0; i < 300; i += 100 {
			r.put(jobs[i : i+100]...)
		}
		got, err := r.client.Audit(t.Context(), r.name, queue.AuditOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", got)
		equal(t, "findings", got.Findings, []queue.Finding{})
	}
}
