package queue_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

func TestClaimTellsAllOfAJob(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.put(queue.NewJob{ID: "a:b", Type: "mail", MaxRetry: queue.NoRetry, Timeout: time.Second, Payload: json.RawMessage(`[1]`)})
	r.do("ZADD", k("scheduled"), 5000, "a:b")
	r.number = 41
	c := r.claim("w", 5)
	if len(c.Jobs) != 1 {
		t.Fatalf("%+v", c)
	}
	got := c.Jobs[0]
	equal(t, "element", got.Element, "42:a:b")
	equal(t, "attempt", got.Attempt, 1)
	equal(t, "due", got.Due.UnixMilli(), 5000)
	equal(t, "lateness", got.Lateness(), c.Now.Sub(time.UnixMilli(5000)))
	equal(t, "at", got.At, c.Now)
	equal(t, "held", c.Held, 1)
	equal(t, "corrupt", got.Corrupt, nil)
	equal(t, "no job waits", c.NextDue.IsZero(), true)
	if j := got.Job; j.ID != "a:b" || j.Queue != r.name || j.Type != "mail" || j.MaxRetry != 0 || j.Timeout != time.Second ||
		string(j.Payload) != "[1]" {
		t.Errorf("%+v", j)
	}
	if now := r.now(); c.Now.UnixMilli() > now || c.Now.UnixMilli() < now-bound.Milliseconds() {
		t.Errorf("now is %d, was told %d", now, c.Now.UnixMilli())
	}
	equal(t, "list", r.raw.LRange(t.Context(), r.key("processing:w"), 0, -1).Val(), []string{"42:a:b"})
	equal(t, "attempts", r.raw.HGetAll(t.Context(), r.key("attempts")).Val(), map[string]string{"a:b": "1"})
	r.expectStats(map[string]string{"enqueued": "1", "claimed": "1"})
}

func TestClaimIsFenced(t *testing.T) {
	r := newRig(t)
	r.putNow(1)
	r.register("reaped")
	r.do("HSET", k("meta"), "reaping:reaped", "1")
	before := r.everything()
	for _, w := range []string{"stranger", "reaped"} {
		if x := r.exchange(w, 1); !errors.Is(x.ClaimErr, queue.ErrFenced) {
			t.Errorf("%s: %+v", w, x)
		}
	}
	r.unchanged(before)
}

func TestClaimIsNeverEarly(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.put(queue.NewJob{ID: "far", Delay: time.Hour})
	dues := map[string]time.Time{}
	for i := range 20 {
		done, err := r.client.Enqueue(t.Context(), queue.NewJob{Queue: r.name, Delay: time.Duration(i) * 3 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		dues[done.ID] = done.Due
	}
	redistest.Await(t, bound, "20 jobs due within 60 ms", func() bool {
		c := r.claim("w", 100)
		for _, j := range c.Jobs {
			if due := dues[j.Job.ID]; j.At.Before(due) || !j.Due.Equal(due) {
				t.Errorf("due at %s, claimed as due at %s, at %s", due, j.Due, j.At)
			}
			delete(dues, j.Job.ID)
		}
		for id, due := range dues {
			if due.Before(c.Now) {
				t.Errorf("%s was due at %s and is not claimed at %s", id, due, c.Now)
			}
		}
		return len(dues) == 0
	})
	equal(t, "far", r.get("far").State, queue.Scheduled)
}

func TestClaimOrderIsByDueTimeThenID(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.put(queue.NewJob{ID: "c"}, queue.NewJob{ID: "b"}, queue.NewJob{ID: "a"}, queue.NewJob{ID: "z"})
	r.makeDue("a", "b", "c")
	r.do("ZADD", k("scheduled"), 999, "z")
	equal(t, "first", ids(r.take("w", 3)), []string{"z", "a", "b"})
	equal(t, "second", ids(r.claim("w", 3).Jobs), []string{"c"})
	c := r.claim("w", 3)
	equal(t, "held", c.Held, 4)
	equal(t, "nothing left", len(c.Jobs), 0)
}

func TestClaimTakesAtMost100(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.putNow(130)
	c := r.claim("w", 1000)
	equal(t, "claimed", len(c.Jobs), queue.ClaimLimit)
	equal(t, "the next one is due", c.NextDue.UnixMilli(), 1000)
	equal(t, "the rest", len(r.claim("w", 100).Jobs), 30)
	r.expectStats(map[string]string{"enqueued": "130", "claimed": "130"})
}

func TestClaimStopsAtOneMiB(t *testing.T) {
	r := newRig(t)
	r.register("w")
	jobs := make([]queue.NewJob, 20)
	for i := range jobs {
		jobs[i].Payload = json.RawMessage(`"` + strings.Repeat("x", 100<<10-2) + `"`)
	}
	want := r.put(jobs...)
	r.makeDue(want...)
	first := r.claim("w", 100)
	equal(t, "records of a little over 100 KiB in 1 MiB, the last of them over the edge", len(first.Jobs), 11)
	equal(t, "the next one is due", first.NextDue.UnixMilli(), 1000)
	equal(t, "slots are free, so this worker goes on", first.Armed, true)
	second := r.claim("w", 100)
	equal(t, "all", append(ids(first.Jobs), ids(second.Jobs)...), want)
}

func TestClaimCountsAttempts(t *testing.T) {
	r := newRig(t)
	r.register("w")
	id := r.putNow(1)[0]
	for attempt := range 3 {
		c := r.take("w", 1)[0]
		equal(t, "attempt", c.Attempt, attempt+1)
		equal(t, "get", r.get(id).Attempts, attempt+1)
		r.settle("w", queue.Result{Element: c.Element, Outcome: queue.OutcomeRetry})
		r.makeDue(id)
	}
}

func TestClaimBuriesWhatItCannotRead(t *testing.T) {
	r := newRig(t)
	r.register("w")
	good := r.putNow(2)
	r.put(queue.NewJob{ID: "attempts", Payload: json.RawMessage(`{"keep":"` + strings.Repeat("k", 8000) + `"}`)},
		queue.NewJob{ID: "fraction"}, queue.NewJob{ID: "negative"}, queue.NewJob{ID: "gone"}, queue.NewJob{ID: "text"}, queue.NewJob{ID: "list"})
	r.makeDue("attempts", "fraction", "negative", "gone", "text", "list")
	r.do("HSET", k("attempts"), "attempts", "many", "fraction", "1.5", "negative", "-1", "text", "3")
	r.do("HDEL", k("jobs"), "gone")
	r.do("HSET", k("jobs"), "text", "\x00 not JSON \xff", "list", "[1]")
	r.do("ZADD", k("scheduled"), 1, "ghost") // never had a record
	equal(t, "claimed", ids(r.claim("w", 100).Jobs), good)

	reasons := map[string]string{"attempts": "attempts are not a number", "fraction": "attempts are not a number",
		"negative": "attempts are not a number", "gone": "record is missing", "ghost": "record is missing",
		"text": "record is not JSON", "list": "record is not JSON"}
	for id, reason := range reasons {
		info := r.get(id)
		if info.State != queue.Dead || len(info.Failures) != 1 || info.Failures[0].Error != "unreadable: "+reason ||
			info.Failures[0].Worker != "w" || info.Failures[0].At != info.Due.UnixMilli() {
			t.Errorf("%s: %+v", id, info)
		}
	}
	equal(t, "attempts of what is readable", r.get("text").Attempts, 3)
	equal(t, "what was there is kept", strings.Contains(fmt.Sprint(r.do("HGET", k("jobs"), "list")), `"was":"[1]"`), true)
	equal(t, "a readable record is left whole", len(r.get("attempts").Payload), 8000+len(`{"keep":""}`))
	r.expectStats(map[string]string{"enqueued": "8", "claimed": "2", "dead": "7", "corrupt": "7"})
}

// A hundred of them must neither stop the batch nor hide what waits behind them.
func TestClaimGetsPastAHundredGhosts(t *testing.T) {
	r := newRig(t)
	r.register("w")
	good := r.putNow(1)
	for i := range 150 {
		r.do("ZADD", k("scheduled"), 1, fmt.Sprintf("ghost%03d", i))
	}
	c := r.claim("w", 100)
	equal(t, "none of the first hundred", len(c.Jobs), 0)
	equal(t, "claims again at once", c.Armed && c.NextDue.UnixMilli() == 1, true)
	equal(t, "the rest", ids(r.claim("w", 100).Jobs), good)
	equal(t, "dead", r.stat("dead"), 150)
}

// A long record that is not JSON is kept as far as it is bounded.
func TestClaimCutsWhatATombstoneKeeps(t *testing.T) {
	r := newRig(t)
	r.register("w")
	id := r.putNow(1)[0]
	r.do("HSET", k("jobs"), id, strings.Repeat("z", 5000))
	equal(t, "claimed", len(r.claim("w", 1).Jobs), 0)
	var tombstone map[string]any
	if err := json.Unmarshal([]byte(fmt.Sprint(r.do("HGET", k("jobs"), id))), &tombstone); err != nil {
		t.Fatal(err)
	}
	equal(t, "tombstone", tombstone, map[string]any{"type": "unreadable", "max_retry": 0.0, "reason": "record is not JSON",
		"was": strings.Repeat("z", 4096)})
}

// What looks like a record from outside and is none is found in Go; settle buries it.
func TestClaimTellsOfACorruptRecord(t *testing.T) {
	r := newRig(t)
	r.register("w")
	id := r.putNow(1)[0]
	r.do("HSET", k("jobs"), id, `{"type":}`)
	c := r.take("w", 1)[0]
	if c.Corrupt == nil || c.Job.ID != id {
		t.Fatalf("%+v", c)
	}
	equal(t, "settled", r.settle("w", queue.Result{Element: c.Element, Outcome: queue.OutcomeCorrupt}), []queue.Outcome{queue.OutcomeDead})
}

// A foreign score must not make a worker run in circles, nor stop those who can read it.
func TestClaimSurvivesForeignScores(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.put(queue.NewJob{ID: "never"}, queue.NewJob{ID: "fraction"}, queue.NewJob{ID: "always"})
	r.do("ZADD", k("scheduled"), "+inf", "never", "1000.5", "fraction", "-inf", "always")
	if r.server.Backend() == "embedded" { // its Lua reads no -inf
		r.do("ZADD", k("scheduled"), -1, "always")
	}
	c := r.claim("w", 100)
	if !slices.Equal(ids(c.Jobs), []string{"always", "fraction"}) {
		t.Fatalf("%+v", c)
	}
	if year := c.NextDue.UTC().Year(); year < 3000 || time.Until(c.NextDue) < math.MaxInt64/2 {
		t.Errorf("a job due at infinity is due in %d", year)
	}
	pulse, err := r.beat("w", false)
	if err != nil || !pulse.NextDue.Equal(c.NextDue) {
		t.Errorf("%+v, %v", pulse, err)
	}
	r.put(queue.NewJob{})
	equal(t, "a job before infinity is a new head", r.token(), true)
}
