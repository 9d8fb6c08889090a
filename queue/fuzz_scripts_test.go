package queue_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// FuzzScripts runs every script with hostile arguments: names of workers, ids, elements, failures, and records and failures that
// another hand has left. No script fails but where it refuses an outcome that is none, and the conservation rule holds.
func FuzzScripts(f *testing.F) {
	for _, s := range []struct{ worker, id, element, outcome, failure, record, failures string }{
		{"w", "a", "1:a", "retry", "it failed", "", ""},
		{"host:7:beef", "~:~", "9:x", "release", "", `{"type":"x","max_retry":0}`, `[{"error":"x"}]`},
		{"", "1:1", "", "done", "\xff\x00", `{`, `[`},
		{"{a}*?[]", "-", "-", "dead", strings.Repeat("é", 5000), `{"max_retry":"many"}`, `{"1":2}`},
		{"-inf", "nan", "1:", "corrupt", "\u2028\"\\", `{"max_retry":1e999}`, `[1,[2],{"at":{}}]`},
		{"w\r\nx", "+inf", "0:0:0", "no outcome", "%s%d%1", `{}`, `null`},
		{"reaping:w", "1e400", "18446744073709551616:a", "lost", "x", `{"payload":{"max_retry":1},"max_retry":null}`, `"x"`},
		{"w", "a", "1:a", "retry", "x", `{"type":"x","payload":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}`, strings.Repeat("[", 2000)},
	} {
		f.Add(s.worker, s.id, s.element, s.outcome, s.failure, s.record, s.failures, int64(time.Hour), 1)
		f.Add(s.worker, s.id, s.element, s.outcome, s.failure, s.record, s.failures, int64(-1<<63), -7)
		f.Add(s.worker, s.id, s.element, s.outcome, s.failure, s.record, s.failures, int64(1<<63-1), 1<<40)
	}
	shared := newRig(f)
	f.Fuzz(func(t *testing.T, worker, id, element, outcome, failure, record, failures string, delay int64, n int) {
		r := *shared
		r.TB = t
		r.clear()
		h := hostile{&r, worker, id, element, queue.Outcome(outcome), &queue.Failure{Error: failure, Worker: worker, Attempt: n}, time.Duration(delay), n}
		h.enqueue(record, failures)
		h.work()
		h.bury()
		h.drain()
		redistest.AssertConserved(t, r.raw, r.name)
		r.clear()
	})
}

type hostile struct {
	*rig
	worker, id, element string
	outcome             queue.Outcome
	failure             *queue.Failure
	delay               time.Duration
	n                   int
}

// clear removes all keys of the queue.
func (r *rig) clear() {
	r.Helper()
	for _, key := range r.raw.Keys(r.Context(), r.key("*")).Val() {
		r.do("DEL", key)
	}
}

// fine reports an error that hostile arguments must not lead to.
func (h hostile) fine(what string, err error) {
	h.Helper()
	refused := err != nil && strings.Contains(err.Error(), "settle: a result is")
	for _, known := range []error{nil, queue.ErrFenced, queue.ErrInvalid, queue.ErrNotFound, queue.ErrTiming, queue.ErrExists, queue.ErrState,
		queue.ErrCursor} {
		refused = refused || errors.Is(err, known)
	}
	if !refused && !strings.Contains(err.Error(), "is not JSON") {
		h.Errorf("%s: %v", what, err)
	}
}

// enqueue hands in the job of the hostile id, if that is one, and two good ones; another hand has changed the first.
func (h hostile) enqueue(record, failures string) {
	_, err := h.client.Enqueue(h.Context(), queue.NewJob{Queue: h.name, ID: h.id, Delay: h.delay, MaxRetry: h.n, Timeout: h.delay})
	h.fine("enqueue", err)
	_, err = h.client.Enqueue(h.Context(), queue.NewJob{Queue: h.name, Expires: h.delay, At: time.UnixMilli(int64(h.n)), Subject: h.worker,
		Metadata: map[string]string{h.id: h.element}, Unique: &queue.Unique{Key: h.id, Until: queue.UntilDone},
		Idempotency: &queue.Idempotency{Scope: h.worker, Key: h.element, Request: h.id}})
	h.fine("enqueue", err)
	h.put(queue.NewJob{ID: "good1"}, queue.NewJob{ID: "good2", MaxRetry: queue.NoRetry})
	h.makeDue("good1", "good2")
	h.do("HSET", k("stats"), "claimed", failures, "done", record)
	if record != "" {
		h.do("HSET", k("jobs"), "good1", record)
		h.do("HSET", k("errors"), "good1", failures)
	}
}

// work registers, claims, settles and asks.
func (h hostile) work() {
	_, err := h.link.Heartbeat(h.Context(), queue.WorkerInfo{ID: h.worker, Host: h.id, PID: h.n, Build: h.element}, timing, true)
	h.fine("heartbeat", err)
	x := h.exchange(h.worker, 1+h.n&1, queue.Result{Element: h.element, Outcome: h.outcome, Delay: h.delay, Failure: h.failure,
		Retention: h.delay, Unique: h.id})
	h.fine("settle", x.SettleErr)
	h.fine("claim", x.ClaimErr)
	for _, c := range x.Claims.Jobs {
		x := h.exchange(h.worker, 0, queue.Result{Element: h.element, Outcome: h.outcome}, queue.Result{Element: c.Element, Outcome: h.outcome,
			Delay: min(h.delay, queue.MaxDelay), Failure: h.failure})
		h.fine("settle", x.SettleErr)
	}
	_, err = h.link.Held(h.Context(), []string{h.element, h.id})
	h.fine("held", err)
	_, err = h.link.Workers(h.Context())
	h.fine("workers", err)
	for _, id := range []string{h.id, h.element, "good1"} {
		_, err = h.client.Get(h.Context(), h.name, id)
		h.fine("get", err)
	}
	h.ask()
	_, err = h.link.Trim(h.Context(), h.n, h.delay, h.n)
	h.fine("trim", err)
	h.fine("pass on", h.link.PassOn(h.Context()))
}

// ask uses what people and other programs may ask for.
func (h hostile) ask() {
	for _, id := range []string{h.id, "good1", "good2"} {
		_, err := h.client.Reschedule(h.Context(), h.name, id, queue.When{In: h.delay, At: time.UnixMilli(int64(h.n))})
		h.fine("reschedule", err)
		_, err = h.client.Edit(h.Context(), h.name, id, queue.Changes{Payload: []byte(h.failure.Error), MaxRetry: &h.n})
		h.fine("edit", err)
		h.fine("redrive", h.client.Redrive(h.Context(), h.name, id))
	}
	for _, state := range []queue.State{queue.Scheduled, queue.Processing, queue.Dead, queue.Done} {
		l := queue.Listing{State: state, Limit: 1, Newest: h.n&1 == 1, Text: h.element}
		for range 5 {
			page, err := h.client.List(h.Context(), h.name, l)
			h.fine("list", err)
			if l.Cursor = page.Next; l.Cursor == "" {
				break
			}
		}
		l.Cursor = h.worker
		_, err := h.client.List(h.Context(), h.name, l)
		h.fine("list", err)
		_, err = h.client.PurgeAll(h.Context(), h.name, queue.Filter{State: state, Limit: 1, MinAge: h.delay, Subject: h.id})
		h.fine("purge", err)
	}
	_, err := h.client.RedriveAll(h.Context(), h.name, queue.Filter{Limit: h.n & 3, Type: h.element})
	h.fine("redrive all", err)
	_, err = h.client.Overview(h.Context(), h.name)
	h.fine("overview", err)
	h.fine("record", h.client.Record(h.Context(), queue.Deed{Queue: h.name, Via: "cli", Verb: "run", Who: h.worker, Target: h.element, Jobs: h.n}))
	_, err = h.client.Trail(h.Context(), h.name, 9)
	h.fine("trail", err)
}

// bury reaps the worker while it lives, when it has left, and when it is dead.
func (h hostile) bury() {
	h.exchange(h.worker, 2) // something is on the list
	for _, victim := range []string{h.element, h.worker} {
		_, err := h.link.Reap(h.Context(), victim)
		h.fine("reap", err)
	}
	_, err := h.link.Leave(h.Context(), h.worker)
	h.fine("leave", err)
	h.kill(h.worker)
	_, err = h.client.Observe(h.Context(), h.name, timing)
	h.fine("observe", err)
	_, err = h.link.Reap(h.Context(), h.worker)
	h.fine("reap", err)
}

// drain has a good worker take everything that is left: nothing stands in its way.
func (h hostile) drain() {
	for _, id := range h.raw.ZRange(h.Context(), h.key("scheduled"), 0, -1).Val() {
		h.makeDue(id)
	}
	h.register("good")
	for _, c := range h.claim("good", 9).Jobs {
		outcome := queue.OutcomeDone
		if c.Corrupt != nil {
			outcome = queue.OutcomeCorrupt
		}
		if got := h.settle("good", queue.Result{Element: c.Element, Outcome: outcome}); got[0] == queue.OutcomeLost {
			h.Errorf("%s is lost", c.Element)
		}
	}
	for id, text := range h.raw.HGetAll(h.Context(), h.key("errors")).Val() {
		var kept []queue.Failure
		if err := json.Unmarshal([]byte(text), &kept); err != nil || len(kept) > 5 {
			h.Errorf("the failures of %s cannot be read: %q", id, text)
		}
	}
	if n := h.do("ZCARD", k("scheduled")).(int64); n != 0 {
		h.Errorf("%d jobs stay scheduled", n)
	}
}
