package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// A real death, by the clock: intervals so short that the window fills while the test looks on.
func TestReapAfterRealTime(t *testing.T) {
	r := newRig(t)
	short := queue.Timing{Interval: 100 * time.Millisecond, TTL: 500 * time.Millisecond}
	if _, err := r.link.Heartbeat(t.Context(), queue.WorkerInfo{ID: "w"}, short, true); err != nil {
		t.Fatal(err)
	}
	id := r.putNow(1)[0]
	r.take("w", 1)
	var overdue string
	redistest.Await(t, bound, "the job of a worker that stopped", func() bool {
		pulse, err := r.client.Observe(t.Context(), r.name, short)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.client.Reap(t.Context(), r.name, "w")
		if err != nil {
			t.Fatal(err)
		}
		if got.Verdict == "reaped" {
			equal(t, "rescheduled", got.Rescheduled, 1)
			return true
		}
		if got.Verdict != "alive" && got.Verdict != "early" {
			t.Errorf("verdict %s", got.Verdict)
		}
		overdue = pulse.Overdue
		return false
	})
	if overdue != "" && overdue != "w" {
		t.Errorf("overdue: %s", overdue)
	}
	equal(t, "state", r.get(id).State, queue.Scheduled)
}

func TestReapVerdicts(t *testing.T) {
	interval := timing.Interval.Milliseconds()
	for name, test := range map[string]struct {
		spoil func(r *rig, now int64)
		want  string
	}{
		"gone":            {func(r *rig, _ int64) { r.do("ZREM", k("workers"), "w") }, "gone"},
		"alive":           {func(r *rig, _ int64) { r.do("SET", k("heartbeat:w"), "{}") }, "alive"},
		"key without end": {func(r *rig, _ int64) { r.do("SET", k("heartbeat:w"), "{}") }, "alive"},
		"key from before the clock stepped back": {func(r *rig, _ int64) {
			r.do("HSET", k("meta"), "ttl", timing.TTL.Milliseconds())
			r.do("SET", k("heartbeat:w"), "{}", "PX", time.Hour.Milliseconds())
		}, "reaped"},
		"the same, and registered for as long": {func(r *rig, now int64) {
			r.do("HSET", k("meta"), "ttl", timing.TTL.Milliseconds())
			r.do("SET", k("heartbeat:w"), "{}", "PX", time.Hour.Milliseconds())
			r.do("ZADD", k("workers"), now+time.Hour.Milliseconds(), "w")
		}, "alive"},
		"key of this moment": {func(r *rig, _ int64) {
			r.do("HSET", k("meta"), "ttl", timing.TTL.Milliseconds())
			r.do("SET", k("heartbeat:w"), "{}", "PX", timing.TTL.Milliseconds())
		}, "alive"},
		"no window":           {func(r *rig, _ int64) { r.do("HDEL", k("meta"), "window_start") }, "early"},
		"nothing seen":        {func(r *rig, _ int64) { r.do("HDEL", k("meta"), "window_seen") }, "early"},
		"no interval":         {func(r *rig, _ int64) { r.do("HDEL", k("meta"), "interval") }, "early"},
		"window not readable": {func(r *rig, _ int64) { r.do("HSET", k("meta"), "window_start", "x") }, "early"},
		"window too young": {func(r *rig, now int64) {
			r.do("HSET", k("meta"), "window_start", now-interval*5/2+bound.Milliseconds())
		}, "early"},
		"observation too old": {func(r *rig, now int64) { r.do("HSET", k("meta"), "window_seen", now-interval*3/2) }, "early"},
		"observation from the future": {func(r *rig, now int64) {
			r.do("HSET", k("meta"), "window_seen", now+bound.Milliseconds())
		}, "early"},
		"window just full": {func(r *rig, now int64) { r.do("HSET", k("meta"), "window_start", now-interval*5/2) }, "reaped"},
		"observation just young enough": {func(r *rig, now int64) {
			r.do("HSET", k("meta"), "window_seen", now-interval*3/2+bound.Milliseconds())
		}, "reaped"},
	} {
		r := newRig(t)
		r.register("w")
		r.putNow(1)
		c := r.take("w", 1)[0]
		r.kill("w")
		test.spoil(r, r.now())
		before := r.everything()
		got, err := r.link.Reap(t.Context(), "w")
		if err != nil || got.Verdict != test.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if test.want != "reaped" {
			equal(t, name, got, queue.Reaped{Verdict: test.want})
			r.unchanged(before)
			if test.want == "gone" { // conservation wants the list to have an owner
				r.do("ZADD", k("workers"), 1, "w")
			}
			r.settle("w", queue.Result{Element: c.Element, Outcome: queue.OutcomeDone})
		}
	}
}

func TestReapGivesTheJobsBack(t *testing.T) {
	r := newRig(t)
	r.register("dead", "other")
	r.put(queue.NewJob{ID: "first", MaxRetry: 1}, queue.NewJob{ID: "last", MaxRetry: 1}, queue.NewJob{ID: "once", MaxRetry: queue.NoRetry})
	r.makeDue("first", "last", "once")
	r.do("HSET", k("attempts"), "last", "1")
	r.take("dead", 3)
	r.dropToken()
	r.kill("dead")
	before := r.now()
	got := r.reap("dead")
	equal(t, "reaped", got, queue.Reaped{Verdict: "reaped", Rescheduled: 1, Dead: 2})
	first := r.get("first")
	equal(t, "state", first.State, queue.Scheduled)
	equal(t, "its attempt stays counted", first.Attempts, 1)
	if due := first.Due.UnixMilli(); due < before || due > r.now()+1000 {
		t.Errorf("due %d, want between %d and a second from now", due, before)
	}
	for _, id := range []string{"last", "once"} {
		equal(t, id+" has used up its attempts", r.get(id).State, queue.Dead)
	}
	for _, id := range []string{"first", "last", "once"} {
		f := r.get(id).Failures
		if len(f) != 1 || f[0].Error != "worker lost: dead stopped sending heartbeats" || f[0].Worker != "dead" ||
			f[0].Attempt != r.get(id).Attempts || f[0].At < before {
			t.Errorf("%s: %+v", id, f)
		}
	}
	equal(t, "registry", r.raw.ZRange(t.Context(), r.key("workers"), 0, -1).Val(), []string{"other"})
	equal(t, "list", r.do("EXISTS", k("processing:dead")), any(int64(0)))
	equal(t, "token for the new head", r.token(), true)
	r.expectStats(map[string]string{"enqueued": "3", "claimed": "3", "reaped": "3", "dead": "2"})
	again, err := r.link.Reap(t.Context(), "dead")
	equal(t, "again", again, queue.Reaped{Verdict: "gone"})
	equal(t, "again", err, nil)
}

// While something is left on the list the victim is fenced, so that it can neither claim onto it nor revive.
func TestReapInParts(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.putNow(230)
	var elements []string
	for range 3 {
		for _, c := range r.claim("w", 100).Jobs {
			elements = append(elements, c.Element)
		}
	}
	r.kill("w")
	for _, want := range []queue.Reaped{{Verdict: "reaped", Rescheduled: 100, Left: 130}, {Verdict: "reaped", Rescheduled: 100, Left: 30}} {
		got, err := r.link.Reap(t.Context(), "w")
		if err != nil || got != want {
			t.Fatalf("%+v, %v, want %+v", got, err, want)
		}
		if _, err := r.beat("w", false); !errors.Is(err, queue.ErrFenced) {
			t.Errorf("heartbeat: %v", err)
		}
		if x := r.exchange("w", 1); !errors.Is(x.ClaimErr, queue.ErrFenced) {
			t.Errorf("claim: %+v", x)
		}
	}
	equal(t, "a stale result", r.settle("w", queue.Result{Element: elements[0], Outcome: queue.OutcomeDone}), []queue.Outcome{"lost"})
	equal(t, "a result that is in time", r.settle("w", queue.Result{Element: elements[229], Outcome: queue.OutcomeDone}), []queue.Outcome{"done"})
	equal(t, "the rest", r.reap("w"), queue.Reaped{Verdict: "reaped", Rescheduled: 29})
	equal(t, "mark", r.do("HEXISTS", k("meta"), "reaping:w"), any(int64(0)))
	if _, err := r.beat("w", false); !errors.Is(err, queue.ErrFenced) {
		t.Errorf("heartbeat: %v", err)
	}
	equal(t, "reaped", r.stat("reaped"), 229)
}

func TestReapReadsMaxRetryWherePeopleMayPutIt(t *testing.T) {
	deep := strings.Repeat("[", 3000) + strings.Repeat("]", 3000) // deeper than Redis' JSON decoder goes
	text := `"payload":{"max_retry":0},"max_retry":0`
	quoted, _ := json.Marshal(text)
	for name, test := range map[string]struct {
		record  string
		retries int
	}{
		"default":                       {`{"type":"x"}`, 10},
		"zero":                          {`{"type":"x","max_retry":0}`, 0},
		"before the payload":            {`{"type":"x","max_retry":2,"payload":{"max_retry":0}}`, 2},
		"payload only":                  {`{"type":"x","payload":{"max_retry":0,"payload":{"max_retry":0}}}`, 10},
		"text in the payload":           {`{"type":"x","max_retry":2,"payload":` + string(quoted) + `}`, 2},
		"text in the payload, default":  {`{"type":"x","payload":` + string(quoted) + `}`, 10},
		"payload first":                 {`{"payload":{"max_retry":7},"type":"x","max_retry":2}`, 2},
		"payload in the middle":         {`{"type":"x","payload":[1],"max_retry":2}`, 2},
		"payload first, default":        {`{"payload":"x"}`, 10},
		"deep payload":                  {`{"type":"x","max_retry":2,"payload":` + deep + `}`, 2},
		"deep payload, default":         {`{"type":"x","payload":` + deep + `}`, 10},
		"deep payload with text":        {`{"type":"x","max_retry":2,"payload":["max_retry",` + deep + `]}`, 2},
		"deep payload, text, default":   {`{"type":"x","payload":["\"max_retry\":0",{"max_retry":0},` + deep + `]}`, 10},
		"spaces, as another tool would": {`{ "payload" : [1], "max_retry" : 2 }`, 2},
		"null":                          {`{"type":"x","max_retry":null}`, 10},
	} {
		for _, attempts := range []int{test.retries, test.retries + 1} {
			r := newRig(t)
			r.register("w")
			id := r.putNow(1)[0]
			r.take("w", 1)
			r.do("HSET", k("jobs"), id, test.record)
			r.do("HSET", k("attempts"), id, max(attempts, 1))
			r.kill("w")
			want := queue.Reaped{Verdict: "reaped", Rescheduled: 1}
			if max(attempts, 1) > test.retries {
				want = queue.Reaped{Verdict: "reaped", Dead: 1}
			}
			equal(t, fmt.Sprintf("%s after %d attempts", name, attempts), r.reap("w"), want)
			equal(t, name+": record", r.do("HGET", k("jobs"), id), any(test.record))
		}
	}
}

func TestReapBuriesWhatItCannotRead(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.putNow(1)
	r.put(queue.NewJob{ID: "gone"}, queue.NewJob{ID: "text"}, queue.NewJob{ID: "half"}, queue.NewJob{ID: "attempts", Type: "kept"})
	r.makeDue("gone", "text", "half", "attempts")
	r.take("w", 5)
	r.do("HDEL", k("jobs"), "gone")
	r.do("HSET", k("jobs"), "text", "junk", "half", `{"type":}`)
	r.do("HSET", k("attempts"), "attempts", "x")
	r.do("RPUSH", k("processing:w"), "foreign", "12:", ":x", "7:never was")
	r.kill("w")
	equal(t, "reaped", r.reap("w"), queue.Reaped{Verdict: "reaped", Rescheduled: 1, Dead: 8})
	for id, reason := range map[string]string{"gone": "record is missing", "text": "record is not JSON", "half": "record is not JSON",
		"attempts": "attempts are not a number", "foreign": "record is missing", "12:": "record is missing",
		":x": "record is missing", "never was": "record is missing"} {
		info := r.get(id)
		if info.State != queue.Dead || len(info.Failures) != 1 || info.Failures[0].Error != "unreadable: "+reason {
			t.Errorf("%s: %+v", id, info)
		}
	}
	equal(t, "what can be read is kept", r.get("attempts").Type, "kept")
	r.expectStats(map[string]string{"enqueued": "5", "claimed": "5", "reaped": "9", "dead": "8", "corrupt": "8"})
}

// One call reads at most 1 MiB of records, so that it does not hold up Redis.
func TestReapStopsAtOneMiB(t *testing.T) {
	r := newRig(t)
	r.register("w")
	jobs := make([]queue.NewJob, 20)
	for i := range jobs {
		jobs[i].Payload = json.RawMessage(`"` + strings.Repeat("x", 100<<10-2) + `"`)
	}
	r.makeDue(r.put(jobs...)...)
	r.take("w", 11)
	r.take("w", 9)
	r.kill("w")
	for _, want := range []queue.Reaped{{Verdict: "reaped", Rescheduled: 11, Left: 9}, {Verdict: "reaped", Rescheduled: 9}} {
		got, err := r.link.Reap(t.Context(), "w")
		equal(t, "error", err, nil)
		equal(t, "reaped", got, want)
	}
}

// Two that reap the same worker at once must not give a job back twice.
func TestReapConcurrently(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.putNow(200)
	r.claim("w", 100)
	r.claim("w", 100)
	r.kill("w")
	ctx, sums := context.Background(), make(chan int)
	for range 4 {
		go func() {
			sum := 0
			for got, err := r.client.Reap(ctx, r.name, "w"); err == nil && got.Verdict == "reaped"; got, err = r.client.Reap(ctx, r.name, "w") {
				sum += got.Rescheduled
			}
			sums <- sum
		}()
	}
	equal(t, "rescheduled", <-sums+<-sums+<-sums+<-sums, 200)
	equal(t, "scheduled", r.raw.ZCard(t.Context(), r.key("scheduled")).Val(), int64(200))
}
