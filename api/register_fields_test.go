package api

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/punctualq/punctual/queue"
)

func TestRegisterTakesAllFields(t *testing.T) {
	for body, want := range map[string]queue.NewJob{
		`{"run_at":"2030-01-31T12:00:00.5+01:00"}`: {At: time.Date(2030, 1, 31, 11, 0, 0, 5e8, time.UTC)},
		`{"run_at":null,"delay_seconds":1}`:        {Delay: time.Second},
		`{"job_id":"a/b!~","delay_seconds":0}`:     {ID: "a/b!~"},
		`{"delay_seconds":0,"timeout_seconds":30,"retention_seconds":60,"expires_in_seconds":315360000}`: {
			Timeout: 30 * time.Second, Retention: time.Minute, Expires: queue.MaxDelay},
		`{"delay_seconds":0,"timeout_seconds":0,"retention_seconds":0,"expires_in_seconds":0,"backoff":null,"metadata":null,"unique":null,"job_id":null}`: {},
		`{"delay_seconds":0,"backoff":{"kind":"exponential","base_seconds":0.25,"cap_seconds":60}}`: {
			Backoff: &queue.Backoff{Kind: "exponential", Base: 250 * time.Millisecond, Cap: time.Minute}},
		`{"delay_seconds":0,"backoff":{"kind":"exponential","base_seconds":1.001}}`: {
			Backoff: &queue.Backoff{Kind: "exponential", Base: 1001 * time.Millisecond}},
		`{"delay_seconds":0,"backoff":{"kind":"fixed","seconds":0}}`: {Backoff: &queue.Backoff{Kind: "fixed"}},
		`{"delay_seconds":0,"backoff":{"seconds":[1,5.5,-0,0.0],"kind":"list"}}`: {
			Backoff: &queue.Backoff{Kind: "list", Delays: []time.Duration{time.Second, 5500 * time.Millisecond, 0, 0}}},
		`{"delay_seconds":0,"metadata":{"a":"1","b":""}}`:                {Metadata: map[string]string{"a": "1", "b": ""}},
		`{"delay_seconds":0,"metadata":{}}`:                              {},
		`{"delay_seconds":0,"unique":{"key":"k","until":"start"}}`:       {Unique: &queue.Unique{Key: "k", Until: "start"}},
		`{"delay_seconds":0,"unique":{"key":"k","until":"d\u006fne"}}`:   {Unique: &queue.Unique{Key: "k", Until: "done"}},
		`{"delay_seconds":0,"unique":{"key":"k","until":315360000}}`:     {Unique: &queue.Unique{Key: "k", For: queue.MaxDelay}},
		`{"delay_seconds":0,"unique":{"key":"k","until":1},"type":"x"} `: {Unique: &queue.Unique{Key: "k", For: time.Second}, Type: "x"},
	} {
		q := &fakeQueue{}
		h, _ := newAPI(t, q)
		if w := post(t, h, body); w.Code != http.StatusCreated {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
			continue
		}
		want.Subject, want.MaxRetry, want.At = "tester", 10, want.At.UTC()
		got := q.jobs[0]
		got.Payload, got.At = nil, got.At.UTC()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ngot  %+v\nwant %+v", body, got, want)
		}
	}
}

func TestRegisterRefusesBadFields(t *testing.T) {
	for _, tc := range []struct{ body, pointers string }{
		{`{"run_at":"tomorrow"}`, "/run_at"}, {`{"run_at":1}`, "/run_at"}, {`{"run_at":""}`, "/run_at"}, {`{"run_at":"2030-01-31"}`, "/run_at"},
		{`{"run_at":"2030-02-31T00:00:00Z"}`, "/run_at"}, {`{"run_at":"2030-01-31T00:00:00"}`, "/run_at"},
		{`{"run_at":"2030-01-31T00:00:00Z","delay_seconds":0}`, "/run_at"},
		{`{"run_at":"2030-01-31T00:00:00Z","delay_seconds":-1}`, "/run_at"},
		{`{"job_id":""}`, "/job_id"}, {`{"job_id":"a b"}`, "/job_id"}, {`{"job_id":"é"}`, "/job_id"}, {`{"job_id":"a\nb"}`, "/job_id"}, {`{"job_id":7}`, "/job_id"},
		{`{"job_id":"."}`, "/job_id"}, {`{"job_id":".."}`, "/job_id"}, {`{"job_id":"` + strings.Repeat("x", 129) + `"}`, "/job_id"},
		{`{"timeout_seconds":-1}`, "/timeout_seconds"}, {`{"timeout_seconds":"1"}`, "/timeout_seconds"}, {`{"timeout_seconds":0.5}`, "/timeout_seconds"},
		{`{"timeout_seconds":315360001}`, "/timeout_seconds"}, {`{"timeout_seconds":1e999}`, "/timeout_seconds"},
		{`{"retention_seconds":[]}`, "/retention_seconds"}, {`{"expires_in_seconds":{}}`, "/expires_in_seconds"},
		{`{"backoff":1}`, "/backoff"}, {`{"backoff":[]}`, "/backoff"}, {`{"backoff":{}}`, "/backoff/kind"}, {`{"backoff":{"kind":"linear"}}`, "/backoff/kind"},
		{`{"backoff":{"kind":7}}`, "/backoff/kind"}, {`{"backoff":{"kind":"fixed"}}`, "/backoff/seconds"}, {`{"backoff":{"kind":"exponential"}}`, "/backoff/base_seconds"},
		{`{"backoff":{"kind":"fixed","seconds":1,"second":1}}`, "/backoff"}, {`{"backoff":{"kind":"fixed","kind":"fixed","seconds":1}}`, "/backoff"},
		{`{"backoff":{"kind":"fixed","seconds":1,"base_seconds":1}}`, "/backoff/base_seconds"}, {`{"backoff":{"kind":"fixed","seconds":"1"}}`, "/backoff/seconds"},
		{`{"backoff":{"kind":"fixed","seconds":1.0001}}`, "/backoff/seconds"}, {`{"backoff":{"kind":"fixed","seconds":1e1}}`, "/backoff/seconds"},
		{`{"backoff":{"kind":"exponential","base_seconds":0,"cap_seconds":0}}`, "/backoff/base_seconds /backoff/cap_seconds"},
		{`{"backoff":{"kind":"list","seconds":1}}`, "/backoff/seconds"}, {`{"backoff":{"kind":"list","seconds":[]}}`, "/backoff/seconds"},
		{`{"backoff":{"kind":"list","seconds":[1,"2"]}}`, "/backoff/seconds/1"}, {`{"backoff":{"kind":"list","seconds":[1` + strings.Repeat(",1", 100) + `]}}`, "/backoff/seconds"},
		{`{"metadata":"a"}`, "/metadata"}, {`{"metadata":{"a":1}}`, "/metadata"}, {`{"metadata":{"a":null}}`, "/metadata"}, {`{"metadata":{"a":{}}}`, "/metadata"},
		{`{"metadata":{"a":"1","a":"2"}}`, "/metadata"}, {`{"metadata":{"a":"1","\u0061":"2"}}`, "/metadata"}, {`{"metadata":[]}`, "/metadata"},
		{`{"unique":"k"}`, "/unique"}, {`{"unique":{}}`, "/unique/key /unique/until"}, {`{"unique":{"key":"k"}}`, "/unique/until"}, {`{"unique":{"key":7,"until":"done"}}`, "/unique/key"},
		{`{"unique":{"key":"k","until":"never"}}`, "/unique/until"}, {`{"unique":{"key":"k","until":0}}`, "/unique/until"}, {`{"unique":{"key":"k","until":-5}}`, "/unique/until"},
		{`{"unique":{"key":"k","until":1.5}}`, "/unique/until"}, {`{"unique":{"key":"k","until":{}}}`, "/unique/until"}, {`{"unique":{"key":"k","until":"done","for":1}}`, "/unique"},
	} {
		q := &fakeQueue{}
		h, _ := newAPI(t, q)
		p := wantProblem(t, post(t, h, tc.body), 422, "invalid-job")
		var pointers []string
		for _, e := range p.Errors {
			pointers = append(pointers, e.Pointer)
			if !strings.HasPrefix(e.Detail, "must ") && !strings.HasPrefix(e.Detail, "belongs ") {
				t.Errorf("%s: detail %q does not say what is wanted", tc.body, e.Detail)
			}
		}
		if got := strings.Join(pointers, " "); got != tc.pointers {
			t.Errorf("%s: errors at %s, want %s", tc.body, got, tc.pointers)
		}
		if len(q.jobs) > 0 {
			t.Errorf("%s was registered", tc.body)
		}
	}
}

// What the queue refuses is told at the field of the request.
func TestRegisterTellsWhatTheQueueRefuses(t *testing.T) {
	h, _ := newAPI(t, &fakeQueue{err: fmt.Errorf("%w", &queue.InvalidError{Field: "metadata", Reason: "must be less"})})
	p := wantProblem(t, post(t, h, `{"metadata":{"a":"1"}}`), 422, "invalid-job")
	if len(p.Errors) != 1 || p.Errors[0] != (fieldError{"/metadata", "must be less"}) {
		t.Errorf("errors are %v", p.Errors)
	}
}

func TestRegisterConflicts(t *testing.T) {
	taken := func(getErr error) *fakeQueue {
		return &fakeQueue{err: queue.ErrExists, info: queue.Info{State: queue.Dead}, getErr: getErr}
	}
	runRows(t, []row{
		{name: "job_id is taken, and its job gone since", method: "POST", path: "/register", body: `{"job_id":"mine","queue":"low"}`, queue: taken(queue.ErrNotFound),
			status: 409, want: `job-exists "job_id":"mine"`, asked: "get low mine"},
		{name: "unique key is taken", method: "POST", path: "/register", body: `{"unique":{"key":"k","until":"done"}}`, queue: &fakeQueue{err: &queue.UniqueError{Holder: "other"}},
			status: 409, want: `unique-conflict "job_id":"other"`, asked: "enqueue"},
		{name: "idempotency key is taken", method: "POST", path: "/register", body: `{}`, queue: &fakeQueue{err: queue.ErrConflict}, status: 422, want: "idempotency-conflict", asked: "enqueue"},
		{name: "queue is full", method: "POST", path: "/register", body: `{}`, queue: &fakeQueue{err: queue.ErrQueueFull}, status: 429, want: "queue-full", asked: "enqueue"},
		{name: "token for other queues", method: "POST", path: "/register", body: `{}`, claims: jwt.MapClaims{"queues": []string{"low"}}, status: 403, want: "insufficient-scope default"},
		{name: "bulk for other queues", method: "POST", path: "/register/bulk", body: `{"jobs":[{},{"queue":"low"}]}`, claims: jwt.MapClaims{"queues": []string{"high"}}, status: 200,
			want: `{"results":[` + forbiddenResult("default") + `,` + forbiddenResult("low") + `]}`},
	})
	q := taken(nil)
	h, _ := newAPI(t, &existing{q})
	if p := wantProblem(t, post(t, h, `{"job_id":"mine"}`), 409, "job-exists"); p.JobID != "mine" || p.State != queue.Dead {
		t.Errorf("job_id %q, state %q", p.JobID, p.State)
	}
	h, _ = newAPI(t, &fakeQueue{err: queue.ErrQueueFull})
	if w := post(t, h, `{}`); w.Header().Get("Retry-After") == "" {
		t.Error("a full queue gives no Retry-After")
	}
}

func TestRegisterWhereTheJobIs(t *testing.T) {
	h, _ := newAPI(t, &fakeQueue{})
	w := post(t, h, `{"job_id":"a/b?c","queue":"low"}`)
	location := w.Header().Get("Location")
	if want := "/api/dm-jobqueue/jobs/a%2Fb%3Fc?queue=low"; w.Code != 201 || location != want || !strings.Contains(w.Body.String(), `"job_id":"a/b?c"`) {
		t.Errorf("%d, Location %q, want %q: %s", w.Code, location, want, w.Body)
	}
	q := &fakeQueue{info: bare}
	h, _ = newAPI(t, q)
	if w := do(h, ask(t, "GET", location, "", nil)); w.Code != 200 || q.asked[0] != "get low a/b?c" {
		t.Errorf("%d, asked %q", w.Code, q.asked)
	}
}

// A client that cannot tell what became of its job is told what to do, which differs.
func TestRegisterOfUnknownOutcome(t *testing.T) {
	for body, wants := range map[string]string{`{}`: "run it twice", `{"job_id":"mine"}`: "send the same request again"} {
		for _, err := range []error{queue.ErrOutcomeUnknown, queue.ErrNotDurable} {
			h, _ := newAPI(t, &fakeQueue{err: err})
			p := wantProblem(t, post(t, h, body), 503, "outcome-unknown")
			if !strings.Contains(p.Detail, wants) || p.JobID == "" {
				t.Errorf("%s, %v: %q of %q", body, err, p.Detail, p.JobID)
			}
		}
	}
	h, _ := newAPI(t, &fakeQueue{err: queue.ErrOutcomeUnknown})
	p := wantProblem(t, post(t, h, `{}`, header("Idempotency-Key", "k")), 503, "outcome-unknown")
	if !strings.Contains(p.Detail, "send the same request again") {
		t.Errorf("with a key: %q", p.Detail)
	}
}
