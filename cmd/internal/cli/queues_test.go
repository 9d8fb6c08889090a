package cli

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

func TestQueuesListAndShow(t *testing.T) {
	s := redistest.Own(t)
	r, other := rigOn(t, s), rigOn(t, s)
	r.bury(3, "x")
	r.put(queue.NewJob{ID: "late"}, queue.NewJob{Delay: time.Hour})
	r.raw.ZAddXX(t.Context(), r.key("scheduled"), redis.Z{Member: "late", Score: 1000})
	other.put(queue.NewJob{Delay: time.Hour})
	r.ok("queues", "pause", other.name)
	type figures struct {
		Queue                string
		Scheduled, Due, Dead int
		Paused               bool
		NextDue              time.Time `json:"next_due"`
		LatenessMS           int64     `json:"lateness_ms"`
	}
	all := objects[figures](t, r.ok("queues", "ls", "--json"))
	equal(t, "queues", len(all), 2)
	for args, want := range map[string]string{"": r.name + " " + other.name, "--late": r.name, "--paused": other.name, "--queue " + r.name: r.name} {
		var names []string
		for _, f := range objects[figures](t, r.ok(append([]string{"queues", "ls", "--json"}, strings.Fields(args)...)...)) {
			names = append(names, f.Queue)
		}
		equal(t, args, len(strings.Fields(want)) == len(names) && strings.Contains(want, names[0]), true)
	}
	text := r.ok("queues", "ls", "--queue", r.name)
	contains(t, text, "QUEUE", "LATE", r.name, " days")
	contains(t, r.ok("queues", "ls", "--paused"), "paused")
	got := objects[struct {
		Queue    figures
		Counters map[string]int
	}](t, r.ok("queues", "show", r.name, "--json"))[0]
	if got.Queue.Scheduled != 2 || got.Queue.Due != 1 || got.Queue.Dead != 3 || got.Counters["enqueued"] != 5 || got.Queue.LatenessMS < 1000 || got.Queue.NextDue.IsZero() {
		t.Errorf("%+v", got)
	}
	contains(t, r.ok("queues", "show", r.name), "next due", "in 1 h", "counter enqueued", "dead", "paused")
	r.fails(1, "punctual queues ls lists them", "queues", "show", "never")
	r.fails(1, "never: no such queue", "queues", "ls", "--queue", "never")
	r.fails(2, "queue must match", "queues", "show", "No Queue")
}

func TestQueuesPauseAndResume(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{Delay: time.Hour})
	paused := func() bool {
		o, err := r.client.Overview(t.Context(), r.name)
		return err == nil && o.Paused
	}
	equal(t, "said", r.ok("queues", "pause", r.name), "Queue "+r.name+" is paused.\n")
	equal(t, "paused", paused(), true)
	r.expectDeed("pause", "", 0)
	equal(t, "said", r.ok("queues", "pause", r.name), "Queue "+r.name+" was already paused.\n")
	got := objects[map[string]any](t, r.ok("queues", "resume", r.name, "--json"))[0]
	equal(t, "JSON", fmt.Sprint(got["paused"], got["changed"]), "false true")
	equal(t, "paused", paused(), false)
	r.expectDeed("resume", "", 0)
	deeds, _ := r.client.Trail(t.Context(), r.name, 9)
	equal(t, "deeds: what changed nothing is none", len(deeds), 2)
	r.fails(1, "never: no such queue", "queues", "pause", "never", r.name)
	equal(t, "the other is paused all the same", paused(), true)
}

// A name that was misspelt is not taken for a queue in which nothing is.
func TestQueuesThatAreNot(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{Delay: time.Hour})
	for _, command := range []string{"jobs ls", "jobs ls --state dead --json", "groups", "trail", "keys", "stats"} {
		r.fails(1, "no such queue", append(strings.Fields(command), "--queue", "never")...)
	}
	for _, command := range []string{"jobs ls --state dead", "groups", "trail"} {
		r.ok(append(strings.Fields(command), "--queue", r.name)...)
	}
}

func (r *rig) dead() int {
	r.Helper()
	return int(r.raw.ZCard(r.Context(), r.key("dead")).Val())
}

func TestQueuesRedrive(t *testing.T) {
	r := newRig(t)
	r.bury(5, "mail")
	r.bury(4, "sms")
	r.fails(2, "This redrives in queue "+r.name+": all dead, type mail, 9 jobs at most. Nobody can be asked here: add --yes", "queues", "redrive", r.name, "--type", "mail")
	equal(t, "dead", r.dead(), 9)
	code, said := r.terminal("no\n", "queues", "redrive", r.name)
	equal(t, "exit", code, 1)
	contains(t, said, "[y/N]", "Nothing was done")
	equal(t, "dead", r.dead(), 9)
	equal(t, "too young", r.ok("queues", "redrive", r.name, "--older-than", "1h", "--yes"), "0 jobs redriven.\n")
	equal(t, "said", r.ok("queues", "redrive", r.name, "--type", "mail", "--limit", "2", "--yes"), "2 jobs redriven.\n")
	r.expectDeed("redrive", "all dead, type mail", 2)
	got := objects[map[string]any](t, r.ok("queues", "redrive", r.name, "--type", "mail", "--yes", "--json"))[0]
	equal(t, "JSON", fmt.Sprint(got["moved"], got["more"]), "3 false")
	equal(t, "dead", r.dead(), 4)
	code, said = r.terminal("yes\n", "queues", "redrive", r.name)
	equal(t, "exit", code, 0)
	contains(t, said, "4 jobs redriven.")
	equal(t, "dead", r.dead(), 0)
	r.fails(1, "no such queue", "queues", "redrive", "never", "--yes")
	r.fails(2, "type must match", "queues", "redrive", r.name, "--type", "No", "--yes")
	r.fails(2, "--limit", "queues", "redrive", r.name, "--limit", "-1", "--yes")
}

func TestQueuesPurge(t *testing.T) {
	r := newRig(t)
	r.bury(3, "mail")
	r.put(queue.NewJob{ID: "waits", Delay: time.Hour}, queue.NewJob{ID: "kept", At: time.UnixMilli(1), Retention: time.Hour})
	r.work("doer", queue.OutcomeDone, "")
	equal(t, "said", r.ok("queues", "purge", r.name, "--yes"), "3 jobs purged.\n")
	r.expectDeed("purge", "all dead", 3)
	equal(t, "said", r.ok("queues", "purge", r.name, "--state", "done", "--yes"), "1 job purged.\n")
	equal(t, "left", strings.Join(r.ids(), " "), "waits")
	equal(t, "said", r.ok("queues", "purge", r.name, "--state", "scheduled", "--yes"), "1 job purged.\n")
	equal(t, "left", len(r.ids()), 0)
	r.fails(2, "state must be dead, scheduled or done", "queues", "purge", r.name, "--state", "processing", "--yes")
}

// A job that is redriven and dies at once is redriven once.
func TestRedriveOfJobsThatDieAgain(t *testing.T) {
	r := newRig(t)
	r.bury(3, "mail")
	b := &bulk{verb: "redrive", did: "redriven", state: "dead", yes: true}
	calls := 0
	b.do = func(s *session) func(context.Context, string, queue.Filter) (queue.Moved, error) {
		return func(ctx context.Context, name string, f queue.Filter) (queue.Moved, error) {
			calls++
			f.Limit = min(f.Limit, 1)
			m, err := s.RedriveAll(ctx, name, f)
			m.More = true
			r.work("digger", queue.OutcomeDead, "it broke again")
			return m, err
		}
	}
	d := &desk{env: func(name string) (string, bool) { return r.env[name], r.env[name] != "" }, code: new(int)}
	c := b.command(d, "x")
	var out, errs bytes.Buffer
	c.SetOut(&out)
	c.SetErr(&errs)
	c.SetArgs([]string{r.name, "--yes"})
	if err := c.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "calls", calls, 3)
	equal(t, "said", out.String(), "3 jobs redriven.\n")
}

// interrupter ends a context when something is written.
type interrupter struct {
	bytes.Buffer
	end  context.CancelFunc
	once sync.Once
}

func (i *interrupter) Columns() int { return 80 }
func (i *interrupter) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("looked at")) {
		i.once.Do(i.end)
	}
	return i.Buffer.Write(b)
}

// Ctrl+C: what is done stays done, the count is told, and the same command goes on with the rest.
func TestBulkIsInterrupted(t *testing.T) {
	r := newRig(t)
	jobs := make([]queue.NewJob, 3500)
	for i := range jobs {
		jobs[i].Delay = time.Hour
	}
	r.put(jobs...)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	errs := &interrupter{end: cancel}
	var out bytes.Buffer
	code := r.typeAt(ctx, strings.NewReader(""), &out, errs, "queues", "purge", r.name, "--state", "scheduled", "--yes")
	equal(t, "exit", code, exitInterrupted)
	contains(t, errs.String(), "1,000 purged, 1,000 looked at", "Interrupted: the same command goes on with the rest.")
	left := len(r.ids())
	equal(t, "said", out.String(), grouped(3500-left)+" jobs purged.\n")
	if left == 0 || left == 3500 {
		t.Errorf("%d are left", left)
	}
	r.expectDeed("purge", "all scheduled", 3500-left)
	equal(t, "the rest", r.ok("queues", "purge", r.name, "--state", "scheduled", "--yes"), grouped(left)+" jobs purged.\n")
	equal(t, "left", len(r.ids()), 0)
}

// A command that is interrupted before it does anything, or while it asks, does nothing.
func TestInterruptedQuestion(t *testing.T) {
	r := newRig(t)
	r.bury(1, "x")
	ctx, cancel := context.WithCancel(t.Context())
	never, asked := make(chan struct{}), &asking{end: cancel}
	defer close(never)
	asked.Reader = blocked(never)
	code := r.typeAt(ctx, asked, asked, asked, "queues", "purge", r.name)
	equal(t, "exit", code, exitInterrupted)
	equal(t, "dead", r.dead(), 1)
}

type blocked chan struct{}

func (b blocked) Read([]byte) (int, error) { <-b; return 0, fmt.Errorf("closed") }

// asking is a terminal at which Ctrl+C is typed when a question comes.
type asking struct {
	tty
	end context.CancelFunc
}

func (a *asking) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("[y/N]")) {
		a.end()
	}
	return a.tty.Write(b)
}

// What failed is grouped, and a group is listed, redriven and purged by its id.
func TestGroups(t *testing.T) {
	r := newRig(t)
	r.bury(3, "mail")
	r.bury(2, "sms")
	type group struct {
		Group, Type, Error string
		Jobs               int
		First, Last        time.Time
	}
	all := objects[group](t, r.ok("groups", "--queue", r.name, "--json"))
	equal(t, "groups", len(all), 2)
	equal(t, "the biggest", all[0].Type+all[0].Error+fmt.Sprint(all[0].Jobs), "mailit broke3")
	contains(t, r.ok("groups", "--queue", r.name), "GROUP", all[0].Group, "mail", "it broke", "ago")
	for args, want := range map[string]int{"--type sms": 1, "--text broke": 2, "--text other": 0, "--limit 1": 1} {
		equal(t, args, len(objects[group](t, r.ok(append([]string{"groups", "--queue", r.name, "--json"}, strings.Fields(args)...)...))), want)
	}
	r.fails(2, "group", "queues", "purge", r.name, "--group", "x", "--yes")
	equal(t, "listed", len(objects[shown](t, r.ok("jobs", "ls", "--state", "dead", "--group", all[1].Group, "--queue", r.name, "--json"))), 2)
	equal(t, "said", r.ok("queues", "redrive", r.name, "--group", all[1].Group, "--yes"), "2 jobs redriven.\n")
	r.expectDeed("redrive", "all dead, group "+all[1].Group, 2)
	equal(t, "said", r.ok("queues", "purge", r.name, "--group", all[0].Group, "--yes"), "3 jobs purged.\n")
	equal(t, "left", r.ok("groups", "--queue", r.name, "--json"), "")
	equal(t, "dead", r.dead(), 0)
}
