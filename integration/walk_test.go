package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// TestWalk is an operator's night by command line: of a thousand jobs fifty die, since the worker that was deployed lacks their
// handler. It is found, the worker replaced, and the group redriven; a job that runs is cancelled, and the queue paused and resumed.
func TestWalk(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r *redistest.Server) {
		c := open(t, r.URL())
		punctual := func(args ...string) string {
			t.Helper()
			cmd := exec.CommandContext(t.Context(), built.Path(t, "punctual"), args...)
			cmd.Env = append(os.Environ(), "APP_ENV=develop", "REDIS_URL="+r.URL())
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("punctual %s: %v\n%s", strings.Join(args, " "), err, out)
			}
			return string(out)
		}
		until := func(what string, ok func(queue.Overview) bool) {
			t.Helper()
			redistest.Await(t, time.Minute, what, func() bool {
				o, err := c.Overview(t.Context(), queue.DefaultQueue)
				return err == nil && ok(o)
			})
		}
		says := func(text string, wants ...string) {
			t.Helper()
			for _, want := range wants {
				if !strings.Contains(text, want) {
					t.Errorf("it does not say %q:\n%s", want, text)
				}
			}
		}
		ended := func(id string) {
			t.Helper()
			redistest.Await(t, time.Minute, id+" to have ended", func() bool {
				n, err := r.Client().HExists(t.Context(), "punctual:{default}:jobs", id).Result()
				return err == nil && !n
			})
		}

		broken := startJobqueue(t, r)
		var jobs []queue.NewJob
		for n := range 1000 {
			j := queue.NewJob{Type: "message", Payload: []byte(`"hello"`)}
			if n%20 == 0 {
				j = queue.NewJob{Type: "ok", MaxRetry: queue.NoRetry}
			}
			jobs = append(jobs, j)
		}
		if _, err := c.EnqueueMany(t.Context(), jobs); err != nil {
			t.Fatal(err)
		}
		until("all that it knows to be done", func(o queue.Overview) bool { return o.Counters["done"] == 950 && o.Dead == 50 })
		var figures struct{ Counters map[string]int64 }
		if err := json.Unmarshal([]byte(punctual("stats", "--json")), &figures); err != nil || figures.Counters["dead"] != 50 {
			t.Errorf("%+v, %v", figures, err)
		}
		punctual("register", "--type", "another", "--id", "stays", "--delay", "0s", "--max-retry", "0")
		until("one of another kind to die", func(o queue.Overview) bool { return o.Dead == 51 })
		var group struct {
			Group, Type, Error string
			Jobs               int
		}
		first, _, _ := strings.Cut(punctual("groups", "--json"), "\n") // the biggest
		if err := json.Unmarshal([]byte(first), &group); err != nil {
			t.Fatal(err)
		}
		if group.Group == "" || group.Jobs != 50 || group.Type != "ok" || !strings.Contains(group.Error, "no handler for job type") {
			t.Errorf("%+v", group)
		}

		workers, err := c.Workers(t.Context())
		if err != nil || len(workers) != 1 {
			t.Fatalf("%+v, %v", workers, err)
		}
		says(punctual("workers", "quiet", workers[0].ID), "claim nothing more")
		says(punctual("workers", "stop", workers[0].ID), "shut down")
		if code := broken.awaitExit(t, time.Minute); code != 0 {
			t.Errorf("the worker that was stopped exits with %d", code)
		}
		start(t, r, []string{"QUEUE=default", "JOB_TIMEOUT=10m", "WORKER_HTTP_ADDR="}, built.Path(t, "hostile"))
		redistest.Await(t, time.Minute, "the new worker", func() bool { return strings.Contains(punctual("workers", "ls"), "living") })

		says(punctual("queues", "redrive", "default", "--group", group.Group, "--yes"), "50 jobs redriven.")
		until("the redriven jobs to be done", func(o queue.Overview) bool { return o.Counters["done"] == 1000 && o.Dead == 1 })

		says(punctual("register", "--type", "ok", "--payload", `{"ms":600000}`, "--id", "long", "--delay", "0s"), "long")
		until("the job to run", func(o queue.Overview) bool { return o.Processing == 1 })
		says(punctual("jobs", "cancel", "long"), "its worker is told to end it")
		ended("long")

		says(punctual("queues", "pause", "default"), "paused")
		punctual("register", "--type", "ok", "--id", "waits", "--delay", "0s")
		says(punctual("jobs", "get", "waits"), "scheduled")
		says(punctual("queues", "resume", "default"), "is not paused")
		ended("waits")

		says(punctual("jobs", "purge", "stays"), "is gone")
		var verbs []string
		for line := range strings.Lines(punctual("trail", "--json")) {
			var d struct {
				Verb string
				Jobs int
			}
			if err := json.Unmarshal([]byte(line), &d); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			verbs = append(verbs, fmt.Sprint(d.Verb, " ", d.Jobs))
		}
		if got, want := fmt.Sprint(verbs), "[purge 1 resume 0 pause 0 cancel 1 redrive 50 stop 0 quiet 0]"; got != want {
			t.Errorf("the trail has %s, want %s", got, want)
		}
		says(punctual("audit"), "all is well")
		redistest.AssertConserved(t, r.Client(), "default")
	})
}
