package queue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// kinds of Redis on which every script must do the same.
var kinds = []struct {
	name string
	make func(testing.TB) *redistest.Server
	full bool // between prepare and act, the server is put over its maxmemory
}{
	{name: "real", make: redistest.Any},
	{name: "embedded", make: redistest.Embedded},
	{name: "cluster", make: func(t testing.TB) *redistest.Server { return redistest.Cluster(t) }},
	{name: "full", make: func(t testing.TB) *redistest.Server { return redistest.Own(t) }, full: true},
}

// scenario is one use of the scripts. act must not make anything grow past the package: it runs on a full Redis too.
type scenario struct {
	name    string
	prepare func(r *rig)
	act     func(r *rig, full bool)
}

var scenarios = []scenario{
	{"enqueue", func(r *rig) { r.put(queue.NewJob{ID: "a"}) }, func(r *rig, full bool) {
		before := r.everything()
		done, err := r.client.Enqueue(r.Context(), queue.NewJob{Queue: r.name, Delay: time.Hour})
		if !full {
			equal(r, "error", err, nil)
			equal(r, "state", r.get(done.ID).State, queue.Scheduled)
			return
		}
		if !errors.Is(err, queue.ErrFull) || errors.Is(err, queue.ErrOutcomeUnknown) {
			r.Errorf("%v, want that redis is full", err)
		}
		r.unchanged(before)
		if _, err := r.client.Enqueue(r.Context(), queue.NewJob{Queue: r.name, ID: "a"}); !errors.Is(err, queue.ErrExists) {
			r.Errorf("%v, want that it exists: nothing would be written", err)
		}
	}},
	{"enqueue into a queue that is new", func(*rig) {}, func(r *rig, full bool) {
		_, err := r.client.Enqueue(r.Context(), queue.NewJob{Queue: r.name})
		if full && !errors.Is(err, queue.ErrFull) || !full && err != nil {
			r.Errorf("%v", err)
		}
	}},
	{"enqueue what is special", func(r *rig) { r.put(queue.NewJob{ID: "a"}) }, func(r *rig, full bool) {
		jobs := []queue.NewJob{
			{ID: "b", At: time.UnixMilli(r.now()).Add(time.Hour), Unique: &queue.Unique{Key: "k", Until: queue.UntilDone}},
			{ID: "c", Delay: time.Hour, Unique: &queue.Unique{Key: "l", For: time.Hour}, Idempotency: &queue.Idempotency{Key: "1", Request: "x"}},
			{ID: "d", Delay: time.Hour, Unique: &queue.Unique{Key: "l", Until: queue.UntilStart}},
			{ID: "e", Delay: time.Hour, Idempotency: &queue.Idempotency{Key: "1", Request: "x"}},
		}
		for i := range jobs {
			jobs[i].Queue = r.name
		}
		before := r.everything()
		for again := range 2 {
			done, err := r.client.EnqueueMany(r.Context(), jobs)
			if full {
				equal(r, "full", errors.Is(err, queue.ErrFull), true)
				r.unchanged(before)
				return
			}
			equal(r, "unique", errors.Is(done[2].Err, queue.ErrUnique), true)
			equal(r, "replayed", done[3], queue.Enqueued{ID: "c", Replayed: true})
			equal(r, "exists", errors.Is(done[0].Err, queue.ErrExists), again == 1)
		}
	}},
	{"claim and settle what is special", func(r *rig) {
		r.register("w")
		for _, id := range []string{"tardy", "start", "done", "dead", "lost"} {
			job := queue.NewJob{ID: id, Retention: time.Hour, Unique: &queue.Unique{Key: id, Until: queue.UntilDone}}
			switch id {
			case "tardy":
				job.Expires = time.Second
			case "start":
				job.Unique.Until = queue.UntilStart
			}
			r.put(job)
			r.makeDue(id)
		}
	}, func(r *rig, _ bool) {
		claimed := r.claim("w", 9).Jobs
		equal(r, "claimed", len(claimed), 4)
		equal(r, "tardy", r.get("tardy").State, queue.Dead)
		var results []queue.Result
		for _, c := range claimed {
			result := queue.Result{Element: c.Element, Outcome: queue.OutcomeDone, Retention: time.Hour, Unique: c.Job.ID}
			switch c.Job.ID {
			case "dead":
				result.Outcome = queue.OutcomeDead
			case "lost":
				r.do("HDEL", k("jobs"), "lost")
			}
			results = append(results, result)
		}
		r.settle("w", results...)
		equal(r, "done", r.raw.ZRange(r.Context(), r.key("done"), 0, -1).Val(), []string{"done", "start"})
		equal(r, "unique", r.do("EXISTS", k("unique")), any(int64(0)))
		got, err := r.link.Trim(r.Context(), 9, time.Hour, 0)
		if want := (queue.Trimmed{Done: 2}); got != want || err != nil {
			r.Errorf("%+v, %v", got, err)
		}
	}},
	{"reap what holds a key", func(r *rig) {
		r.register("w")
		r.put(queue.NewJob{ID: "a", MaxRetry: queue.NoRetry, Unique: &queue.Unique{Key: "k", Until: queue.UntilDone}})
		r.makeDue("a")
		r.take("w", 1)
		r.kill("w")
	}, func(r *rig, _ bool) {
		equal(r, "reaped", r.reap("w").Dead, 1)
		equal(r, "unique", r.do("EXISTS", k("unique")), any(int64(0)))
	}},
	{"claim and settle", func(r *rig) { r.register("w"); r.putNow(8) }, func(r *rig, _ bool) {
		jobs := r.take("w", 8)
		var results []queue.Result
		want := []queue.Outcome{"done", "retry", "dead", "release", "dead", "lost"}
		for i, outcome := range []queue.Outcome{"done", "retry", "dead", "release", "corrupt"} {
			results = append(results, queue.Result{Element: jobs[i].Element, Outcome: outcome, Delay: time.Hour,
				Failure: &queue.Failure{Error: "failed", Attempt: 1}})
		}
		results = append(results, queue.Result{Element: "99:x", Outcome: queue.OutcomeDone})
		equal(r, "outcomes", r.settle("w", results...), want)
		equal(r, "retry", r.get(jobs[1].Job.ID).Failures[0].Error, "failed")
		equal(r, "dead", r.get(jobs[2].Job.ID).State, queue.Dead)
		equal(r, "release", r.get(jobs[3].Job.ID).Attempts, 0)
		equal(r, "corrupt", r.get(jobs[4].Job.ID).Type, "unreadable")
		equal(r, "held", r.claim("w", 8).Held, 4) // three, and the released one again
	}},
	{"claim of what cannot be read", func(r *rig) {
		r.register("w")
		ids := r.putNow(3)
		r.do("HSET", k("jobs"), ids[0], "junk")
		r.do("HSET", k("attempts"), ids[1], "junk")
	}, func(r *rig, _ bool) {
		equal(r, "claimed", len(r.claim("w", 3).Jobs), 1)
		equal(r, "dead", r.stat("dead"), 2)
	}},
	{"claim that keeps time", func(r *rig) { r.register("w"); r.at(time.Hour) }, func(r *rig, _ bool) {
		c := r.claim("w", 3)
		equal(r, "armed", c.Armed, true)
		expectKeeper(r, "w", c.NextDue.UnixMilli())
	}},
	{"claim that pushes the token on", func(r *rig) { r.register("w"); r.putNow(2); r.dropToken() }, func(r *rig, _ bool) {
		r.take("w", 1)
		equal(r, "token", r.token(), true)
	}},
	{"heartbeat", func(r *rig) { r.register("w") }, func(r *rig, _ bool) {
		for _, first := range []bool{false, true} {
			if _, err := r.beat("w", first); err != nil {
				r.Error(err)
			}
		}
		if _, err := r.beat("new", true); err != nil {
			r.Error(err)
		}
		if _, err := r.client.Observe(r.Context(), r.name, timing); err != nil {
			r.Error(err)
		}
		_, err := r.beat("stranger", false)
		equal(r, "fenced", errors.Is(err, queue.ErrFenced), true)
		living, err := r.link.Workers(r.Context())
		if err != nil || len(living) != 2 {
			r.Errorf("%v, %v", living, err)
		}
	}},
	{"heartbeat of a queue that is new", func(*rig) {}, func(r *rig, _ bool) { r.register("w") }},
	{"reap", func(r *rig) {
		r.register("w")
		ids := r.putNow(105)
		r.do("HSET", k("attempts"), ids[0], queue.DefaultMaxRetry)
		r.claim("w", 100)
		r.claim("w", 100)
		r.do("HSET", k("jobs"), ids[1], "junk")
		r.kill("w")
	}, func(r *rig, _ bool) {
		equal(r, "reaped", r.reap("w"), queue.Reaped{Verdict: "reaped", Rescheduled: 103, Dead: 2})
		equal(r, "token", r.token(), true)
	}},
	{"leave", func(r *rig) { r.register("a", "b"); r.putNow(2); r.take("b", 1) }, func(r *rig, _ bool) {
		for worker, want := range map[string]bool{"a": true, "b": false} {
			if left, err := r.link.Leave(r.Context(), worker); err != nil || left != want {
				r.Errorf("%s: %v, %v", worker, left, err)
			}
		}
		equal(r, "token", r.token(), true)
	}},
	{"cancel", func(r *rig) {
		r.register("v", "w", "x")
		r.put(queue.NewJob{ID: "waits", Delay: time.Hour})
		r.putNow(3)
		r.take("w", 3)
	}, func(r *rig, _ bool) {
		expectCancelled(r, "waits", queue.Scheduled, nil)
		elements := r.elements()
		for _, element := range []string{elements[0], elements[0], elements[1], elements[2]} {
			expectCancelled(r, element[2:], queue.Processing, nil)
		}
		pulse, err := r.beat("w", false)
		equal(r, "error", err, nil)
		equal(r, "told", len(pulse.Cancelled), 3)
		if woken, err := r.link.WaitControl(r.Context(), "w", bound); err != nil || !woken {
			r.Errorf("%v, %v", woken, err)
		}
		equal(r, "outcomes", r.settle("w", queue.Result{Element: elements[0], Outcome: "done"}, queue.Result{Element: elements[1],
			Outcome: "retry"}), []queue.Outcome{"done", "cancelled"})
		equal(r, "outcomes", r.settle("w", queue.Result{Element: elements[2], Outcome: "dead"}), []queue.Outcome{"cancelled"})
		equal(r, "cancelled", r.stat("cancelled"), 3)
		equal(r, "none left", r.do("EXISTS", k("cancelled"), k("jobs"), k("attempts")), any(int64(0)))
	}},
	{"order", func(r *rig) { r.register("w"); r.at(time.Hour); r.claim("w", 1); r.dropToken() }, func(r *rig, _ bool) {
		for _, order := range []string{queue.OrderQuiet, queue.OrderStop, queue.OrderQuiet} {
			equal(r, "error", r.client.OrderIn(r.Context(), r.name, "w", order), nil)
		}
		pulse, err := r.beat("w", false)
		equal(r, "error", err, nil)
		equal(r, "order", pulse.Order, queue.OrderStop)
		equal(r, "token", r.token(), true)
	}},
	{"pause", func(r *rig) { r.register("w"); r.putNow(1); r.dropToken() }, func(r *rig, _ bool) {
		for _, want := range []bool{true, false} {
			changed, err := r.client.Pause(r.Context(), r.name)
			equal(r, "error", err, nil)
			equal(r, "paused now", changed, want)
		}
		equal(r, "claimed", len(r.claim("w", 1).Jobs), 0)
		for _, want := range []bool{true, false} {
			changed, err := r.client.Resume(r.Context(), r.name)
			equal(r, "error", err, nil)
			equal(r, "resumed now", changed, want)
		}
		equal(r, "token", r.token(), true)
		equal(r, "claimed", len(r.claim("w", 1).Jobs), 1)
	}},
	{"wake", func(*rig) {}, func(r *rig, _ bool) {
		if err := r.link.PassOn(r.Context()); err != nil {
			r.Error(err)
		}
		if woken, err := r.link.Wait(r.Context(), bound); err != nil || !woken {
			r.Errorf("%v, %v", woken, err)
		}
	}},
	{"trim", func(r *rig) { bury(r, 3) }, func(r *rig, _ bool) {
		got, err := r.link.Trim(r.Context(), 1, time.Hour*1000, 0)
		if want := (queue.Trimmed{Dead: 2}); got != want || err != nil {
			r.Errorf("%+v, %v", got, err)
		}
	}},
	{"get", func(r *rig) { bury(r, 1) }, func(r *rig, _ bool) {
		equal(r, "state", r.get("dead000").State, queue.Dead)
		held, err := r.link.Held(r.Context(), []string{"1:dead000"})
		if err != nil || len(held) != 1 || held[0].Corrupt != nil {
			r.Errorf("%+v, %v", held, err)
		}
	}},
	{"drain", func(r *rig) { r.register("w"); r.putNow(230) }, func(r *rig, _ bool) {
		var results []queue.Result
		for done := 0; done < 230; {
			x := r.exchange("w", 100, results...)
			if x.SettleErr != nil || x.ClaimErr != nil || len(x.Claims.Jobs)+len(results) == 0 {
				r.Fatalf("after %d: %+v", done, x)
			}
			done += len(x.Settled)
			results = nil
			for _, c := range x.Claims.Jobs {
				results = append(results, queue.Result{Element: c.Element, Outcome: queue.OutcomeDone})
			}
		}
		for _, key := range []k{"jobs", "scheduled", "processing:w", "attempts", "errors"} {
			equal(r, string(key), r.do("EXISTS", key), any(int64(0)))
		}
	}},
}

func TestEveryScriptOnEveryRedis(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			s := kind.make(t)
			if kind.name == "real" && s.Backend() == "embedded" {
				t.Skip("no real Redis here; the embedded one has its own turn")
			}
			for _, scenario := range scenarios {
				t.Run(scenario.name, func(t *testing.T) {
					r := rigOn(t, s, queue.Options{Timeout: bound})
					scenario.prepare(r)
					if kind.full {
						s.Config(t, "maxmemory", "1")
						defer s.Config(t, "maxmemory", "0")
					}
					scenario.act(r, kind.full)
					if kind.full {
						_, err := r.client.Enqueue(t.Context(), queue.NewJob{Queue: r.name, ID: "late"})
						equal(t, "it was full to the end", errors.Is(err, queue.ErrFull), true)
						s.Config(t, "maxmemory", "0")
					}
					r.put(queue.NewJob{ID: "late", Delay: time.Hour})
				})
			}
		})
	}
}
