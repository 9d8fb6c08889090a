package integration

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// aclLine is the line of the guide that makes a user with the least rights.
func aclLine(t *testing.T, guide string) []any {
	t.Helper()
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	_, line, found := strings.Cut(string(text), "\nACL SETUSER punctual ")
	if !found {
		t.Fatalf("%s has no line ACL SETUSER punctual", guide)
	}
	line, _, _ = strings.Cut(line, "\n")
	args := []any{"ACL", "SETUSER", "punctual", "reset"}
	for word := range strings.FieldsSeq(line) {
		args = append(args, word)
	}
	return args
}

// TestLeastPrivilege: a user who may do what the guide says, and no more, can do everything; and each single right is
// needed: without it, something is refused, with a text that says so.
func TestLeastPrivilege(t *testing.T) {
	line := aclLine(t, "../docs/en/Queue-Job.md")
	if ja := aclLine(t, "../docs/ja/Queue-Job.md"); len(ja) != len(line) {
		t.Errorf("the guides differ: %v and %v", line, ja)
	}
	s := redistest.Own(t)
	allow := func(more ...any) {
		t.Helper()
		if err := s.Client().Do(t.Context(), append(line, more...)...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	password := ""
	for _, arg := range line {
		if p, ok := strings.CutPrefix(arg.(string), ">"); ok {
			password = p
		}
	}
	// Database 1, for the sake of SELECT.
	url := strings.Replace(strings.TrimSuffix(s.URL(), "0")+"1", "redis://", "redis://punctual:"+password+"@", 1)
	allow()
	for _, err := range everyUse(t, s, url) {
		t.Errorf("with all rights: %v", err)
	}
	for _, arg := range line {
		command, ok := strings.CutPrefix(arg.(string), "+")
		switch {
		case !ok, command == "info": // without it readyz cannot warn of evictions; all else works
			continue
		case command == "role", command == "asking", strings.HasPrefix(command, "cluster|"): // of Sentinel and Cluster
			continue
		}
		allow("-" + command)
		errs := everyUse(t, s, url)
		if len(errs) == 0 {
			t.Errorf("without %s nothing is refused: the line need not have it", command)
		}
		for _, err := range errs {
			if (errors.Is(err, queue.ErrFenced) || errors.Is(err, queue.ErrNoQueue)) && len(errs) > 1 {
				continue // the heartbeat was refused before, or the first job of the queue
			}
			if !errors.Is(err, queue.ErrUnavailable) || !strings.Contains(err.Error(), "ermission") && !strings.Contains(err.Error(), "can't run this command") {
				t.Errorf("without %s: %v", command, err)
			}
		}
	}
}

// peopleUse uses what people and other programs ask for.
func peopleUse(t *testing.T, c *queue.Client, q string) (refused []error) {
	t.Helper()
	ctx := t.Context()
	note := func(err error) {
		if err != nil {
			refused = append(refused, err)
		}
	}
	id := q + "-late"
	_, err := c.Enqueue(ctx, queue.NewJob{Queue: q, ID: id, Delay: time.Hour})
	note(err)
	if err == nil {
		_, err = c.Reschedule(ctx, q, id, queue.When{In: 2 * time.Hour})
		note(err)
		_, err = c.Edit(ctx, q, id, queue.Changes{Payload: []byte("1")})
		note(err)
		note(c.Record(ctx, queue.Deed{Queue: q, Via: "cli", Verb: "edit", Target: id}))
	}
	for _, state := range []queue.State{queue.Scheduled, queue.Processing, queue.Dead, queue.Done} {
		_, err = c.List(ctx, q, queue.Listing{State: state})
		note(err)
	}
	_, err = c.RedriveAll(ctx, q, queue.Filter{Limit: 1})
	note(err)
	if err = c.Purge(ctx, q, "nobody"); !errors.Is(err, queue.ErrNotFound) {
		note(err)
	}
	_, err = c.PurgeAll(ctx, q, queue.Filter{State: queue.Scheduled, Type: "none"})
	note(err)
	_, err = c.Overviews(ctx)
	note(err)
	_, err = c.Limit(ctx, q, 1e6, 1e6)
	note(err)
	_, err = c.Trail(ctx, q, 1)
	note(err)
	_, err = c.Server(ctx, q) // what is not permitted is not refused
	note(err)
	return refused
}

// everyUse uses every script and every command, on a server that has forgotten all, and returns what was refused.
func everyUse(t *testing.T, s *redistest.Server, url string) (refused []error) {
	t.Helper()
	ctx, raw, q := t.Context(), s.Client(), redistest.Queue(t)
	raw.ScriptFlush(ctx)
	note := func(err error) {
		if err != nil {
			refused = append(refused, err)
		}
	}
	c, err := queue.Open(ctx, url, queue.Options{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, p := range c.Health(ctx) {
		note(errors.Join(queue.ErrUnavailable, errors.New(p.Reason)))
	}
	l, err := c.Link(q)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	timing := queue.Timing{Interval: 10 * time.Millisecond, TTL: 50 * time.Millisecond}
	beat := func(id string) {
		_, err := l.Heartbeat(ctx, queue.WorkerInfo{ID: id}, timing, true)
		note(err)
	}
	beat("victim")
	var jobs [6]queue.NewJob
	for i := range jobs {
		jobs[i].Queue = q
	}
	_, err = c.EnqueueMany(ctx, jobs[:])
	note(err)
	done := l.Exchange(ctx, queue.Exchange{Worker: "victim", Claim: 4, Number: 1, Lease: time.Second})
	note(done.ClaimErr)
	var results []queue.Result
	held := done.Claims.Jobs
	for i, claimed := range held[min(1, len(held)):] { // the first stays: these are not the head of the list
		outcome := []queue.Outcome{queue.OutcomeDead, queue.OutcomeRetry, queue.OutcomeDone}[i]
		results = append(results, queue.Result{Element: claimed.Element, Outcome: outcome, Failure: &queue.Failure{Error: "x"}})
	}
	done = l.Exchange(ctx, queue.Exchange{Worker: "victim", Results: results, Claim: 2, Number: 2, Lease: time.Second})
	note(done.SettleErr)
	note(done.ClaimErr)
	_, err = l.Held(ctx, []string{"2:x"})
	note(err)
	_, err = c.Get(ctx, q, "x")
	if !errors.Is(err, queue.ErrNotFound) {
		note(err)
	}
	for _, err := range peopleUse(t, c, q) {
		note(err)
	}
	_, err = c.Queues(ctx)
	note(err)
	_, err = l.Workers(ctx)
	note(err)
	note(l.PassOn(ctx))
	_, err = l.Wait(ctx, time.Second)
	note(err)
	_, err = l.Trim(ctx, 0, time.Hour, 0)
	note(err)
	beat("other")
	_, err = l.Leave(ctx, "other")
	note(err)
	if len(refused) > 0 {
		return refused // else the victim's heartbeat ends, and the observation window fills
	}
	redistest.Await(t, 10*time.Second, "the victim to be reaped", func() bool {
		if _, err := c.Observe(ctx, q, timing); err != nil {
			note(err)
			return true
		}
		r, err := l.Reap(ctx, "victim")
		note(err)
		return err != nil || r.Verdict == "reaped"
	})
	return refused
}
