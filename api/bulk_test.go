package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/punctualq/punctual/queue"
)

// existing is a queue that refuses each id as taken, and knows the job that has it.
type existing struct{ *fakeQueue }

func (q *existing) Get(context.Context, string, string) (queue.Info, error) { return q.info, nil }

func forbiddenResult(name string) string {
	return `{"status":403,"problem":{"type":"about:blank","title":"Forbidden","status":403,` +
		`"detail":"the claim queues of the token does not name the queue ` + name + `","code":"insufficient-scope","request_id":"id"}}`
}

// bulk registers and returns the results.
func bulk(t *testing.T, q Queue, body string, claims jwt.MapClaims, changes ...func(*http.Request)) []bulkResult {
	t.Helper()
	h, _ := newAPI(t, q)
	r := ask(t, "POST", base+"/register/bulk", body, claims)
	for _, change := range changes {
		change(r)
	}
	w := do(h, r)
	var answer struct{ Results []bulkResult }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return answer.Results
}

// told is the results in short: status, code and id of each.
func told(results []bulkResult) string {
	var all []string
	for _, r := range results {
		one := fmt.Sprint(r.Status, " ", r.JobID)
		if r.Replayed {
			one += " again"
		}
		if p := r.Problem; p != nil {
			one = fmt.Sprint(r.Status, " ", p.Code, " ", p.JobID, " ", p.State)
			for _, e := range p.Errors {
				one += e.Pointer
			}
			if p.Status != r.Status || p.RequestID == "" || p.Detail == "" {
				one += " and is not whole"
			}
		}
		all = append(all, strings.TrimSpace(one))
	}
	return strings.Join(all, ", ")
}

func TestOneBadJobDoesNotSpoilTheRest(t *testing.T) {
	q := &fakeQueue{}
	body := `{"jobs":[{"message":"a"},{"delay_seconds":-1,"queue":"X"},{"nonsense":1},null,7,{"message":"b","message":"c"},{"queue":"low","message":"d"},` +
		`{"type":"x","payload":` + strings.Repeat("[", 1001) + strings.Repeat("]", 1001) + `},{"queue":"secret"},{}]}`
	got := told(bulk(t, q, body, jwt.MapClaims{"sub": "me", "queues": []string{"default", "low"}}))
	want := "201 id-0, 422 invalid-job  /jobs/1/delay_seconds/jobs/1/queue, 400 unknown-field, 400 malformed-body, 400 malformed-body, 400 duplicate-field, " +
		"201 id-1, 422 invalid-job  /jobs/7/payload, 403 insufficient-scope, 201 id-2"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(q.jobs) != 3 || string(q.jobs[0].Payload) != `"a"` || q.jobs[1].Queue != "low" || q.jobs[2].Subject != "me" {
		t.Errorf("%+v", q.jobs)
	}
}

func TestBulkTellsWhatBecameOfEachJob(t *testing.T) {
	q := &fakeQueue{info: queue.Info{State: queue.Processing}, enqueued: []queue.Enqueued{{ID: "a"}, {ID: "mine", Err: queue.ErrExists},
		{ID: "c", Err: &queue.UniqueError{Holder: "h"}}, {ID: "d", Err: queue.ErrQueueFull}, {ID: "e", Err: queue.ErrConflict},
		{ID: "f", Err: queue.ErrOutcomeUnknown}, {ID: "g", Err: queue.ErrUnavailable}, {ID: "h", Err: queue.ErrFull}, {ID: "i", Replayed: true}}}
	got := told(bulk(t, q, `{"jobs":[{},{"job_id":"mine"},{},{},{},{},{},{},{}]}`, nil))
	want := "201 a, 409 job-exists mine processing, 409 unique-conflict h, 429 queue-full, 422 idempotency-conflict, " +
		"503 outcome-unknown f, 503 redis-unavailable, 503 storage-full, 201 i again"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestBulkWithAKey(t *testing.T) {
	q := &fakeQueue{}
	results := bulk(t, q, `{"jobs":[{"message":"a"},{"delay_seconds":-1},{"message":"a"}]}`, nil, header("Idempotency-Key", `"k"`))
	if len(results) != 3 || len(q.jobs) != 2 || q.jobs[0].Idempotency.Key != "k/0" || q.jobs[1].Idempotency.Key != "k/2" ||
		q.jobs[0].Idempotency.Request != q.jobs[1].Idempotency.Request {
		t.Errorf("%+v of %+v", q.jobs, results)
	}
	q = &fakeQueue{enqueued: []queue.Enqueued{{ID: "a", Err: queue.ErrOutcomeUnknown}}}
	if p := bulk(t, q, `{"jobs":[{}]}`, nil, header("Idempotency-Key", "k"))[0].Problem; !strings.Contains(p.Detail, "send the same request again") {
		t.Errorf("detail is %q", p.Detail)
	}
	if p := bulk(t, q, `{"jobs":[{}]}`, nil)[0].Problem; !strings.Contains(p.Detail, "run it twice") {
		t.Errorf("detail is %q", p.Detail)
	}
}

func TestBulkBounds(t *testing.T) {
	many := func(n int) string { return `{"jobs":[{}` + strings.Repeat(",{}", n-1) + `]}` }
	if results := bulk(t, &fakeQueue{}, many(1000), nil); len(results) != 1000 || results[999].JobID != "id-999" {
		t.Errorf("%d results", len(results))
	}
	for _, body := range []string{many(1001), `{"jobs":[]}`, `{}`, `{"jobs":null}`, `{"jobs":{}}`, `{"jobs":"x"}`} {
		q := &fakeQueue{}
		h, _ := newAPI(t, q)
		p := wantProblem(t, do(h, ask(t, "POST", base+"/register/bulk", body, nil)), 422, "invalid-job")
		if len(p.Errors) != 1 || p.Errors[0].Pointer != "/jobs" || len(q.asked) > 0 {
			t.Errorf("%.20s: %+v", body, p)
		}
	}
	big := `{"jobs":[{"message":"` + strings.Repeat("x", 60_000) + `"}` + strings.Repeat(`,{"message":"`+strings.Repeat("x", 60_000)+`"}`, 60) + `]}`
	if results := bulk(t, &fakeQueue{}, big, nil); len(results) != 61 {
		t.Errorf("%d results", len(results))
	}
	h, _ := newAPI(t, &fakeQueue{})
	p := wantProblem(t, do(h, ask(t, "POST", base+"/register/bulk", strings.Repeat(" ", 4<<20+1), nil)), 413, "body-too-large")
	if !strings.Contains(p.Detail, "4194304") {
		t.Errorf("detail is %q", p.Detail)
	}
}

// All of them bad: the queue is not asked.
func TestBulkOfBadJobsOnly(t *testing.T) {
	q := &fakeQueue{}
	if got := told(bulk(t, q, `{"jobs":[{"max_retry":-1}]}`, nil)); got != "422 invalid-job  /jobs/0/max_retry" || len(q.asked) > 0 {
		t.Errorf("%s, asked %q", got, q.asked)
	}
}

// A queue that answers for fewer jobs than it was given is a fault, and no job gets the answer of another.
func TestBulkAnsweredShort(t *testing.T) {
	h, _ := newAPI(t, &fakeQueue{enqueued: []queue.Enqueued{{ID: "a"}}})
	wantProblem(t, do(h, ask(t, "POST", base+"/register/bulk", `{"jobs":[{},{}]}`, nil)), 500, "internal")
}

func TestBulkInTheLog(t *testing.T) {
	h, log := newAPI(t, &fakeQueue{enqueued: []queue.Enqueued{{ID: "a"}, {ID: "b"}, {ID: "c", Err: queue.ErrFull}}})
	do(h, ask(t, "POST", base+"/register/bulk", `{"jobs":[{},{},{},{"max_retry":-1}]}`, nil))
	if line := lines(t, log)[0]; line["jobs"] != 2.0 || line["code"] != "storage-full" || line["error"] == nil {
		t.Errorf("the log says %v", line)
	}
}
