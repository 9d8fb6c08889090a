package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

func init() { queue.QuietDriver() }

const bound = 30 * time.Second

// tty is a terminal of 80 columns: what is typed there, and what it shows.
type tty struct {
	io.Reader
	bytes.Buffer
}

func (t *tty) Columns() int                { return 80 }
func (t *tty) Read(b []byte) (int, error)  { return t.Reader.Read(b) }
func (t *tty) Write(b []byte) (int, error) { return t.Buffer.Write(b) }

// rig is one Redis, one queue on it, and somebody who types commands about it.
type rig struct {
	testing.TB
	url    string
	name   string
	raw    *redis.Client
	client *queue.Client
	env    map[string]string
}

func newRig(t testing.TB) *rig {
	t.Helper()
	return rigOn(t, redistest.Any(t))
}

func rigOn(t testing.TB, s *redistest.Server) *rig {
	t.Helper()
	r := &rig{TB: t, url: s.URL(), name: redistest.Queue(t), raw: s.Client(), env: map[string]string{"REDIS_URL": s.URL()}}
	var err error
	if r.client, err = queue.Open(t.Context(), s.URL(), queue.Options{Timeout: bound}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = r.client.Close()
		redistest.AssertConserved(t, r.raw, r.name)
	})
	return r
}

func (r *rig) key(name string) string { return "punctual:{" + r.name + "}:" + name }

// typed is how a command ended.
type typed struct {
	code           int
	stdout, stderr string
}

// typeAt runs a command line with streams of its own, until ctx ends it.
func (r *rig) typeAt(ctx context.Context, in io.Reader, out, errs io.Writer, args ...string) (code int) {
	r.Helper()
	root := &cobra.Command{Use: "punctual", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(Commands(func(name string) (string, bool) { v, ok := r.env[name]; return v, ok }, &code)...)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(errs, err)
		return exitUsage
	}
	return code
}

// pipe runs a command line in a pipe.
func (r *rig) pipe(args ...string) typed {
	r.Helper()
	var out, errs bytes.Buffer
	code := r.typeAt(r.Context(), strings.NewReader(""), &out, &errs, args...)
	return typed{code, out.String(), errs.String()}
}

// ok runs a command line that must succeed, and returns what it printed.
func (r *rig) ok(args ...string) string {
	r.Helper()
	got := r.pipe(args...)
	if got.code != exitOK {
		r.Fatalf("%v: exit %d: %s", args, got.code, got.stderr)
	}
	return got.stdout
}

// fails runs a command line that must end with code and say something.
func (r *rig) fails(code int, says string, args ...string) {
	r.Helper()
	got := r.pipe(args...)
	if got.code != code || !strings.Contains(got.stderr, says) {
		r.Errorf("%v: exit %d, want %d: it says %q, not %q", args, got.code, code, got.stderr, says)
	}
}

// terminal runs a command line at a terminal at which something is typed.
func (r *rig) terminal(keys string, args ...string) (code int, shown string) {
	r.Helper()
	t := &tty{Reader: strings.NewReader(keys)}
	code = r.typeAt(r.Context(), t, t, t, args...)
	return code, t.String()
}

// objects reads JSON, one object a line.
func objects[T any](t testing.TB, text string) (all []T) {
	t.Helper()
	for line := range strings.Lines(text) {
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, v)
	}
	return all
}

func (r *rig) put(jobs ...queue.NewJob) []string {
	r.Helper()
	ids := make([]string, len(jobs))
	for i := range jobs {
		jobs[i].Queue = r.name
	}
	done, err := r.client.EnqueueMany(r.Context(), jobs)
	if err != nil {
		r.Fatal(err)
	}
	for i, d := range done {
		ids[i] = d.ID
	}
	return ids
}

func (r *rig) job(id string) queue.Info {
	r.Helper()
	info, err := r.client.Get(r.Context(), r.name, id)
	if err != nil {
		r.Fatalf("%s: %v", id, err)
	}
	return info
}

var timing = queue.Timing{Interval: time.Minute, TTL: 5 * time.Minute}

// work has a worker, which stays registered, claim every due job, and settle each as told; "" leaves it in hand.
func (r *rig) work(worker string, outcome queue.Outcome, failure string) {
	r.Helper()
	l, err := r.client.Link(r.name)
	if err != nil {
		r.Fatal(err)
	}
	defer l.Close()
	info := queue.WorkerInfo{ID: worker, Host: "here", PID: 7, Concurrency: 10, Build: "sha256:0123456789ab", Started: time.Now()}
	if _, err := l.Heartbeat(r.Context(), info, timing, true); err != nil {
		r.Fatal(err)
	}
	awaitDue(r, r.client, r.name)
	for number := int64(1); ; number++ {
		x := l.Exchange(r.Context(), queue.Exchange{Worker: worker, Claim: 100, Number: number, Lease: time.Minute})
		if x.ClaimErr != nil {
			r.Fatal(x.ClaimErr)
		}
		if len(x.Claims.Jobs) == 0 {
			return
		}
		if outcome == "" {
			continue
		}
		var results []queue.Result
		for _, c := range x.Claims.Jobs {
			results = append(results, queue.Result{Element: c.Element, Outcome: outcome, Delay: time.Hour, Retention: c.Job.Retention,
				Failure: &queue.Failure{Error: failure, Attempt: c.Attempt, Worker: worker, TookMS: 12}})
		}
		if x := l.Exchange(r.Context(), queue.Exchange{Worker: worker, Number: 1000 + number, Lease: time.Minute, Results: results}); x.SettleErr != nil {
			r.Fatal(x.SettleErr)
		}
	}
}

// bury makes n dead jobs dead0, dead1, … of a type.
func (r *rig) bury(n int, kind string) {
	r.Helper()
	jobs := make([]queue.NewJob, n)
	for i := range jobs {
		jobs[i] = queue.NewJob{ID: fmt.Sprint("dead", i, kind), Type: kind, At: time.UnixMilli(1)}
	}
	r.put(jobs...)
	r.work("digger", queue.OutcomeDead, "it broke")
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func contains(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
}

// lastDeed is what the trail of the queue has last.
func (r *rig) lastDeed() queue.Deed {
	r.Helper()
	deeds, err := r.client.Trail(r.Context(), r.name, 1)
	if err != nil || len(deeds) == 0 {
		r.Fatalf("%v: %v", deeds, err)
	}
	return deeds[0]
}

func (r *rig) expectDeed(verb, target string, jobs int) {
	r.Helper()
	d := r.lastDeed()
	if d.Verb != verb || d.Target != target || d.Jobs != jobs || d.Via != "cli" || !strings.Contains(d.Who, "@") {
		r.Errorf("the trail tells %+v, want %s of %s, %d jobs", d, verb, target, jobs)
	}
}

// awaitDue waits until what is to be due now is: a due time is never before the ms that follows the registration.
func awaitDue(t testing.TB, q *queue.Client, name string) {
	t.Helper()
	redistest.Await(t, 10*time.Second, "the jobs to be due", func() bool {
		o, err := q.Overview(t.Context(), name)
		return err != nil || o.NextDue.IsZero() || o.NextDue.Sub(o.Now) > time.Second
	})
}
