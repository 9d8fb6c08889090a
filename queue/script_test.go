package queue_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

func (r *rig) forgetScripts() {
	r.Helper()
	if err := r.raw.ScriptFlush(r.Context()).Err(); err != nil {
		r.Fatal(err)
	}
}

// A server that knows none of the scripts (it restarted, or another took over) must not show in any answer.
func TestForgottenScripts(t *testing.T) {
	r := newRig(t)
	for name, use := range map[string]func() error{
		"heartbeat": func() error { _, err := r.beat("x", true); return err },
		"enqueue": func() error {
			_, err := r.client.Enqueue(t.Context(), queue.NewJob{Queue: r.name, ID: "a", Delay: time.Hour})
			return err
		},
		"claim":  func() error { return r.exchange("w", 1).ClaimErr },
		"settle": func() error { return r.exchange("w", 0, queue.Result{Element: "1:x", Outcome: "done"}).SettleErr },
		"reap":   func() error { _, err := r.link.Reap(t.Context(), "nobody"); return err },
		"leave":  func() error { _, err := r.link.Leave(t.Context(), "nobody"); return err },
		"wake":   func() error { return r.link.PassOn(t.Context()) },
		"trim":   func() error { _, err := r.link.Trim(t.Context(), 9, time.Hour, 9); return err },
		"audit":  func() error { return r.client.LookAt(t.Context(), r.name, "w", "first") },
		"repair": func() error { _, err := r.client.Repair(t.Context(), r.name, "nobody", "w"); return err },
		"tidy":   func() error { _, err := r.client.Tidy(t.Context(), r.name, "wake-tokens", "", ""); return err },
		"get":    func() error { _, err := r.client.Get(t.Context(), r.name, "first"); return err },
		"reschedule": func() error {
			_, err := r.client.Reschedule(t.Context(), r.name, "moved", queue.When{In: time.Hour})
			return err
		},
		"redrive": func() error { return r.client.Redrive(t.Context(), r.name, "dead000") },
		"purge":   func() error { _, err := r.client.PurgeAll(t.Context(), r.name, queue.Filter{Type: "none"}); return err },
		"edit": func() error {
			_, err := r.client.Edit(t.Context(), r.name, "moved", queue.Changes{Payload: []byte("1")})
			return err
		},
		"list":     func() error { return listAll(r, queue.Scheduled) },
		"groups":   func() error { _, _, err := r.client.DeadGroups(t.Context(), r.name); return err },
		"minutes":  func() error { _, err := r.client.Minutes(t.Context(), r.name, 9); return err },
		"overview": func() error { _, err := r.client.Overview(t.Context(), r.name); return err },
		"forget": func() error {
			if err := r.client.Forget(t.Context(), r.name); !errors.Is(err, queue.ErrInUse) {
				return fmt.Errorf("in use, and yet: %w", err)
			}
			return nil
		},
		"trail": func() error { return r.record(queue.Deed{Verb: "run"}) },
		"limit": func() error { _, err := r.client.Limit(t.Context(), "forgotten "+r.name, 1e6, 1e6); return err },
	} {
		if name == "heartbeat" || name == "claim" { // neither needs the other to have run
			r.register("w")
		}
		r.put(queue.NewJob{Delay: time.Hour})
		switch name {
		case "get":
			r.put(queue.NewJob{ID: "first", Delay: time.Hour})
		case "redrive":
			bury(r, 1)
		case "reschedule", "edit":
			_, _ = r.client.Enqueue(t.Context(), queue.NewJob{Queue: r.name, ID: "moved", Delay: time.Hour})
		}
		r.forgetScripts()
		if err := use(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Settle and claim in one pipeline, both forgotten: both are sent again, in their order.
func TestForgottenScriptsInAPipeline(t *testing.T) {
	r := newRig(t)
	r.register("w")
	id := r.putNow(1)[0]
	first := r.take("w", 1)[0]
	r.forgetScripts()
	x := r.exchange("w", 1, queue.Result{Element: first.Element, Outcome: queue.OutcomeRetry})
	if x.SettleErr != nil || x.ClaimErr != nil || len(x.Claims.Jobs) != 1 || x.Claims.Jobs[0].Attempt != 2 {
		t.Fatalf("%+v", x)
	}
	equal(t, "job", x.Claims.Jobs[0].Job.ID, id)
}

// Settle alone is forgotten: the claim of its pipeline has run before it is sent again, so it must push the token itself.
func TestForgottenSettlePushesTheToken(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.putNow(1)
	first := r.take("w", 1)[0]
	r.forgetScripts()
	r.claim("w", 1) // teaches the server claim, and not settle
	r.dropToken()
	x := r.exchange("w", 1, queue.Result{Element: first.Element, Outcome: queue.OutcomeRetry, Delay: time.Hour})
	if x.SettleErr != nil || x.ClaimErr != nil || !x.Claims.NextDue.IsZero() {
		t.Fatalf("the claim was to come first and to see nothing: %+v", x)
	}
	equal(t, "settled", x.Settled, []queue.Outcome{queue.OutcomeRetry})
	equal(t, "token", r.token(), true)
}

// Jobs go through while another client makes the server forget all the time.
func TestScriptsFlushedWithoutEnd(t *testing.T) {
	r := newRig(t)
	r.register("w")
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan int)
	go func() {
		n := 0
		for ; ctx.Err() == nil; n++ {
			r.raw.ScriptFlush(context.Background())
		}
		stopped <- n
	}()
	want := map[string]bool{}
	for range 20 {
		for _, id := range r.putNow(10) {
			want[id] = true
		}
	}
	var results []queue.Result
	for len(want) > 0 || len(results) > 0 {
		x := r.exchange("w", 7, results...)
		if x.SettleErr != nil || x.ClaimErr != nil {
			t.Fatalf("%+v", x)
		}
		for _, outcome := range x.Settled {
			equal(t, "outcome", outcome, queue.OutcomeDone)
		}
		results = nil
		for _, c := range x.Claims.Jobs {
			if !want[c.Job.ID] || c.Attempt != 1 {
				t.Errorf("%+v", c)
			}
			delete(want, c.Job.ID)
			results = append(results, queue.Result{Element: c.Element, Outcome: queue.OutcomeDone})
		}
	}
	cancel()
	if n := <-stopped; n < 20 {
		t.Fatalf("the scripts were flushed %d times", n)
	}
	equal(t, "left", r.raw.Exists(t.Context(), r.key("jobs")).Val(), int64(0))
	r.expectStats(map[string]string{"enqueued": "200", "claimed": "200", "done": "200"})
}

// A counter that is not a number must not fail the move that it counts: it starts anew.
func TestSpoiledCounters(t *testing.T) {
	r := newRig(t)
	r.register("w")
	for _, name := range []string{"enqueued", "claimed", "done", "retried", "dead", "released", "lost", "corrupt", "reaped", "dead_trimmed", "redriven",
		"purged_dead", "purged_scheduled"} {
		r.do("HSET", k("stats"), name, "spoiled")
	}
	r.putNow(5)
	jobs := r.take("w", 4)
	r.settle("w", queue.Result{Element: jobs[0].Element, Outcome: queue.OutcomeDone},
		queue.Result{Element: jobs[1].Element, Outcome: queue.OutcomeRetry, Delay: time.Hour},
		queue.Result{Element: jobs[2].Element, Outcome: queue.OutcomeDead},
		queue.Result{Element: jobs[3].Element, Outcome: queue.OutcomeRelease},
		queue.Result{Element: "9:x", Outcome: queue.OutcomeDone})
	r.makeDue(ids(jobs)[3])
	r.take("w", 2)
	r.kill("w")
	r.reap("w")
	if _, err := r.link.Trim(t.Context(), 0, time.Hour, 0); err != nil {
		t.Fatal(err)
	}
	r.expectStats(map[string]string{"enqueued": "5", "claimed": "6", "done": "1", "retried": "1", "dead": "1", "released": "1",
		"lost": "1", "corrupt": "spoiled", "reaped": "2", "dead_trimmed": "1", "redriven": "spoiled", "purged_dead": "spoiled", "purged_scheduled": "spoiled"})
	for range 2 {
		bury(r, 1)
		if err := r.client.Redrive(t.Context(), r.name, "dead000"); err != nil {
			t.Fatal(err)
		}
		if _, err := r.client.PurgeAll(t.Context(), r.name, queue.Filter{State: queue.Scheduled, Limit: 1000}); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "redriven", r.stat("redriven"), 2)
	equal(t, "purged", r.stat("purged_scheduled"), 5)
}

// Large counters stay whole: Lua would print them as 9.0071992547e+15.
func TestLargeCounters(t *testing.T) {
	r := newRig(t)
	r.register("w")
	const large = 1<<53 - 2
	for _, name := range []string{"enqueued", "claimed", "done"} {
		r.do("HSET", k("stats"), name, large)
	}
	r.putNow(1)
	r.settle("w", queue.Result{Element: r.take("w", 1)[0].Element, Outcome: queue.OutcomeDone})
	want := strconv.Itoa(large + 1)
	r.expectStats(map[string]string{"enqueued": want, "claimed": want, "done": want})
}

// What Redis says is told, and nothing was changed: a server that answers no is unavailable.
func TestAnswersOfARedisThatRefuses(t *testing.T) {
	s := redistest.Own(t)
	r := rigOn(t, s, queue.Options{Timeout: bound})
	r.register("w")
	r.put(queue.NewJob{Delay: time.Hour})
	before := r.everything()
	admin := redis.NewClient(&redis.Options{Addr: s.Addr()})
	t.Cleanup(func() { _ = admin.Close() })
	if err := admin.Do(t.Context(), "REPLICAOF", "127.0.0.1", "1").Err(); err != nil {
		t.Fatal(err)
	}
	_, enqueue := r.client.Enqueue(t.Context(), queue.NewJob{Queue: r.name})
	_, beat := r.beat("w", false)
	for name, err := range map[string]error{"enqueue": enqueue, "heartbeat": beat, "claim": r.exchange("w", 1).ClaimErr} {
		expectUnavailable(t, name+" on a replica", err)
	}
	r.unchanged(before)
	if err := admin.Do(t.Context(), "REPLICAOF", "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	r.put(queue.NewJob{Delay: time.Hour})
}

// Every Lua file but the helpers is a script that Redis knows by the SHA1 that ScriptSHAs tells.
func TestScriptSHAs(t *testing.T) {
	r := newRig(t)
	shas := queue.ScriptSHAs()
	for name := range headers(t) {
		if shas[name] == "" {
			t.Errorf("%s has no SHA1", name)
		}
	}
	equal(t, "scripts", len(shas), len(headers(t)))
	r.put(queue.NewJob{}) // the first asks for permission, too
	r.forgetScripts()
	r.put(queue.NewJob{})
	for name, sha := range shas {
		known, err := r.raw.ScriptExists(t.Context(), sha).Result()
		if err != nil {
			t.Fatal(err)
		}
		equal(t, name+" is known to Redis", known[0], name == "enqueue")
	}
}
