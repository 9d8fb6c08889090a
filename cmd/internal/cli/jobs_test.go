package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// shown is a job as --json has it.
type shown struct {
	JobID     string                   `json:"job_id"`
	Queue     string                   `json:"queue"`
	State     string                   `json:"state"`
	Due       time.Time                `json:"due_at"`
	Payload   any                      `json:"payload"`
	Metadata  map[string]string        `json:"metadata"`
	Errors    []map[string]interface{} `json:"errors"`
	MaxRetry  int                      `json:"max_retry"`
	Worker    string                   `json:"worker"`
	Cancelled bool                     `json:"cancelling"`
}

func TestRegister(t *testing.T) {
	r := newRig(t)
	out := r.ok("register", "Hello, World!", "--queue", r.name, "--id", "a", "--delay", "2h", "--max-retry", "0", "--metadata", "team=ops,why=a test",
		"--timeout", "90s", "--retention", "1d", "--expires", "3600", "--unique", "key", "--unique-until", "start", "--backoff", `{"kind": "fixed", "seconds": 5}`)
	contains(t, out, "Registered job a in queue "+r.name+": due in 2 h, at 20")
	j := r.job("a")
	if string(j.Payload) != `"Hello, World!"` || j.MaxRetry != 0 || j.Metadata["why"] != "a test" || j.Timeout != 90*time.Second || j.Retention != 24*time.Hour ||
		j.Expires != time.Hour || j.Unique.Until != "start" || j.Backoff.Base != 5*time.Second || j.Type != "message" {
		t.Errorf("%+v", j)
	}
	file := filepath.Join(t.TempDir(), "payload")
	if err := os.WriteFile(file, []byte(" {\"to\":\n\"ann\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := objects[shown](t, r.ok("register", "--queue", r.name, "--type", "mail", "--payload", "@"+file, "--run-at", "2030-01-02T15:04:05Z", "--json"))[0]
	j = r.job(got.JobID)
	equal(t, "payload", string(j.Payload), `{"to":"ann"}`)
	equal(t, "due", j.Due.Equal(got.Due) && got.Due.Equal(time.Date(2030, 1, 2, 15, 4, 5, 0, time.UTC)), true)
	equal(t, "retries", j.MaxRetry, queue.DefaultMaxRetry)
	r.ok("register", "both", "--queue", r.name, "--id", "b", "--payload", "[1]", "--unique", "for", "--unique-until", "1h")
	equal(t, "payload", string(r.job("b").Payload), `{"message":"both","payload":[1]}`)
	r.ok("register", "--queue", r.name, "--id", "none")
	equal(t, "no payload", string(r.job("none").Payload), "")
	if late := time.Until(r.job("none").Due); late < 2*time.Minute || late > 4*time.Minute {
		t.Errorf("due in %s, want the 3 min of the API", late)
	}

	r.fails(1, `"punctual jobs get a --queue `+r.name+`" shows it`, "register", "--queue", r.name, "--id", "a")
	r.fails(1, "job b holds the unique key", "register", "--queue", r.name, "--unique", "for")
	for _, c := range [][]string{
		{"--type", "X Y", "type must match"}, {"--id", "a b", "id must be"}, {"--delay", "11y", "--delay"}, {"--delay", "99999d", "delay must be"},
		{"--payload", "{", "must be JSON"}, {"--payload", "@/nowhere", "--payload"}, {"--max-retry", "-1", "--max-retry"}, {"--max-retry", "1001", "max-retry must"},
		{"--delay", "1s", "--run-at", "2030-01-02T15:04:05Z", "exclude"}, {"--run-at", "tomorrow", "2026-01-02T15:04:05Z"}, {"--queue", "No", "queue must match"},
		{"--unique", "k", "--unique-until", "noon", "--unique-until"}, {"--backoff", "7", "--backoff"}, {"--type", "mail", "text", "a message is for"},
	} {
		r.fails(2, c[len(c)-1], append([]string{"register"}, c[:len(c)-1]...)...)
	}
	got2 := r.pipe("register", "--type", "X Y", "--id", "a b")
	contains(t, got2.stderr, "id must be", "type must match")
	equal(t, "jobs", len(r.ids()), 4)
}

// ids are the ids of all jobs of the queue.
func (r *rig) ids() []string {
	r.Helper()
	ids, err := r.raw.HKeys(r.Context(), r.key("jobs")).Result()
	if err != nil {
		r.Fatal(err)
	}
	return ids
}

func TestJobsList(t *testing.T) {
	r := newRig(t)
	var jobs []queue.NewJob
	for i := range 25 {
		jobs = append(jobs, queue.NewJob{ID: fmt.Sprintf("job%02d", i), Delay: time.Duration(i+1) * time.Hour, Type: []string{"mail", "sms"}[i%2], Subject: "ann",
			Payload: []byte(`{"text":"` + strings.Repeat("long ", 50) + `"}`)})
	}
	r.put(jobs...)
	ls := func(args ...string) []shown {
		t.Helper()
		return objects[shown](t, r.ok(append([]string{"jobs", "ls", "--json", "--queue", r.name}, args...)...))
	}
	all := ls()
	equal(t, "all", len(all), 25)
	equal(t, "in order", all[0].JobID+all[24].JobID, "job00job24")
	equal(t, "type", len(ls("--type", "sms")), 12)
	equal(t, "text", len(ls("--text", "b1")), 10)
	equal(t, "by", len(ls("--by", "bob")), 0)
	equal(t, "all pages", len(ls("--all", "--type", "mail")), 13)
	equal(t, "newest", ls("--newest", "--limit", "1")[0].JobID, "job24")
	// A limit counts what matches, not what was looked at.
	got := r.pipe("jobs", "ls", "--json", "--queue", r.name, "--type", "sms", "--limit", "5")
	equal(t, "page", len(objects[shown](t, got.stdout)), 5)
	_, cursor, _ := strings.Cut(got.stderr, "--cursor ")
	rest := ls("--type", "sms", "--cursor", strings.TrimSpace(cursor))
	equal(t, "rest", len(rest), 7)
	equal(t, "behind", rest[0].JobID, "job11")
	r.fails(2, "--cursor", "jobs", "ls", "--queue", r.name, "--cursor", strings.TrimSpace(cursor))

	text := r.ok("jobs", "ls", "--queue", r.name)
	lines := strings.Split(strings.TrimSpace(text), "\n")
	equal(t, "lines", len(lines), 26)
	contains(t, lines[0], "JOB", "TYPE", "ATTEMPT", "DUE", "PAYLOAD")
	contains(t, lines[1], "job00", "mail", "0/11", "in 1 h", "…")
	for _, line := range lines {
		if widthOf(line) > 80 {
			t.Errorf("%d columns: %s", widthOf(line), line)
		}
	}
	for _, args := range [][]string{{"--state", "dying"}, {"--limit", "0"}, {"--limit", "1001"}, {"--type", "No"}, {"--queue", "No"}} {
		r.fails(2, strings.TrimPrefix(args[0], "--"), append([]string{"jobs", "ls"}, args...)...)
	}
	equal(t, "nothing", r.pipe("jobs", "ls", "--queue", r.name, "--state", "dead").stderr, "No dead job in queue "+r.name+" matches.\n")
}

// --all goes over pages, and each is printed under one head.
func TestJobsListOfManyPages(t *testing.T) {
	r := newRig(t)
	jobs := make([]queue.NewJob, 2100)
	for i := range jobs {
		jobs[i].Delay = time.Hour
	}
	ids := r.put(jobs...)
	lines := strings.Split(strings.TrimSpace(r.ok("jobs", "ls", "--all", "--queue", r.name)), "\n")
	equal(t, "lines", len(lines), 2101)
	seen := map[string]bool{}
	for _, line := range lines[1:] {
		seen[strings.Fields(line)[0]] = true
	}
	for _, id := range ids {
		if !seen[id] {
			t.Fatalf("%s is not listed", id)
		}
	}
	equal(t, "more", strings.Contains(r.pipe("jobs", "ls", "--queue", r.name).stderr, "There are more: add --all, or --cursor "), true)
}

func TestJobsListOfEachState(t *testing.T) {
	r := newRig(t)
	r.bury(2, "mail")
	r.put(queue.NewJob{ID: "kept", At: time.UnixMilli(1), Retention: 2 * time.Hour})
	r.work("doer", queue.OutcomeDone, "")
	r.put(queue.NewJob{ID: "held", At: time.UnixMilli(1)})
	r.work("holder", "", "")
	r.put(queue.NewJob{ID: "late", At: time.UnixMilli(1)})
	for state, want := range map[string][]string{
		"dead": {"DIED", "dead0mail", " ago", "1/11"}, "done": {"DONE", "KEPT FOR", "kept", "2 h"}, "processing": {"WORKER", "held", "holder"}, "scheduled": {"late", "late by"},
	} {
		contains(t, r.ok("jobs", "ls", "--queue", r.name, "--state", state), want...)
	}
}

func TestJobsGetAndHistory(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{ID: "a", At: time.UnixMilli(1), Subject: "ann", Payload: []byte(`{"to":"bob"}`), Metadata: map[string]string{"k": "\x1b[31m"}})
	r.work("w1", queue.OutcomeRetry, "no route\nto \x1b[2Jhost")
	text := r.ok("jobs", "get", "a", "--queue", r.name)
	contains(t, text, "state     scheduled", "due       in 1 h", "by        ann", `metadata  k = \x1b[31m`, "  {\n    \"to\": \"bob\"\n  }",
		"attempt 1, ", "after 12 ms on w1\n    no route\n    to \\x1b[2Jhost", "attempts  1 begun, at most 11")
	got := objects[shown](t, r.ok("jobs", "get", "a", "--queue", r.name, "--json"))[0]
	equal(t, "JSON", got.State+fmt.Sprint(got.Errors[0]["error"]), "scheduledno route\nto \x1b[2Jhost")

	life := objects[map[string]any](t, r.ok("jobs", "history", "a", "--queue", r.name, "--json"))
	var events []string
	for _, h := range life {
		events = append(events, fmt.Sprint(h["event"]))
	}
	equal(t, "events", strings.Join(events, " "), "created failed due")
	equal(t, "took", life[1]["took_ms"], any(12.0))
	text = r.ok("jobs", "history", "a", "--queue", r.name)
	contains(t, text, "created\n    by ann\n", "failed, attempt 1, after 12 ms on w1\n    no route\n    to \\x1b[2Jhost\n", "in 1 h", "due\n    for attempt 2 of 11\n")
	if n := strings.Count(text, "\n"); n != 8 || strings.Contains(text, "\x1b") {
		t.Errorf("%d lines: %s", n, text)
	}
	r.bury(1, "x")
	contains(t, r.ok("jobs", "history", "dead0x", "--queue", r.name), "dead", "after 1 of 11 attempts")
	r.put(queue.NewJob{ID: "held", At: time.UnixMilli(1)})
	r.work("holder", "", "")
	contains(t, r.ok("jobs", "history", "held", "--queue", r.name), "processing, attempt 1", "on holder")
	contains(t, r.ok("jobs", "get", "held", "--queue", r.name), "worker    holder")
}

// Only the last failures are kept: the history says so.
func TestLifeOfAJobThatFailedOften(t *testing.T) {
	var failures []queue.Failure
	for n := 9; n > 4; n-- {
		failures = append(failures, queue.Failure{Attempt: n, At: int64(n), Error: "x"})
	}
	life := lifeOf(queue.Info{Job: queue.Job{ID: "a", MaxRetry: 8}, State: queue.Dead, Attempts: 9, Failures: failures, Finished: time.UnixMilli(10)})
	equal(t, "events", len(life), 7)
	equal(t, "first", life[0].Text, "what became of attempts before 5")
	equal(t, "order", life[1].Attempt*10+life[5].Attempt, 59)
	equal(t, "last", life[6].Text, "after 9 of 9 attempts")
	done := lifeOf(queue.Info{State: queue.Done, Due: time.UnixMilli(20), Finished: time.UnixMilli(10)})
	equal(t, "done", done[0].What+done[1].What, "doneforgotten")
}

// A job that is in another queue is found there.
func TestJobInAnotherQueue(t *testing.T) {
	s := redistest.Own(t)
	r, other := rigOn(t, s), rigOn(t, s)
	other.put(queue.NewJob{ID: "a", Delay: time.Hour})
	r.put(queue.NewJob{ID: "x", Delay: time.Hour})
	r.fails(1, "add --queue "+other.name, "jobs", "get", "a", "--queue", r.name)
	r.fails(1, "add --queue "+other.name, "jobs", "cancel", "a", "--queue", r.name)
	r.fails(1, "no such job in queue "+r.name+": it never was", "jobs", "history", "nobody", "--queue", r.name)
}
