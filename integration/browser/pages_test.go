package browser

import (
	"testing"

	"github.com/punctualq/punctual/queue"
)

// pagesOf are all pages of a dashboard with one job, by what their heading says.
func pagesOf(id string) map[string]string {
	return map[string]string{
		"/ui": "Overview", "/ui/jobs": "Jobs", "/ui/jobs/" + id + "?queue=default": id, "/ui/dead": "Dead", "/ui/workers": "Workers",
		"/ui/redis": "Redis", "/ui/trail": "Audit trail", "/ui/all?queue=default&state=scheduled&verb=cancel": "Cancel all that match",
	}
}

// TestEveryPageLoads: each without an error in the console, and without a request to another host, which every tab looks for.
func TestEveryPageLoads(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id := s.add(queue.NewJob{Delay: 1e12})
	b := s.tab()
	for path, heading := range pagesOf(id) {
		b.mustOpen(path)
		b.says("h1", heading)
	}
}
