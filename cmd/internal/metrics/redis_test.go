package metrics

import (
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// TestScrapeOfARealQueue: what a scrape tells is what the queue's own verbs have done.
func TestScrapeOfARealQueue(t *testing.T) {
	r, name := redistest.Own(t), redistest.Queue(t)
	q, err := queue.Open(t.Context(), r.URL(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	for _, job := range []queue.NewJob{{ID: "soon", Delay: time.Hour}, {ID: "later", Delay: 2 * time.Hour}, {ID: "cancelled", Delay: time.Hour}, {ID: "due"}} {
		job.Queue = name
		if _, err := q.Enqueue(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := q.Cancel(t.Context(), name, "cancelled"); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Pause(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	m := New("server", "")
	m.Queues(q)
	got := scrape(t, m)
	label := `queue="` + name + `"`
	expect(t, got, map[string]float64{
		"punctual_redis_up": 1, "punctual_queues": 1,
		`punctual_jobs{` + label + `,state="scheduled"}`: 3, `punctual_jobs{` + label + `,state="processing"}`: 0,
		`punctual_jobs{` + label + `,state="dead"}`: 0, `punctual_jobs_due{` + label + `}`: 1, `punctual_workers{` + label + `}`: 0,
		`punctual_queue_paused{` + label + `}`: 1, `punctual_jobs_registered_total{` + label + `}`: 4, `punctual_jobs_cancelled_total{` + label + `}`: 1,
	})
	if next := got[`punctual_next_due_seconds{`+label+`}`]; next < 3000 || next > 3600 {
		t.Errorf("the next is due in %g s, want about an hour", next)
	}
}
