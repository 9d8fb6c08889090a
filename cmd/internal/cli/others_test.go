package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

func TestWorkers(t *testing.T) {
	r := rigOn(t, redistest.Own(t))
	r.put(queue.NewJob{ID: "a", At: time.UnixMilli(1)})
	r.work("here:7:one", "", "")
	r.work("here:7:two", "", "")
	text := r.ok("workers", "ls")
	contains(t, text, "WORKER", "here:7:one", "living", "1/10", "0/10", " ago", "sha256:")
	for line := range strings.Lines(text) {
		if widthOf(line) > 81 {
			t.Errorf("%d columns: %s", widthOf(line), line)
		}
	}
	contains(t, r.ok("workers", "quiet", "here:7:one"), "is told to claim nothing more")
	r.expectDeed("quiet", "here:7:one", 0)
	type shownWorker struct {
		Worker, Queue, Order string
		Processing           int
	}
	got := objects[shownWorker](t, r.ok("workers", "ls", "--json", "--state", "quiet"))
	equal(t, "quiet", len(got) == 1 && got[0] == shownWorker{"here:7:one", r.name, "quiet", 1}, true)
	equal(t, "text", len(objects[shownWorker](t, r.ok("workers", "ls", "--json", "--text", "two"))), 1)
	equal(t, "queue", len(objects[shownWorker](t, r.ok("workers", "ls", "--json", "--queue", "other"))), 0)
	r.fails(2, "--yes", "workers", "stop", "here:7:one", "here:7:two")
	r.ok("workers", "stop", "here:7:one", "here:7:two", "--yes")
	equal(t, "stopping", len(objects[shownWorker](t, r.ok("workers", "ls", "--json", "--state", "stopping"))), 2)
	r.expectDeed("stop", "here:7:two", 0)
	r.fails(1, "punctual workers ls lists them", "workers", "quiet", "nobody")
	r.fails(2, "--state must be", "workers", "ls", "--state", "x")
	for _, id := range []string{"here:7:one", "here:7:two"} { // they must not be found registered
		r.raw.HDel(t.Context(), r.key("meta"), "order:"+id)
	}
}

func TestStats(t *testing.T) {
	r := newRig(t)
	r.bury(3, "x")
	contains(t, r.ok("stats", "--queue", r.name), "QUEUE", "ENQUEUED", r.name)
	got := objects[struct {
		Queue    string
		At       time.Time
		Counters map[string]int64
	}](t, r.ok("stats", "--queue", r.name, "--json"))[0]
	if got.Queue != r.name || got.Counters["dead"] != 3 || got.At.IsZero() {
		t.Errorf("%+v", got)
	}
	r.fails(1, "never: no such queue", "stats", "--queue", "never")
	r.fails(2, "--every", "stats", "--watch", "--every", "1ms")
}

// --watch goes on until it is interrupted, and tells rates.
func TestStatsWatch(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{Delay: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &lines{after: 3, end: cancel}
	code := r.typeAt(ctx, strings.NewReader(""), out, &bytes.Buffer{}, "stats", "--watch", "--every", "100ms", "--json", "--queue", r.name)
	equal(t, "exit", code, exitInterrupted)
	all := objects[map[string]any](t, out.String())
	equal(t, "lines", len(all) >= 3, true)
	equal(t, "rates", fmt.Sprint(all[0]["per_second"]), "map[enqueued:0]")
	now := queue.Overview{Now: time.UnixMilli(3000), Counters: map[string]int64{"done": 30, "dead": 1}}
	before := queue.Overview{Now: time.UnixMilli(1000), Counters: map[string]int64{"done": 10, "dead": 5}}
	equal(t, "rates", fmt.Sprint(ratesOf(now, before)), "map[done:10]")
}

// lines ends a context after some.
type lines struct {
	bytes.Buffer
	after int
	end   context.CancelFunc
}

func (l *lines) Write(b []byte) (int, error) {
	if l.after--; l.after == 0 {
		l.end()
	}
	return l.Buffer.Write(b)
}

func TestTrail(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{ID: "a", Delay: time.Hour})
	r.ok("jobs", "run", "a", "--queue", r.name)
	deed := queue.Deed{Who: "eve\x1b[2J", Via: "api", Verb: "purge", Queue: r.name, Target: strings.Repeat("long ", 60), Jobs: 70000}
	if err := r.client.Record(t.Context(), deed); err != nil {
		t.Fatal(err)
	}
	text := r.ok("trail", "--queue", r.name)
	contains(t, text, `eve\x1b[2J`, "70,000", "purge", "long long", "…", "run", "cli")
	for line := range strings.Lines(text) {
		if widthOf(strings.TrimSuffix(line, "\n")) > 80+len(r.name) || strings.Contains(line, "\x1b") {
			t.Errorf("%q", line)
		}
	}
	got := objects[struct {
		At             time.Time
		Who, Via, Verb string
		Queue, Target  string
		Jobs           int
	}](t, r.ok("trail", "--queue", r.name, "--json"))
	equal(t, "deeds", len(got), 2)
	equal(t, "the latest", got[0].Who+got[0].Verb, "eve\x1b[2Jpurge")
	for args, want := range map[string]int{"--verb run": 1, "--text long": 1, "--limit 1": 1, "--who nobody": 0} {
		got := objects[map[string]any](t, r.ok(append([]string{"trail", "--queue", r.name, "--json"}, strings.Fields(args)...)...))
		equal(t, args, len(got), want)
	}
	equal(t, "of all queues", strings.Contains(r.ok("trail", "--limit", "10000", "--json"), r.name), true)
}

// A verb that cannot be recorded is done all the same, with a warning.
func TestDeedThatCannotBeRecorded(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{ID: "a", Delay: time.Hour})
	r.raw.Set(t.Context(), r.key("trail"), "spoiled", 0)
	defer r.raw.Del(context.WithoutCancel(t.Context()), r.key("trail"))
	got := r.pipe("jobs", "run", "a", "--queue", r.name)
	equal(t, "exit", got.code, 0)
	contains(t, got.stderr, "warning: it is done, but not in the audit trail: ")
}

func TestKeys(t *testing.T) {
	r := newRig(t)
	r.bury(1, "x")
	text := r.ok("keys", "--queue", r.name)
	contains(t, text, r.key("jobs")+"  (hash, 1)\n  every job as one line of JSON, by its id\n  redis-cli -u \"$REDIS_URL\" HSCAN '"+r.key("jobs")+"' 0 COUNT 10\n",
		r.key("dead"), r.key("heartbeat:digger"))
	for _, key := range objects[keyJSON](t, r.ok("keys", "--queue", r.name, "--json")) {
		equal(t, key.Key, r.raw.Exists(t.Context(), key.Key).Val(), int64(1))
		contains(t, key.Read, `redis-cli -u "$REDIS_URL" `)
	}
	r.fails(2, "--limit", "keys", "--limit", "0")
}

func TestVersion(t *testing.T) {
	r := &rig{TB: t, env: map[string]string{}} // no Redis is needed
	contains(t, r.ok("version"), "punctual ", "build sha256:", "layout 1")
	var got map[string]any
	if err := json.Unmarshal([]byte(r.ok("version", "--json")), &got); err != nil || got["layout"] != 1.0 {
		t.Errorf("%v: %v", got, err)
	}
}

// What every command says when it cannot even begin.
func TestCommandsThatCannotBegin(t *testing.T) {
	r := &rig{TB: t, env: map[string]string{"REDIS_URL": "redis://127.0.0.1:1"}}
	for _, args := range []string{"register x", "jobs ls", "jobs get a", "jobs run a", "jobs edit a --max-retry 1", "jobs cancel a", "jobs redrive a", "jobs purge a", "jobs history a",
		"jobs reschedule a --delay 1s", "queues ls", "queues show a", "queues pause a", "queues resume a", "queues redrive a --yes", "queues purge a --yes",
		"workers ls", "workers quiet a", "workers stop a", "stats", "groups", "trail", "keys"} {
		got := r.pipe(strings.Fields(args)...)
		equal(t, args, got.code, exitFailed)
		contains(t, got.stderr, "the Redis at 127.0.0.1:1 does not answer", "set REDIS_URL")
		equal(t, args+" prints", got.stdout, "")
	}
	r.env = map[string]string{"REDIS_URL": "http://x", "LOG_LEVEL": "loud"}
	r.fails(2, "LOG_LEVEL", "queues", "ls")
	r.fails(2, "REDIS_URL", "queues", "ls")
	r.fails(2, `unknown command "lss"`, "jobs", "lss")
	r.fails(2, "accepts 1 arg", "jobs", "get")
}

// Every command has a help that tells the exit status, and its listing what --json prints.
func TestHelp(t *testing.T) {
	r := &rig{TB: t, env: map[string]string{}}
	code := 0
	for _, c := range Commands(func(string) (string, bool) { return "", false }, &code) {
		contains(t, r.ok(c.Name(), "--help"), "Exit status: 0", "REDIS_URL")
		for _, sub := range append(c.Commands(), c) {
			if flag := sub.Flags().Lookup("json"); flag != nil && !strings.Contains(sub.Long, "--json print") {
				t.Errorf("%s does not say what --json prints", sub.CommandPath())
			}
		}
	}
}

// On a terminal the head of a table is bold, unless NO_COLOR is set; in a pipe nothing is colored.
func TestColorOnATerminalOnly(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{Delay: time.Hour})
	for noColor, want := range map[string]bool{"": true, "1": false} {
		r.env["NO_COLOR"] = noColor
		_, shown := r.terminal("", "jobs", "ls", "--queue", r.name)
		equal(t, "NO_COLOR="+noColor, strings.Contains(shown, "\x1b["), want)
	}
	r.env["NO_COLOR"] = ""
	equal(t, "in a pipe", strings.Contains(r.ok("jobs", "ls", "--queue", r.name), "\x1b"), false)
}
