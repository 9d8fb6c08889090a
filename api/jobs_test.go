package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/punctualq/punctual/queue"
)

var noon = time.Date(2030, 1, 31, 12, 0, 0, 123_456_789, time.FixedZone("", 3600)) // 11:00 in UTC

// bare is the least that a job can be, and how it looks.
var (
	bare     = queue.Info{Job: queue.Job{ID: "j", Queue: "default", Type: "x", MaxRetry: 10}, State: queue.Processing, Attempts: 1}
	bareJSON = `{"job_id":"j","queue":"default","type":"x","state":"processing","payload":null,"attempt":1,"max_retry":10,"errors":[]}`
)

var own = jwt.MapClaims{"sub": "me"} // a token without scopes

func TestJobsListed(t *testing.T) {
	page := func() *fakeQueue { return &fakeQueue{page: queue.Page{Jobs: []queue.Info{bare}, Next: "abc"}} }
	listing := func(l queue.Listing, name string) string {
		q := &fakeQueue{}
		_, _ = q.List(context.Background(), name, l)
		return q.asked[0]
	}
	scheduled := queue.Listing{State: queue.Scheduled}
	runRows(t, []row{
		{name: "a page", method: "GET", path: "/jobs", queue: page(), status: 200, want: `{"jobs":[` + bareJSON + `],"next_cursor":"abc"}`,
			asked: listing(scheduled, "default")},
		{name: "the last, empty", method: "GET", path: "/jobs", status: 200, want: `{"jobs":[]}`, asked: listing(scheduled, "default")},
		{name: "all parameters", method: "GET", path: "/jobs?queue=low&state=dead&type=a.b-c_1&limit=1000&cursor=abc", queue: page(), status: 200,
			want:  `{"jobs":[` + bareJSON + `],"next_cursor":"abc"}`,
			asked: listing(queue.Listing{State: queue.Dead, Type: "a.b-c_1", Limit: 1000, Cursor: "abc"}, "low")},
		{name: "own jobs only", method: "GET", path: "/jobs?state=done", claims: own, queue: page(), status: 200,
			want:  `{"jobs":[` + bareJSON + `],"next_cursor":"abc"}`,
			asked: listing(queue.Listing{State: queue.Done, Subject: "me"}, "default")},
		{name: "nobody's jobs", method: "GET", path: "/jobs", claims: jwt.MapClaims{"sub": nil}, status: 403, want: "insufficient-scope jobs:read"},
		{name: "empty subject", method: "GET", path: "/jobs", claims: jwt.MapClaims{"sub": ""}, status: 403, want: "insufficient-scope"},
		{name: "another queue", method: "GET", path: "/jobs?queue=low", claims: jwt.MapClaims{"scope": "jobs:read", "queues": []string{"high"}},
			status: 403, want: "insufficient-scope low"},
		{name: "no queues at all", method: "GET", path: "/jobs", claims: jwt.MapClaims{"scope": "jobs:read", "queues": []string{}}, status: 403, want: "insufficient-scope"},
		{name: "no state", method: "GET", path: "/jobs?state=running", status: 400, want: "invalid-query processing"},
		{name: "type", method: "GET", path: "/jobs?type=A", status: 400, want: "invalid-query type"},
		{name: "limit 0", method: "GET", path: "/jobs?limit=0", status: 400, want: "invalid-query 1000"},
		{name: "limit 1001", method: "GET", path: "/jobs?limit=1001", status: 400, want: "invalid-query 1000"},
		{name: "limit -1", method: "GET", path: "/jobs?limit=-1", status: 400, want: "invalid-query 1000"},
		{name: "limit in words", method: "GET", path: "/jobs?limit=1e2", status: 400, want: "invalid-query 1000"},
		{name: "limit too big", method: "GET", path: "/jobs?limit=18446744073709551617", status: 400, want: "invalid-query 1000"},
		{name: "long cursor", method: "GET", path: "/jobs?cursor=" + strings.Repeat("A", 1025), status: 400, want: "invalid-cursor"},
		{name: "forged cursor", method: "GET", path: "/jobs?cursor=e30", queue: &fakeQueue{err: queue.ErrCursor}, status: 400,
			want: "invalid-cursor next_cursor", asked: listing(queue.Listing{State: queue.Scheduled, Cursor: "e30"}, "default")},
	})
}

func TestJobShown(t *testing.T) {
	mine := bare
	mine.Subject = "me"
	mineJSON := strings.Replace(bareJSON, `"errors"`, `"subject":"me","errors"`, 1)
	runRows(t, []row{
		{name: "a job", method: "GET", path: "/jobs/j?queue=low", queue: &fakeQueue{info: bare}, status: 200, want: bareJSON, asked: "get low j"},
		{name: "own", method: "GET", path: "/jobs/j", claims: own, queue: &fakeQueue{info: mine}, status: 200, want: mineJSON, asked: "get default j"},
		{name: "somebody else's", method: "GET", path: "/jobs/j", claims: jwt.MapClaims{"sub": "you"}, queue: &fakeQueue{info: mine},
			status: 404, want: "no-such-job", asked: "get default j"},
		{name: "nobody's", method: "GET", path: "/jobs/j", claims: own, queue: &fakeQueue{info: bare}, status: 404, want: "no-such-job", asked: "get default j"},
		{name: "asked by nobody", method: "GET", path: "/jobs/j", claims: jwt.MapClaims{"sub": nil}, queue: &fakeQueue{info: bare}, status: 403, want: "insufficient-scope"},
		{name: "not there", method: "GET", path: "/jobs/j", queue: &fakeQueue{err: queue.ErrNotFound}, status: 404, want: "no-such-job", asked: "get default j"},
	})
	h, _ := newAPI(t, &fakeQueue{info: mine})
	a, b := do(h, ask(t, "GET", base+"/jobs/j", "", jwt.MapClaims{"sub": "you"})), do(h, ask(t, "GET", base+"/jobs/j%20", "", nil))
	if a, b := wantProblem(t, a, 404, "no-such-job"), wantProblem(t, b, 404, "no-such-job"); a.Detail != b.Detail {
		t.Error("the answer tells that somebody else's job is there")
	}
}

func TestJobAsJSON(t *testing.T) {
	whole := queue.Info{Job: queue.Job{ID: "j", Queue: "low", Type: "x", Payload: json.RawMessage(`{"a":"<é>"}`), MaxRetry: 0,
		Timeout: 1500 * time.Millisecond, Created: noon, Retention: time.Hour, Expires: time.Minute, Metadata: map[string]string{"b": "2", "a": "1"},
		Backoff: &queue.Backoff{Kind: "exponential", Base: time.Second, Cap: time.Minute}, Subject: "me",
		Unique: &queue.Unique{Key: "k", Until: "done"}}, State: queue.Scheduled, Due: noon, Attempts: 2,
		Failures: []queue.Failure{{Error: "bad", At: noon.UnixMilli(), Attempt: 2, Worker: "w", TookMS: 7}}}
	const wholeJSON = `{"job_id":"j","queue":"low","type":"x","state":"scheduled","payload":{"a":"<é>"},"due_at":"2030-01-31T11:00:00.123Z",` +
		`"attempt":2,"max_retry":0,"timeout_seconds":1.5,"retention_seconds":3600,"expires_in_seconds":60,` +
		`"backoff":{"kind":"exponential","base_seconds":1,"cap_seconds":60},"metadata":{"a":"1","b":"2"},"unique":{"key":"k","until":"done"},"subject":"me",` +
		`"created_at":"2030-01-31T11:00:00.123Z","errors":[{"error":"bad","at":"2030-01-31T11:00:00.123Z","attempt":2,"worker":"w","took_ms":7}]}`
	running := bare
	running.Worker, running.Cancelled, running.Due = "w", true, noon
	dead := bare
	dead.State, dead.Due, dead.Finished = queue.Dead, noon, noon
	dead.Backoff = &queue.Backoff{Kind: "list", Delays: []time.Duration{0, time.Second / 2}}
	dead.Unique = &queue.Unique{Key: "k", For: time.Minute}
	done := bare
	done.State, done.Finished, done.Backoff = queue.Done, noon, &queue.Backoff{Kind: "fixed", Base: 0}
	between := func(a, b string) string {
		return strings.NewReplacer(`"processing"`, a, `"errors"`, b+`,"errors"`).Replace(bareJSON)
	}
	for name, tc := range map[string]struct {
		info queue.Info
		want string
	}{
		"all there is": {whole, wholeJSON},
		"running":      {running, between(`"processing"`, `"worker":"w","cancelling":true`)},
		"dead": {dead, between(`"dead"`, `"backoff":{"kind":"list","seconds":[0,0.5]},"unique":{"key":"k","until":60},`+
			`"finished_at":"2030-01-31T11:00:00.123Z"`)},
		"done": {done, between(`"done"`, `"backoff":{"kind":"fixed","seconds":0},"finished_at":"2030-01-31T11:00:00.123Z"`)},
	} {
		h, _ := newAPI(t, &fakeQueue{info: tc.info})
		w := do(h, ask(t, "GET", base+"/jobs/j", "", nil))
		if got := strings.TrimSpace(w.Body.String()); w.Code != http.StatusOK || got != tc.want {
			t.Errorf("%s: %d\n%s\n%s", name, w.Code, got, tc.want)
		}
	}
}

func TestJobVerbs(t *testing.T) {
	wrong := func(s queue.State) *fakeQueue { return &fakeQueue{err: &queue.StateError{State: s}} }
	away := func() *fakeQueue { return &fakeQueue{err: queue.ErrNotFound} }
	const due = `{"job_id":"j","due_at":"2030-01-31T11:00:00.123Z"}`
	runRows(t, []row{
		{name: "cancel one that waits", method: "DELETE", path: "/jobs/j?queue=low", queue: &fakeQueue{state: queue.Scheduled}, status: 200,
			want: `{"job_id":"j","status":"cancelled"}`, asked: "cancel low j"},
		{name: "cancel one that runs", method: "DELETE", path: "/jobs/j", queue: &fakeQueue{state: queue.Processing}, status: 202,
			want: `{"job_id":"j","status":"cancelling"}`, asked: "cancel default j"},
		{name: "cancel one that is done", method: "DELETE", path: "/jobs/j", queue: wrong(queue.Done), status: 409,
			want: `wrong-state "job_id":"j" "state":"done"`, asked: "cancel default j"},
		{name: "cancel none", method: "DELETE", path: "/jobs/j", queue: away(), status: 404, want: "no-such-job", asked: "cancel default j"},

		{name: "run", method: "POST", path: "/jobs/j/run", queue: &fakeQueue{due: noon}, status: 200, want: due,
			asked: "reschedule default j {At:0001-01-01 00:00:00 +0000 UTC In:0s}"},
		{name: "run one that runs", method: "POST", path: "/jobs/j/run", queue: wrong(queue.Processing), status: 409, want: `wrong-state "state":"processing"`,
			asked: "reschedule default j {At:0001-01-01 00:00:00 +0000 UTC In:0s}"},
		{name: "run none", method: "POST", path: "/jobs/j/run", queue: away(), status: 404, want: "no-such-job",
			asked: "reschedule default j {At:0001-01-01 00:00:00 +0000 UTC In:0s}"},

		{name: "reschedule by delay", method: "POST", path: "/jobs/j/reschedule?queue=low", body: `{"delay_seconds":5}`, queue: &fakeQueue{due: noon}, status: 200,
			want: due, asked: "reschedule low j {At:0001-01-01 00:00:00 +0000 UTC In:5s}"},
		{name: "reschedule to now", method: "POST", path: "/jobs/j/reschedule", body: `{"delay_seconds":0}`, queue: &fakeQueue{due: noon}, status: 200,
			want: due, asked: "reschedule default j {At:0001-01-01 00:00:00 +0000 UTC In:0s}"},
		{name: "reschedule to a time", method: "POST", path: "/jobs/j/reschedule", body: `{"run_at":"2030-01-31T11:00:00.5Z"}`, queue: &fakeQueue{due: noon},
			status: 200, want: due, asked: "reschedule default j {At:2030-01-31 11:00:00.5 +0000 UTC In:0s}"},
		{name: "reschedule to nothing", method: "POST", path: "/jobs/j/reschedule", body: `{"run_at":null}`, status: 422, want: `invalid-job "/delay_seconds"`},
		{name: "reschedule to both", method: "POST", path: "/jobs/j/reschedule", body: `{"run_at":"2030-01-31T11:00:00Z","delay_seconds":1}`, status: 422, want: `invalid-job "/run_at"`},
		{name: "reschedule too far", method: "POST", path: "/jobs/j/reschedule", body: `{"delay_seconds":315360001}`, status: 422, want: `invalid-job "/delay_seconds"`},
		{name: "reschedule to the past", method: "POST", path: "/jobs/j/reschedule", body: `{"delay_seconds":-1}`, status: 422, want: `invalid-job "/delay_seconds"`},
		{name: "reschedule beyond what the queue takes", method: "POST", path: "/jobs/j/reschedule", body: `{"run_at":"2030-01-31T11:00:00Z"}`,
			queue: &fakeQueue{err: &queue.InvalidError{Field: "run_at", Reason: "must be nearer"}}, status: 422, want: `invalid-job "/run_at" nearer`,
			asked: "reschedule default j {At:2030-01-31 11:00:00 +0000 UTC In:0s}"},
		{name: "reschedule a dead one", method: "POST", path: "/jobs/j/reschedule", body: `{"delay_seconds":5}`, queue: wrong(queue.Dead), status: 409,
			want: `wrong-state "state":"dead"`, asked: "reschedule default j {At:0001-01-01 00:00:00 +0000 UTC In:5s}"},
		{name: "reschedule none", method: "POST", path: "/jobs/j/reschedule", body: `{"delay_seconds":5}`, queue: away(), status: 404, want: "no-such-job",
			asked: "reschedule default j {At:0001-01-01 00:00:00 +0000 UTC In:5s}"},

		{name: "redrive", method: "POST", path: "/jobs/j/redrive?queue=low", status: 200, want: `{"job_id":"j","status":"scheduled"}`, asked: "redrive low j"},
		{name: "redrive one that waits", method: "POST", path: "/jobs/j/redrive", queue: wrong(queue.Scheduled), status: 409, want: `wrong-state "state":"scheduled"`, asked: "redrive default j"},
		{name: "purge", method: "POST", path: "/jobs/j/purge?queue=low", status: 200, want: `{"job_id":"j","status":"purged"}`, asked: "purge low j"},
		{name: "purge one that runs", method: "POST", path: "/jobs/j/purge", queue: wrong(queue.Processing), status: 409, want: `wrong-state "state":"processing"`, asked: "purge default j"},
		{name: "purge none", method: "POST", path: "/jobs/j/purge", queue: away(), status: 404, want: "no-such-job", asked: "purge default j"},
		{name: "redrive none", method: "POST", path: "/jobs/j/redrive", queue: away(), status: 404, want: "no-such-job", asked: "redrive default j"},
		{name: "redrive what cannot be read", method: "POST", path: "/jobs/j/redrive", queue: &fakeQueue{err: &queue.InvalidError{Field: "record", Reason: "gone"}}, status: 422,
			want: `invalid-job record`, asked: "redrive default j"},
	})
}

func TestJobChanged(t *testing.T) {
	with := func(err error) *fakeQueue { return &fakeQueue{info: bare, err: err} }
	runRows(t, []row{
		{name: "all", method: "PATCH", path: "/jobs/j?queue=low", body: `{"payload":{"a":[1.0]},"max_retry":0,"metadata":{"a":"b"}}`, queue: with(nil), status: 200,
			want: bareJSON, asked: `edit low j payload={"a":[1.0]} max_retry=0 metadata=map[a:b]`},
		{name: "nothing", method: "PATCH", path: "/jobs/j", body: `{}`, queue: with(nil), status: 200, want: bareJSON, asked: `edit default j payload=`},
		{name: "taken away", method: "PATCH", path: "/jobs/j", body: `{"payload":null,"metadata":null}`, queue: with(nil), status: 200, want: bareJSON,
			asked: `edit default j payload=null metadata=map[]`},
		{name: "retries", method: "PATCH", path: "/jobs/j", body: `{"max_retry":1000}`, queue: with(nil), status: 200, want: bareJSON, asked: `edit default j payload= max_retry=1000`},
		{name: "no number", method: "PATCH", path: "/jobs/j", body: `{"max_retry":null}`, status: 422, want: `invalid-job "/max_retry"`},
		{name: "too many retries", method: "PATCH", path: "/jobs/j", body: `{"max_retry":1001}`, status: 422, want: `invalid-job "/max_retry"`},
		{name: "too few retries", method: "PATCH", path: "/jobs/j", body: `{"max_retry":-1}`, status: 422, want: `invalid-job "/max_retry"`},
		{name: "metadata of numbers", method: "PATCH", path: "/jobs/j", body: `{"metadata":{"a":1}}`, status: 422, want: `invalid-job "/metadata"`},
		{name: "deep payload", method: "PATCH", path: "/jobs/j", body: `{"payload":` + strings.Repeat("[", 1001) + strings.Repeat("]", 1001) + `}`, status: 422, want: `invalid-job "/payload"`},
		{name: "big payload", method: "PATCH", path: "/jobs/j", body: `{"payload":"` + strings.Repeat("x", 64<<10) + `"}`, status: 422, want: `invalid-job "/payload"`},
		{name: "the queue refuses", method: "PATCH", path: "/jobs/j", body: `{"metadata":{"a":"b"}}`, queue: with(&queue.InvalidError{Field: "metadata", Reason: "must be less"}), status: 422,
			want: `invalid-job "/metadata" less`, asked: `edit default j payload= metadata=map[a:b]`},
		{name: "a field of others", method: "PATCH", path: "/jobs/j", body: `{"type":"x"}`, status: 400, want: `unknown-field`},
		{name: "a field twice", method: "PATCH", path: "/jobs/j", body: `{"payload":null,"payload":1}`, status: 400, want: `duplicate-field`},
		{name: "one that runs", method: "PATCH", path: "/jobs/j", body: `{"payload":1}`, queue: with(&queue.StateError{State: queue.Processing}), status: 409,
			want: `wrong-state "job_id":"j" "state":"processing"`, asked: `edit default j payload=1`},
		{name: "none", method: "PATCH", path: "/jobs/j", body: `{"payload":1}`, queue: with(queue.ErrNotFound), status: 404, want: `no-such-job`, asked: `edit default j payload=1`},
	})
}
