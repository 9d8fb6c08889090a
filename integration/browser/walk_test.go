package browser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// TestWalk is an operator's night: of a thousand jobs fifty die, since the worker that was deployed lacks their handler. It is found,
// the worker replaced, and the group redriven; a job that runs is cancelled, and the queue paused and resumed. All programs are real,
// and all that is done is done on pages.
func TestWalk(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	b := s.tab()
	broken := start(t, []string{"REDIS_URL=" + s.redis.URL()}, built.Path(t, "jobqueue"))
	s.registerThousand()
	s.until("all that it knows to be done", func(o queue.Overview) bool { return o.Counters["done"] == 950 && o.Dead == 50 })

	b.mustOpen("/ui")
	b.says(".tile.dead", "50")
	b.follow(".tile.dead a")
	b.says("tbody tr", `no handler for job type "ok" on this worker`)

	b.mustOpen("/ui/workers")
	b.follow("main button[value=quiet]")
	b.says(".notice.ok", "claim nothing more")
	b.follow("a.button.bad")
	b.follow("main button[value=stop]")
	select {
	case <-broken.gone:
	case <-time.After(patience):
		t.Fatal("the worker that was stopped still runs")
	}
	s.worker(name)

	b.mustOpen("/ui/dead")
	b.follow("tbody tr a[href*='verb=redrive']")
	b.says(".lead", "50 jobs")
	b.follow("main form.actions button")
	b.says(".notice.ok", "50 jobs are scheduled again")
	s.until("the redriven jobs to be done", func(o queue.Overview) bool { return o.Counters["done"] == 1000 && o.Dead == 0 })

	id := s.add(queue.NewJob{Type: "ok", Payload: []byte(`{"ms":600000}`)})
	redistest.Await(t, patience, "the job to run", func() bool { return s.job(name, id).State == queue.Processing })
	b.mustOpen(jobPage(id))
	b.follow("main button[value=cancel]")
	b.says(".notice.ok", "being cancelled")
	redistest.Await(t, patience, "the job to end", func() bool { return s.gone(name, id) })

	b.mustOpen("/ui")
	b.follow("main button[value=pause]")
	b.says(".alerts", "The queue default is paused.")
	waits := s.add(queue.NewJob{Type: "ok"})
	b.mustOpen("/ui")
	b.says(".alerts", "The queue default is paused, and 1 job is late")
	if state := s.job(name, waits).State; state != queue.Scheduled {
		t.Errorf("a job of the paused queue is %s", state)
	}
	b.follow("main button[value=resume]")
	b.says(".notice.ok", "is resumed")
	redistest.Await(t, patience, "the job that waited to be done", func() bool { return s.gone(name, waits) })

	var verbs []string
	for _, d := range s.deeds(name) {
		verbs = append(verbs, fmt.Sprint(d.Verb, " ", d.Jobs))
	}
	if got, want := fmt.Sprint(verbs), "[resume 0 pause 0 cancel 1 redrive 50 stop 0 quiet 0]"; got != want {
		t.Errorf("the trail has %s, want %s", got, want)
	}
	redistest.AssertConserved(t, s.redis.Client(), name)
}

// registerThousand registers 1,000 jobs by one request to the API, 50 of them of the type ok.
func (s *scene) registerThousand() {
	s.Helper()
	type job struct {
		Type     string `json:"type,omitempty"`
		Message  string `json:"message,omitempty"`
		Delay    int    `json:"delay_seconds"`
		MaxRetry int    `json:"max_retry"`
	}
	var body struct {
		Jobs []job `json:"jobs"`
	}
	for n := range 1000 {
		j := job{Message: fmt.Sprint("order ", n)}
		if n%20 == 0 {
			j = job{Type: "ok"}
		}
		body.Jobs = append(body.Jobs, j)
	}
	text, err := json.Marshal(body)
	if err != nil {
		s.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.site()+"/api/dm-jobqueue/register/bulk", bytes.NewReader(text))
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token(s, api.TokenClaims{Subject: "shop", Scopes: api.Scopes()}))
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		s.Fatalf("registration answers %s", res.Status)
	}
}

// until waits for the figures of the queue.
func (s *scene) until(what string, ok func(queue.Overview) bool) {
	s.Helper()
	redistest.Await(s, patience, what, func() bool { return ok(s.overview(name)) })
}
