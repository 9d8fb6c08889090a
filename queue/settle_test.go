package queue_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/punctualq/punctual/queue"
)

func TestSettleOutcomes(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.put(queue.NewJob{ID: "done"}, queue.NewJob{ID: "retry"}, queue.NewJob{ID: "dead"}, queue.NewJob{ID: "release"}, queue.NewJob{ID: "corrupt"})
	r.makeDue("done", "retry", "dead", "release", "corrupt")
	jobs := r.take("w", 5)
	failure := &queue.Failure{Error: "it broke", Attempt: 1, Worker: "w", TookMS: 12, At: 77}
	before := r.now()
	got := r.settle("w",
		queue.Result{Element: element(jobs, "done"), Outcome: queue.OutcomeDone},
		queue.Result{Element: element(jobs, "retry"), Outcome: queue.OutcomeRetry, Delay: time.Hour, Failure: failure},
		queue.Result{Element: element(jobs, "dead"), Outcome: queue.OutcomeDead, Failure: failure},
		queue.Result{Element: element(jobs, "release"), Outcome: queue.OutcomeRelease},
		queue.Result{Element: element(jobs, "corrupt"), Outcome: queue.OutcomeCorrupt, Failure: failure})
	after := r.now() + 1
	equal(t, "outcomes", got, []queue.Outcome{"done", "retry", "dead", "release", "dead"})
	within := func(id string, at time.Time, offset time.Duration) {
		t.Helper()
		if ms := at.Add(-offset).UnixMilli(); ms < before || ms > after {
			t.Errorf("%s: %d, want between %d and %d after %s", id, at.UnixMilli(), before, after, offset)
		}
	}

	if _, err := r.client.Get(t.Context(), r.name, "done"); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("done: %v", err)
	}
	retry := r.get("retry")
	equal(t, "retry", retry.State, queue.Scheduled)
	equal(t, "attempts count on", retry.Attempts, 1)
	within("retry is due", retry.Due, time.Hour)
	if f := retry.Failures; len(f) != 1 || f[0].Error != "it broke" || f[0].Attempt != 1 || f[0].Worker != "w" || f[0].TookMS != 12 {
		t.Errorf("failures: %+v", f)
	} else {
		within("failure", time.UnixMilli(f[0].At), 0) // by the clock of Redis, not what the caller said
	}
	dead := r.get("dead")
	equal(t, "dead", dead.State, queue.Dead)
	within("died", dead.Due, 0)
	equal(t, "its failures", len(dead.Failures), 1)
	released := r.get("release")
	equal(t, "released", released.State, queue.Scheduled)
	equal(t, "its attempt is not counted", released.Attempts, 0)
	equal(t, "no trace of it", r.do("HEXISTS", k("attempts"), "release"), any(int64(0)))
	within("released job is due", released.Due, 0)
	corrupt := r.get("corrupt")
	equal(t, "corrupt", corrupt.State, queue.Dead)
	equal(t, "type", corrupt.Type, "unreadable")
	equal(t, "list", r.do("EXISTS", k("processing:w")), any(int64(0)))
	r.expectStats(map[string]string{"enqueued": "5", "claimed": "5", "done": "1", "retried": "1", "dead": "2", "released": "1", "corrupt": "1"})
}

// Each of these names an element that is not on this worker's list. Nothing may change but the counter.
func TestSettleLost(t *testing.T) {
	r := newRig(t)
	r.register("w", "other")
	id := r.putNow(1)[0]
	old := r.take("w", 1)[0].Element
	r.settle("w", queue.Result{Element: old, Outcome: queue.OutcomeRetry})
	r.makeDue(id)
	current := r.take("w", 1)[0].Element
	r.dropToken()
	before := r.everything()
	for name, lost := range map[string]struct{ worker, element string }{
		"an old claim":         {"w", old},
		"a claim to come":      {"w", "99:" + id},
		"another worker":       {"other", current},
		"an unknown worker":    {"nobody", current},
		"the id alone":         {"w", id},
		"part of the element":  {"w", current[:len(current)-1]},
		"a pattern":            {"w", "*"},
		"an empty element":     {"w", ""},
		"an id not in the set": {"w", "1:nothing"},
	} {
		for _, outcome := range []queue.Outcome{queue.OutcomeDone, queue.OutcomeRetry, queue.OutcomeDead, queue.OutcomeRelease, queue.OutcomeCorrupt} {
			got := r.settle(lost.worker, queue.Result{Element: lost.element, Outcome: outcome, Failure: &queue.Failure{Error: "x"}})
			if !slices.Equal(got, []queue.Outcome{queue.OutcomeLost}) {
				t.Errorf("%s, %s: %v", name, outcome, got)
			}
		}
	}
	r.unchanged(before, "stats")
	equal(t, "counted", r.stat("lost"), 9*5)
	equal(t, "the right one", r.settle("w", queue.Result{Element: current, Outcome: queue.OutcomeDone}), []queue.Outcome{queue.OutcomeDone})
}

func TestSettleTwice(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.putNow(2)
	jobs := r.take("w", 2)
	retry := queue.Result{Element: jobs[0].Element, Outcome: queue.OutcomeRetry, Delay: time.Hour}
	done := queue.Result{Element: jobs[1].Element, Outcome: queue.OutcomeDone}
	equal(t, "in one call", r.settle("w", retry, done, retry, done), []queue.Outcome{"retry", "done", "lost", "lost"})
	equal(t, "sent again", r.settle("w", retry, done), []queue.Outcome{"lost", "lost"})
}

func TestSettleReleaseGivesTheAttemptBack(t *testing.T) {
	r := newRig(t)
	r.register("w")
	id := r.putNow(1)[0]
	for _, test := range []struct{ attempts, claimed, afterwards any }{
		{"2", 3, "2"}, {"1", 2, "1"}, {"0", 1, nil}, {nil, 1, nil},
	} {
		r.do("HDEL", k("attempts"), id)
		if test.attempts != nil {
			r.do("HSET", k("attempts"), id, test.attempts)
		}
		c := r.take("w", 1)[0]
		equal(t, "attempt", any(c.Attempt), test.claimed)
		r.settle("w", queue.Result{Element: c.Element, Outcome: queue.OutcomeRelease})
		equal(t, "afterwards", r.do("HGET", k("attempts"), id), test.afterwards)
		r.makeDue(id)
	}
	// A counter that was spoiled meanwhile must not stop the release.
	c := r.take("w", 1)[0]
	r.do("HSET", k("attempts"), id, "spoiled")
	equal(t, "spoiled", r.settle("w", queue.Result{Element: c.Element, Outcome: queue.OutcomeRelease}), []queue.Outcome{"release"})
}

func TestSettleKeepsTheLastFiveFailures(t *testing.T) {
	r := newRig(t)
	r.register("w")
	id := r.putNow(1)[0]
	fail := func(text string) {
		t.Helper()
		r.makeDue(id)
		c := r.take("w", 1)[0]
		r.settle("w", queue.Result{Element: c.Element, Outcome: queue.OutcomeRetry,
			Failure: &queue.Failure{Error: text, Attempt: c.Attempt, Worker: "w"}})
	}
	for i := range 7 {
		fail(fmt.Sprintf("failure %d: \"/<&>\"\n\u2028 é", i+1))
	}
	failures := r.get(id).Failures
	for i, f := range failures {
		if f.Attempt != 7-i || f.Error != fmt.Sprintf("failure %d: \"/<&>\"\n\u2028 é", 7-i) || f.At == 0 {
			t.Errorf("%d: %+v", i, f)
		}
	}
	equal(t, "kept", len(failures), 5)

	for _, junk := range []string{"not JSON", `{"a":1}`, `"text"`, "7", "[1", ""} {
		r.do("HSET", k("errors"), id, junk)
		fail("after " + junk)
		if got := r.get(id).Failures; len(got) != 1 || got[0].Error != "after "+junk {
			t.Errorf("after %q: %+v", junk, got)
		}
	}
}

func TestSettleCutsLongErrorTexts(t *testing.T) {
	r := newRig(t)
	r.register("w")
	texts := map[string]string{
		strings.Repeat("a", 5000):        strings.Repeat("a", 4096),
		strings.Repeat("a", 4095) + "éé": strings.Repeat("a", 4095), // not half a character
		"bad \xff byte":                  "bad  byte",
		"nul \x00 and \x1b[31m":          "nul \x00 and \x1b[31m",
	}
	for text, want := range texts {
		id := r.putNow(1)[0]
		c := r.take("w", 1)[0]
		r.settle("w", queue.Result{Element: c.Element, Outcome: queue.OutcomeDead, Failure: &queue.Failure{Error: text}})
		equal(t, "kept", r.get(id).Failures[0].Error, want)
		if raw := fmt.Sprint(r.do("HGET", k("errors"), id)); !json.Valid([]byte(raw)) || !utf8.ValidString(raw) {
			t.Errorf("errors: %q", raw)
		}
	}
}

// A job whose record has vanished cannot be run again: it is kept as what is left of it.
func TestSettleOfAVanishedRecord(t *testing.T) {
	for outcome, want := range map[queue.Outcome]queue.Outcome{"done": "done", "retry": "dead", "dead": "dead", "release": "dead", "corrupt": "dead"} {
		for _, failure := range []*queue.Failure{nil, {Error: "own words"}} {
			r := newRig(t)
			r.register("w")
			id := r.putNow(1)[0]
			c := r.take("w", 1)[0]
			r.do("HDEL", k("jobs"), id)
			equal(t, string(outcome), r.settle("w", queue.Result{Element: c.Element, Outcome: outcome, Failure: failure}), []queue.Outcome{want})
			if outcome == queue.OutcomeDone {
				continue
			}
			text := "unreadable: record is missing"
			if failure != nil {
				text = failure.Error
			}
			info := r.get(id)
			if info.State != queue.Dead || info.Type != "unreadable" || len(info.Failures) != 1 || info.Failures[0].Error != text {
				t.Errorf("%s: %+v", outcome, info)
			}
			r.expectStats(map[string]string{"enqueued": "1", "claimed": "1", "dead": "1", "corrupt": "1"})
		}
	}
}

// What is on the list and none of ours is settled like the rest: the worker finds it there and cannot read it.
func TestSettleOfAForeignElement(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.do("RPUSH", k("processing:w"), "foreign", "5:stray")
	corrupt := func(element string) queue.Result {
		return queue.Result{Element: element, Outcome: queue.OutcomeCorrupt}
	}
	equal(t, "settled", r.settle("w", corrupt("foreign"), corrupt("5:stray")), []queue.Outcome{"dead", "dead"})
	for _, id := range []string{"foreign", "stray"} {
		equal(t, id, r.get(id).Failures[0].Error, "unreadable: record is missing")
	}
}

func TestSettleRefusesAnUnknownOutcome(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.putNow(2)
	jobs := r.take("w", 2)
	before := r.everything()
	for _, outcome := range []queue.Outcome{"finished", "", queue.OutcomeLost} {
		x := r.exchange("w", 0, queue.Result{Element: jobs[0].Element, Outcome: queue.OutcomeDone},
			queue.Result{Element: jobs[1].Element, Outcome: outcome})
		if x.SettleErr == nil || x.Settled != nil {
			t.Errorf("%q: %+v", outcome, x)
		}
	}
	r.unchanged(before)
	r.kill("w")
	r.reap("w")
}

func TestSettleTokenForANewHead(t *testing.T) {
	for _, test := range []struct {
		name          string
		outcome       queue.Outcome
		delay         time.Duration
		waits         time.Duration // another job is due after this; 0: none is there
		claim         int
		token, before bool
	}{
		{name: "a retry is a new head", outcome: queue.OutcomeRetry, delay: time.Hour, token: true},
		{name: "a release is a new head", outcome: queue.OutcomeRelease, waits: time.Hour, token: true},
		{name: "a retry before what waits", outcome: queue.OutcomeRetry, delay: time.Minute, waits: time.Hour, token: true},
		{name: "a retry after what waits", outcome: queue.OutcomeRetry, delay: 2 * time.Hour, waits: time.Hour},
		{name: "the claim that follows looks by itself", outcome: queue.OutcomeRetry, delay: time.Hour, claim: 1},
		{name: "one token is enough", outcome: queue.OutcomeRetry, delay: time.Hour, before: true, token: true},
		{name: "done needs none", outcome: queue.OutcomeDone},
		{name: "dead needs none", outcome: queue.OutcomeDead},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.register("w")
			r.putNow(1)
			c := r.take("w", 1)[0]
			if test.waits > 0 {
				r.put(queue.NewJob{Delay: test.waits})
			}
			r.dropToken()
			if test.before {
				r.do("LPUSH", k("wake"), "1")
			}
			x := r.exchange("w", test.claim, queue.Result{Element: c.Element, Outcome: test.outcome, Delay: test.delay})
			if x.SettleErr != nil || x.ClaimErr != nil {
				t.Fatalf("%+v", x)
			}
			equal(t, "token", r.token(), test.token)
		})
	}
}

func TestSettleAHundred(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.putNow(100)
	results := make([]queue.Result, 100)
	want := make([]queue.Outcome, 100)
	for i, c := range r.take("w", 100) {
		want[i] = []queue.Outcome{"done", "retry", "dead", "release"}[i%4]
		results[i] = queue.Result{Element: c.Element, Outcome: want[i], Delay: time.Hour}
	}
	equal(t, "outcomes", r.settle("w", results...), want)
	equal(t, "left", r.raw.HLen(t.Context(), r.key("jobs")).Val(), int64(75))
	r.expectStats(map[string]string{"enqueued": "100", "claimed": "100", "done": "25", "retried": "25", "dead": "25", "released": "25"})
}
