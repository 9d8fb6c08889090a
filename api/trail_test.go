package api

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/punctualq/punctual/queue"
)

// Each route that changes what is there already leaves one deed in the audit trail; the others leave none.
func TestEveryVerbIsKept(t *testing.T) {
	job := func(verb string) *queue.Deed {
		return &queue.Deed{Verb: verb, Queue: "default", Target: "job-1", Jobs: 1}
	}
	many := func(verb string) *queue.Deed {
		return &queue.Deed{Verb: verb, Queue: "default", Target: "all dead", Jobs: 7}
	}
	worker := func(verb string) *queue.Deed {
		return &queue.Deed{Verb: verb, Queue: "mail", Target: "host:1:ab"}
	}
	want := map[string]*queue.Deed{
		"DELETE /jobs/{job_id}": job("cancel"), "PATCH /jobs/{job_id}": job("edit"), "POST /jobs/{job_id}/run": job("run"),
		"POST /jobs/{job_id}/reschedule": job("reschedule"), "POST /jobs/{job_id}/redrive": job("redrive"), "POST /jobs/{job_id}/purge": job("purge"),
		"POST /queues/{queue}/pause": {Verb: "pause", Queue: "default"}, "POST /queues/{queue}/resume": {Verb: "resume", Queue: "default"},
		"POST /queues/{queue}/redrive": many("redrive"), "POST /queues/{queue}/purge": many("purge"),
		"POST /workers/{worker}/quiet": worker("quiet"), "POST /workers/{worker}/stop": worker("stop"),
	}
	for _, rt := range guarded(t) {
		name := rt.method + " " + strings.TrimPrefix(rt.template, base)
		q := everything()
		q.moved, q.changed = queue.Moved{Jobs: 7}, true
		q.workers = []queue.WorkerState{{WorkerInfo: queue.WorkerInfo{ID: "host:1:ab"}, Queue: "mail"}}
		h, log := newAPI(t, q)
		claims := jwt.MapClaims{"scope": allScopes, "sub": "ann"}
		if w := do(h, ask(t, rt.method, pathOf(rt), bodyOf(rt), claims)); w.Code >= 400 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		var deeds []queue.Deed
		if d := want[name]; d != nil {
			d.Who, d.Via = "ann", "api"
			deeds = append(deeds, *d)
		}
		if !slices.Equal(q.deeds, deeds) {
			t.Errorf("%s: the trail has %+v, want %+v", name, q.deeds, deeds)
		}
		if strings.Contains(log.String(), "audit trail") {
			t.Errorf("%s: %s", name, log)
		}

		failing := everything()
		failing.err = queue.ErrUnavailable
		h, _ = newAPI(t, failing)
		if do(h, ask(t, rt.method, pathOf(rt), bodyOf(rt), claims)); len(failing.deeds) > 0 {
			t.Errorf("%s: what failed is kept: %+v", name, failing.deeds)
		}
	}
}

// Of what a verb for many did before it failed the trail tells, and of a pause that changed nothing it does not.
func TestWhatIsKeptIsWhatWasDone(t *testing.T) {
	q := everything()
	q.moved, q.err = queue.Moved{Jobs: 5, More: true}, queue.ErrOutcomeUnknown
	h, _ := newAPI(t, q)
	if w := do(h, ask(t, "POST", base+"/queues/default/purge", `{}`, nil)); w.Code != 503 || len(q.deeds) != 1 || q.deeds[0].Jobs != 5 {
		t.Errorf("%d, kept %+v", w.Code, q.deeds)
	}
	q.recordErr = errors.New("no room")
	h, log := newAPI(t, q)
	do(h, ask(t, "POST", base+"/queues/default/purge", `{}`, nil))
	if told := fmt.Sprint(lines(t, log)[0]["error"]); !strings.Contains(told, "no room") || !strings.Contains(told, queue.ErrOutcomeUnknown.Error()) {
		t.Errorf("the log has %s", told)
	}
	q = everything()
	h, _ = newAPI(t, q)
	if w := do(h, ask(t, "POST", base+"/queues/default/pause", "", nil)); w.Code != 200 || len(q.deeds) > 0 {
		t.Errorf("%d, kept %+v", w.Code, q.deeds)
	}
}

// What was done is answered as done, also if the trail cannot be kept; the log tells.
func TestATrailThatCannotBeKept(t *testing.T) {
	q := everything()
	q.recordErr, q.changed = errors.New("no room"), true
	h, log := newAPI(t, q)
	if w := do(h, ask(t, "POST", base+"/queues/default/pause", "", nil)); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if line := lines(t, log)[0]; line["error"] != "audit trail: pause is not recorded: no room" {
		t.Errorf("the log has %v", line)
	}
	q = everything() // a worker that nobody knows any more
	h, log = newAPI(t, q)
	if w := do(h, ask(t, "POST", base+"/workers/host:1:ab/quiet", "", nil)); w.Code != 202 || len(q.deeds) > 0 {
		t.Errorf("%d, kept %+v", w.Code, q.deeds)
	}
	if line := lines(t, log)[0]; !strings.Contains(line["error"].(string), "the queue of the worker is not known") {
		t.Errorf("the log has %v", line)
	}
}
