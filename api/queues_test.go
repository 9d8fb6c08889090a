package api

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/punctualq/punctual/queue"
)

func twoQueues() *fakeQueue {
	return &fakeQueue{overviews: []queue.Overview{
		{Queue: "high", Now: noon.Add(1500 * time.Millisecond), Scheduled: 5, Due: 2, Processing: 3, Dead: 1, Done: 4, OldestDue: noon, NextDue: noon.Add(time.Minute),
			Paused: true, Workers: 7, Counters: map[string]int64{"enqueued": 10, "done": 3}},
		{Queue: "low", Counters: map[string]int64{"enqueued": 1, "dead": 2}},
	}}
}

const (
	highJSON = `{"queue":"high","scheduled":5,"due":2,"processing":3,"dead":1,"done":4,"oldest_due":"2030-01-31T11:00:00.123Z",` +
		`"next_due":"2030-01-31T11:01:00.123Z","lateness_ms":1500,"paused":true,"workers":7}`
	lowJSON = `{"queue":"low","scheduled":0,"due":0,"processing":0,"dead":0,"done":0,"lateness_ms":0,"paused":false,"workers":0}`
)

func TestQueuesShown(t *testing.T) {
	low := jwt.MapClaims{"scope": allScopes, "queues": []string{"low", "other"}}
	runRows(t, []row{
		{name: "all", method: "GET", path: "/queues", queue: twoQueues(), status: 200, want: `{"queues":[` + highJSON + `,` + lowJSON + `]}`, asked: "overviews"},
		{name: "none", method: "GET", path: "/queues", status: 200, want: `{"queues":[]}`, asked: "overviews"},
		{name: "those of the token", method: "GET", path: "/queues", claims: low, queue: twoQueues(), status: 200, want: `{"queues":[` + lowJSON + `]}`, asked: "overviews"},
		{name: "one", method: "GET", path: "/queues/high", queue: twoQueues(), status: 200, want: highJSON, asked: "overview high"},
		{name: "one of the token", method: "GET", path: "/queues/low", claims: low, queue: twoQueues(), status: 200, want: lowJSON, asked: "overview low"},
		{name: "unknown", method: "GET", path: "/queues/new", queue: twoQueues(), status: 404, want: "no-such-queue", asked: "overview new"},
		{name: "stats", method: "GET", path: "/stats", queue: twoQueues(), status: 200, asked: "overviews",
			want: `{"queues":{"high":{"done":3,"enqueued":10},"low":{"dead":2,"enqueued":1}},"totals":{"dead":2,"done":3,"enqueued":11}}`},
		{name: "stats of the token", method: "GET", path: "/stats", claims: low, queue: twoQueues(), status: 200, asked: "overviews",
			want: `{"queues":{"low":{"dead":2,"enqueued":1}},"totals":{"dead":2,"enqueued":1}}`},
		{name: "stats of nothing", method: "GET", path: "/stats", status: 200, asked: "overviews", want: `{"queues":{},"totals":{}}`},
	})
}

func TestQueuesPaused(t *testing.T) {
	runRows(t, []row{
		{name: "pause", method: "POST", path: "/queues/low/pause", queue: &fakeQueue{changed: true}, status: 200, want: `{"queue":"low","paused":true,"changed":true}`, asked: "pause low"},
		{name: "pause again", method: "POST", path: "/queues/low/pause", status: 200, want: `{"queue":"low","paused":true,"changed":false}`, asked: "pause low"},
		{name: "pause unknown", method: "POST", path: "/queues/low/pause", queue: &fakeQueue{err: queue.ErrNoQueue}, status: 404, want: "no-such-queue", asked: "pause low"},
		{name: "resume", method: "POST", path: "/queues/low/resume", queue: &fakeQueue{changed: true}, status: 200, want: `{"queue":"low","paused":false,"changed":true}`, asked: "resume low"},
		{name: "resume unknown", method: "POST", path: "/queues/low/resume", queue: &fakeQueue{err: queue.ErrNoQueue}, status: 404, want: "no-such-queue", asked: "resume low"},
	})
}

func TestManyJobsMoved(t *testing.T) {
	some := func(jobs int, more bool, err error) *fakeQueue {
		return &fakeQueue{moved: queue.Moved{Jobs: jobs, Seen: 500, More: more}, err: err}
	}
	asked := func(verb string, f queue.Filter) string {
		q := &fakeQueue{}
		_ = q.ask(context.Background(), verb, "low", fields(f))
		return q.asked[0]
	}
	all := asked("purge-all", queue.Filter{})
	runRows(t, []row{
		{name: "redrive all", method: "POST", path: "/queues/low/redrive", body: `{}`, queue: some(12, false, nil), status: 200, want: `{"moved":12,"more":false}`,
			asked: asked("redrive-all", queue.Filter{})},
		{name: "redrive some", method: "POST", path: "/queues/low/redrive", body: `{"type":"a","older_than_seconds":60,"limit":100000}`, queue: some(0, true, nil), status: 200,
			want: `{"moved":0,"more":true}`, asked: asked("redrive-all", queue.Filter{Type: "a", MinAge: time.Minute, Limit: 100_000})},
		{name: "redrive has no state", method: "POST", path: "/queues/low/redrive", body: `{"state":"done"}`, status: 400, want: "unknown-field"},
		{name: "purge", method: "POST", path: "/queues/low/purge", body: `{"state":"scheduled","type":"a","older_than_seconds":0,"limit":1}`, queue: some(1, true, nil), status: 200,
			want: `{"moved":1,"more":true}`, asked: asked("purge-all", queue.Filter{State: queue.Scheduled, Type: "a", Limit: 1})},
		{name: "go on", method: "POST", path: "/queues/low/purge", body: `{"type":"a","cursor":"behind"}`,
			queue: &fakeQueue{moved: queue.Moved{Jobs: 3, Unreadable: 2, More: true, Next: "further"}}, status: 200,
			want: `{"moved":3,"unreadable":2,"more":true,"cursor":"further"}`, asked: asked("purge-all", queue.Filter{Type: "a", Cursor: "behind"})},
		{name: "purge what runs", method: "POST", path: "/queues/low/purge", body: `{"state":"processing"}`, status: 422, want: `invalid-job "/state"`},
		{name: "purge no state", method: "POST", path: "/queues/low/purge", body: `{"state":7}`, status: 422, want: `invalid-job "/state"`},
		{name: "purge none", method: "POST", path: "/queues/low/purge", body: `{"limit":0}`, status: 422, want: `invalid-job "/limit"`},
		{name: "purge too many", method: "POST", path: "/queues/low/purge", body: `{"limit":100001}`, status: 422, want: `invalid-job "/limit"`},
		{name: "no type", method: "POST", path: "/queues/low/purge", body: `{"type":"A"}`, status: 422, want: `invalid-job "/type"`},
		{name: "from the future", method: "POST", path: "/queues/low/purge", body: `{"older_than_seconds":-1}`, status: 422, want: `invalid-job "/older_than_seconds"`},
		{name: "too old", method: "POST", path: "/queues/low/purge", body: `{"older_than_seconds":99999999999999999999}`, status: 422, want: `invalid-job "/older_than_seconds"`},
		{name: "unknown", method: "POST", path: "/queues/low/purge", body: `{}`, queue: some(0, false, queue.ErrNoQueue), status: 404, want: "no-such-queue", asked: all},
		{name: "Redis went away on the way", method: "POST", path: "/queues/low/purge", body: `{}`, queue: some(300, false, queue.ErrUnavailable), status: 200,
			want: `{"moved":300,"more":true}`, asked: all},
		{name: "a reply was lost on the way", method: "POST", path: "/queues/low/purge", body: `{}`, queue: some(300, false, errors.Join(queue.ErrUnavailable, queue.ErrOutcomeUnknown)),
			status: 503, want: "outcome-unknown 300", asked: all},
		{name: "the first reply was lost", method: "POST", path: "/queues/low/purge", body: `{}`, queue: some(0, false, queue.ErrOutcomeUnknown), status: 503, want: "outcome-unknown gone", asked: all},
	})
}

func TestWorkers(t *testing.T) {
	three := func() *fakeQueue {
		worker := func(id, name, host string, pid int) queue.WorkerState {
			return queue.WorkerState{WorkerInfo: queue.WorkerInfo{ID: id, Host: host, PID: pid}, Queue: name}
		}
		whole := worker("h:1:a", "high", "h", 1)
		whole.Build, whole.Started, whole.Concurrency, whole.Stuck = "abc", noon, 10, 2
		whole.Processing, whole.LastBeat, whole.Living, whole.Order = 3, noon.Add(time.Second), true, "quiet"
		return &fakeQueue{workers: []queue.WorkerState{whole, worker("h:1:b", "low", "h", 1), worker("h:2:c", "low", "h", 2)}}
	}
	const (
		first = `{"worker":"h:1:a","queue":"high","host":"h","pid":1,"build":"abc","started_at":"2030-01-31T11:00:00.123Z","concurrency":10,"processing":3,` +
			`"last_heartbeat":"2030-01-31T11:00:01.123Z","living":true,"order":"quiet","stuck":2}`
		second = `{"worker":"h:1:b","queue":"low","host":"h","pid":1,"build":"","concurrency":0,"processing":0,"living":false,"order":"","stuck":0}`
		third  = `{"worker":"h:2:c","queue":"low","host":"h","pid":2,"build":"","concurrency":0,"processing":0,"living":false,"order":"","stuck":0}`
	)
	low := jwt.MapClaims{"scope": allScopes, "queues": []string{"low"}}
	runRows(t, []row{
		{name: "all", method: "GET", path: "/workers", queue: three(), status: 200, want: `{"workers":[` + first + `,` + second + `,` + third + `]}`, asked: "workers"},
		{name: "of the token", method: "GET", path: "/workers", claims: low, queue: three(), status: 200, want: `{"workers":[` + second + `,` + third + `]}`, asked: "workers"},
		{name: "none", method: "GET", path: "/workers", status: 200, want: `{"workers":[]}`, asked: "workers"},

		{name: "quiet", method: "POST", path: "/workers/h:1:a/quiet", queue: three(), status: 202, want: `{"worker":"h:1:a","order":"quiet"}`, asked: "quiet h:1:a"},
		{name: "stop", method: "POST", path: "/workers/h%3A1%3Aa/stop", queue: three(), status: 202, want: `{"worker":"h:1:a","order":"stop"}`, asked: "stop h:1:a"},
		{name: "quiet none", method: "POST", path: "/workers/x/quiet", queue: &fakeQueue{err: queue.ErrNoWorker}, status: 404, want: "no-such-worker", asked: "quiet x"},
		{name: "stop none", method: "POST", path: "/workers/x/stop", queue: &fakeQueue{err: queue.ErrNoWorker}, status: 404, want: "no-such-worker", asked: "stop x"},

		{name: "quiet, of the token", method: "POST", path: "/workers/h:1:b/quiet", claims: low, queue: three(), status: 202, want: `{"worker":"h:1:b","order":"quiet"}`, asked: "quiet h:1:b"},
		{name: "quiet, of another queue", method: "POST", path: "/workers/h:1:a/quiet", claims: low, queue: three(), status: 403, want: "insufficient-scope", asked: "workers"},
		{name: "stop, of the token", method: "POST", path: "/workers/h:2:c/stop", claims: low, queue: three(), status: 202, want: `{"worker":"h:2:c","order":"stop"}`, asked: "stop h:2:c"},
		{name: "stop, of a process that works for others", method: "POST", path: "/workers/h:1:b/stop", claims: low, queue: three(), status: 403, want: "insufficient-scope", asked: "workers"},
		{name: "stop none, limited", method: "POST", path: "/workers/x/stop", claims: low, queue: three(), status: 404, want: "no-such-worker", asked: "workers"},
	})
}
