package integration

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

// TestOutage: Redis hangs for longer than the heartbeat's TTL while a job runs. No job is taken from a living worker, the
// API answers 503 within a second all along, and everything resumes by itself.
func TestOutage(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r *redistest.Server) {
		server := startServer(t, r)
		worker := startJobqueue(t, r)
		second := startJobqueue(t, r)
		id := server.mustRegister(t, `{"type": "sleep", "payload": {"seconds": 25}, "delay_seconds": 0}`)
		redistest.Await(t, 10*time.Second, "the job to run", func() bool { return processing(t, r.Client(), 0) == 1 })
		r.Pause(t)
		outage := time.NewTimer(14 * time.Second) // the length of the pause is the fault that is injected
		for range 3 {
			if a := server.register(t, `{}`); a.status != http.StatusServiceUnavailable || a.took > time.Second {
				t.Errorf("registration while Redis hangs: %d %s after %s, want 503 within 1 s", a.status, a.Code, a.took)
			}
		}
		if server.get("/livez") != http.StatusOK || server.get("/readyz") != http.StatusServiceUnavailable {
			t.Errorf("probes while Redis hangs: livez %d, readyz %d", server.get("/livez"), server.get("/readyz"))
		}
		<-outage.C
		r.Resume(t)
		back := time.Now()
		redistest.Await(t, 2*time.Second, "a 201 within 2 s of the return", func() bool {
			return server.register(t, `{"delay_seconds": 3600}`).status == http.StatusCreated
		})
		redistest.Await(t, 2*time.Second, "both workers within 2 s of the return", func() bool {
			return worker.get("/readyz") == http.StatusOK && second.get("/readyz") == http.StatusOK
		})
		t.Logf("all back %s after Redis was (%s)", time.Since(back).Round(time.Millisecond), r.Backend())
		if got := r.Client().HGet(t.Context(), attemptsKey, id).Val(); got != "1" {
			t.Errorf("attempts = %q after the outage, want 1", got)
		}
		redistest.Await(t, 30*time.Second, "the job to be done", func() bool { return stat(t, r.Client(), "default", "done") == 1 })
		for name, want := range map[string]int{"reaped": 0, "lost": 0, "retried": 0} {
			if got := stat(t, r.Client(), "default", name); got != want {
				t.Errorf("%s = %d, want %d", name, got, want)
			}
		}
		for _, p := range []*process{worker, second} {
			if n := strings.Count(p.stderr.String(), `"level":"warn"`); n > 12 {
				t.Errorf("%d warnings in an outage of 14 s: a flood", n)
			}
		}
		redistest.AssertConserved(t, r.Client(), "default")
	})
}

// TestStartWithoutRedis: both processes start before Redis, say so once, and work by themselves when it comes.
func TestStartWithoutRedis(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r *redistest.Server) {
		r.Stop(t)
		server := startServer(t, r)
		worker := start(t, r, nil, built.Path(t, "jobqueue"))
		worker.awaitHTTP(t, "/livez", http.StatusOK, 10*time.Second)
		worker.awaitLog(t, 5*time.Second, "Redis cannot be reached")
		for _, p := range []*process{server, worker} {
			if status := p.get("/readyz"); status != http.StatusServiceUnavailable {
				t.Errorf("readyz = %d without Redis, want 503", status)
			}
		}
		a := server.register(t, `{}`)
		if a.status != http.StatusServiceUnavailable || a.Code != "redis-unavailable" || a.took > time.Second {
			t.Errorf("registration without Redis: %d %s after %s", a.status, a.Code, a.took)
		}
		r.Start(t)
		redistest.Await(t, 2*time.Second, "a 201 within 2 s of the start", func() bool {
			return server.register(t, `{"message": "hello", "delay_seconds": 0}`).status == http.StatusCreated
		})
		redistest.Await(t, 3*time.Second, "the worker to run the job", func() bool {
			return strings.Contains(worker.stdout.String(), "] hello\n")
		})
		redistest.AssertConserved(t, r.Client(), "default")
	})
}
