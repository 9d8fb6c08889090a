package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

func TestJobsRunAndReschedule(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{ID: "a", Delay: time.Hour}, queue.NewJob{ID: "b", Delay: time.Hour})
	contains(t, r.ok("jobs", "run", "a", "--queue", r.name), "Job a is due now.")
	if due := r.job("a").Due; time.Since(due) < -time.Millisecond || time.Since(due) > bound {
		t.Errorf("due %v", due)
	}
	r.expectDeed("run", "a", 1)
	contains(t, r.ok("jobs", "reschedule", "b", "--queue", r.name, "--delay", "2h"), "Job b is due in 2 h, at 20")
	if in := time.Until(r.job("b").Due); in < 119*time.Minute || in > 2*time.Hour+time.Millisecond { // it is rounded up
		t.Errorf("due in %s", in)
	}
	got := objects[shown](t, r.ok("jobs", "reschedule", "a", "b", "--queue", r.name, "--run-at", "2030-01-02T15:04:05.006Z", "--json"))
	equal(t, "jobs", len(got), 2)
	for _, id := range []string{"a", "b"} {
		equal(t, id, r.job(id).Due.UTC().Format(time.RFC3339Nano), "2030-01-02T15:04:05.006Z")
	}
	r.expectDeed("reschedule", "b", 1)
	for _, args := range [][]string{{}, {"--delay", "1s", "--run-at", "2030-01-02T15:04:05Z"}, {"--delay", "9999d"}} {
		r.fails(2, "delay", append([]string{"jobs", "reschedule", "a", "--queue", r.name}, args...)...)
	}
	r.expectDeed("reschedule", "b", 1) // none of these was recorded
}

// Of several ids each is tried, and what failed is told with what to do.
func TestJobsThatCannotBeChanged(t *testing.T) {
	r := newRig(t)
	r.bury(1, "x")
	r.put(queue.NewJob{ID: "held", At: time.UnixMilli(1)})
	r.work("holder", "", "")
	r.put(queue.NewJob{ID: "a", Delay: time.Hour})
	got := r.pipe("jobs", "run", "dead0x", "held", "nobody", "a", "--queue", r.name)
	equal(t, "exit", got.code, 1)
	equal(t, "the good one", got.stdout, "Job a is due now.\n")
	contains(t, got.stderr, "dead0x: the job is dead: bring it back with punctual jobs redrive dead0x --queue "+r.name,
		"held: the job is processing: cancel it with punctual jobs cancel held", "nobody: no such job")
	r.fails(1, "it will run by itself", "jobs", "redrive", "a", "--queue", r.name)
	r.fails(2, "queue must match", "jobs", "run", "a", "--queue", "No Queue")
}

func TestJobsEdit(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{ID: "a", Delay: time.Hour, Payload: []byte("1"), Metadata: map[string]string{"k": "v"}})
	r.ok("jobs", "edit", "a", "--queue", r.name, "--payload", `{"x": 2}`)
	j := r.job("a")
	equal(t, "payload", string(j.Payload)+j.Metadata["k"], `{"x":2}v`)
	r.expectDeed("edit", "a", 1)
	got := objects[shown](t, r.ok("jobs", "edit", "a", "--queue", r.name, "--max-retry", "0", "--metadata", "m=n", "--json"))[0]
	equal(t, "JSON", got.Metadata["m"], "n")
	j = r.job("a")
	equal(t, "retries", j.MaxRetry, 0)
	equal(t, "metadata", len(j.Metadata), 1)
	r.ok("jobs", "edit", "a", "--queue", r.name, "--payload", "null", "--no-metadata")
	j = r.job("a")
	equal(t, "nothing", string(j.Payload), "")
	equal(t, "metadata", len(j.Metadata), 0)
	r.fails(2, "payload", "jobs", "edit", "a", "--queue", r.name)
	r.fails(2, "must be JSON", "jobs", "edit", "a", "--queue", r.name, "--payload", "text")
	r.fails(2, "max-retry must", "jobs", "edit", "a", "--queue", r.name, "--max-retry", "9999")
}

func TestJobsCancel(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{ID: "held", At: time.UnixMilli(1)})
	r.work("holder", "", "")
	r.put(queue.NewJob{ID: "a", Delay: time.Hour}, queue.NewJob{ID: "b", Delay: time.Hour}, queue.NewJob{ID: "c", Delay: time.Hour})
	contains(t, r.ok("jobs", "cancel", "a", "--queue", r.name), "Job a is cancelled.")
	r.expectDeed("cancel", "a", 1)
	contains(t, r.ok("jobs", "cancel", "held", "--queue", r.name), "its worker is told to end it")
	equal(t, "told", r.job("held").Cancelled, true)
	// Of two a pipe is not asked, and a person is.
	r.fails(2, "--yes", "jobs", "cancel", "b", "c", "--queue", r.name)
	equal(t, "left", len(r.ids()), 3)
	code, said := r.terminal("n\n", "jobs", "cancel", "b", "c", "--queue", r.name)
	equal(t, "exit", code, 1)
	contains(t, said, "This cancels 2 jobs of queue "+r.name+". [y/N]", "Nothing was done.")
	equal(t, "left", len(r.ids()), 3)
	code, _ = r.terminal("", "jobs", "cancel", "b", "c", "--queue", r.name)
	equal(t, "exit when nobody answers", code, 1)
	code, _ = r.terminal("Y\n", "jobs", "cancel", "b", "c", "--queue", r.name)
	equal(t, "exit", code, 0)
	equal(t, "left", strings.Join(r.ids(), " "), "held")
	r.put(queue.NewJob{ID: "d", Delay: time.Hour}, queue.NewJob{ID: "e", Delay: time.Hour})
	got := objects[map[string]string](t, r.ok("jobs", "cancel", "d", "e", "--queue", r.name, "--yes", "--json"))
	equal(t, "was", got[1]["was"], "scheduled")
	equal(t, "left", len(r.ids()), 1)
}

func TestJobsRedrive(t *testing.T) {
	r := newRig(t)
	r.bury(2, "x")
	contains(t, r.ok("jobs", "redrive", "dead0x", "dead1x", "--queue", r.name), "Job dead1x is scheduled, and due now.")
	for _, id := range []string{"dead0x", "dead1x"} {
		j := r.job(id)
		equal(t, id, string(j.State)+" "+j.Failures[0].Error, "scheduled it broke")
	}
	r.expectDeed("redrive", "dead1x", 1)
}

func TestJobsPurge(t *testing.T) {
	r := newRig(t)
	r.bury(3, "x")
	r.put(queue.NewJob{ID: "waits", Delay: time.Hour})
	contains(t, r.ok("jobs", "purge", "dead0x", "--queue", r.name), "Job dead0x is gone.")
	r.expectDeed("purge", "dead0x", 1)
	r.fails(2, "This drops 2 jobs of queue "+r.name+" for good. Nobody can be asked here: add --yes", "jobs", "purge", "dead1x", "dead2x", "--queue", r.name)
	got := objects[map[string]any](t, r.ok("jobs", "purge", "dead1x", "dead2x", "--queue", r.name, "--yes", "--json"))
	equal(t, "said", got[1]["purged"], any(true))
	r.fails(1, " takes it out", "jobs", "purge", "waits", "--queue", r.name)
	r.fails(1, "no such job", "jobs", "purge", "dead0x", "--queue", r.name)
	equal(t, "left", strings.Join(r.ids(), " "), "waits")
}
