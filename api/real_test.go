package api

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/punctualq/punctual/queue"
)

// What is registered with all fields is what is looked at later, through the real queue.
func TestAllFieldsGoThroughTheRealQueue(t *testing.T) {
	client, _ := realQueue(t)
	h, _ := newAPI(t, client)
	const body = `{"job_id":"a/b","queue":"low","type":"invoice.send","payload":{"invoice":[1.0]},"run_at":"2030-01-31T12:00:00.5+01:00","max_retry":0,` +
		`"timeout_seconds":30,"retention_seconds":86400,"expires_in_seconds":3600,"backoff":{"kind":"list","seconds":[0.5,10]},` +
		`"metadata":{"customer":"acme"},"unique":{"key":"invoice-1","until":"done"}}`
	w := do(h, ask(t, "POST", base+"/register", body, jwt.MapClaims{"sub": "shop"}))
	if w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	got := do(h, ask(t, "GET", w.Header().Get("Location"), "", jwt.MapClaims{"sub": "shop"}))
	const want = `{"job_id":"a/b","queue":"low","type":"invoice.send","state":"scheduled","payload":{"invoice":[1.0]},"due_at":"2030-01-31T11:00:00.500Z",` +
		`"attempt":0,"max_retry":0,"timeout_seconds":30,"retention_seconds":86400,"expires_in_seconds":3600,"backoff":{"kind":"list","seconds":[0.5,10]},` +
		`"metadata":{"customer":"acme"},"unique":{"key":"invoice-1","until":"done"},"subject":"shop","created_at":"`
	if got.Code != http.StatusOK || !strings.HasPrefix(got.Body.String(), want) {
		t.Errorf("%d\ngot  %s\nwant %s", got.Code, got.Body, want)
	}
	wantProblem(t, do(h, ask(t, "GET", w.Header().Get("Location"), "", jwt.MapClaims{"sub": "another shop"})), 404, "no-such-job")

	if p := wantProblem(t, post(t, h, `{"job_id":"a/b","queue":"low"}`), 409, "job-exists"); p.JobID != "a/b" || p.State != queue.Scheduled {
		t.Errorf("job_id %q, state %q", p.JobID, p.State)
	}
	if p := wantProblem(t, post(t, h, `{"queue":"low","unique":{"key":"invoice-1","until":60}}`), 409, "unique-conflict"); p.JobID != "a/b" {
		t.Errorf("job_id is %q", p.JobID)
	}
}

// The queue's own rules are told at the fields of the request.
func TestRulesOfTheRealQueue(t *testing.T) {
	client, server := realQueue(t)
	h, _ := newAPI(t, client)
	many := `"k":"v"`
	for i := range 16 {
		many += `,"k` + string(rune('a'+i)) + `":"v"`
	}
	for body, pointer := range map[string]string{
		`{"run_at":"2999-01-01T00:00:00Z"}`: "/run_at", `{"retention_seconds":-1}`: "/retention_seconds", `{"expires_in_seconds":315360001}`: "/expires_in_seconds",
		`{"timeout_seconds":-1}`: "/timeout_seconds", `{"job_id":"a b"}`: "/job_id", `{"metadata":{` + many + `}}`: "/metadata", `{"metadata":{"a b":"v"}}`: "/metadata",
		`{"metadata":{"a":"` + strings.Repeat("x", 257) + `"}}`: "/metadata", `{"unique":{"key":"a b","until":"done"}}`: "/unique", `{"unique":{"key":"","until":1}}`: "/unique",
		`{"unique":{"key":"k","until":315360001}}`: "/unique", `{"backoff":{"kind":"fixed","seconds":315360001}}`: "/backoff", `{"backoff":{"kind":"fixed","seconds":-1}}`: "/backoff",
		`{"backoff":{"kind":"exponential","base_seconds":2,"cap_seconds":1}}`: "/backoff", `{"backoff":{"kind":"list","seconds":[-0.001]}}`: "/backoff",
	} {
		p := wantProblem(t, post(t, h, body), 422, "invalid-job")
		if len(p.Errors) != 1 || p.Errors[0].Pointer != pointer || !strings.Contains(p.Errors[0].Detail, "must ") {
			t.Errorf("%s: %+v", body, p.Errors)
		}
	}
	if keys := server.Keys(); len(keys) != 0 {
		t.Errorf("refused jobs left %v", keys)
	}
}

func TestBulkInTheRealQueue(t *testing.T) {
	client, _ := realQueue(t)
	const body = `{"jobs":[{"job_id":"a"},{"job_id":"b","queue":"low"},{"job_id":"a","message":"again"},{"job_id":"c","delay_seconds":-1},` +
		`{"job_id":"d","unique":{"key":"k","until":"done"}},{"job_id":"e","unique":{"key":"k","until":"done"}},{"job_id":"f"}]}`
	const first = "201 a, 201 b, 409 job-exists a scheduled, 422 invalid-job  /jobs/3/delay_seconds, 201 d, 409 unique-conflict d, 201 f"
	key := header("Idempotency-Key", `"k"`)
	if got := told(bulk(t, client, body, nil, key)); got != first {
		t.Errorf("got  %s\nwant %s", got, first)
	}
	const again = "201 a again, 201 b again, 409 job-exists a scheduled, 422 invalid-job  /jobs/3/delay_seconds, 201 d again, 409 unique-conflict d, 201 f again"
	if got := told(bulk(t, client, body, nil, key)); got != again {
		t.Errorf("got  %s\nwant %s", got, again)
	}
	const other = `{"jobs":[{"job_id":"a","max_retry":1},{"job_id":"b","queue":"low"}]}`
	if got := told(bulk(t, client, other, nil, key)); got != "422 idempotency-conflict, 201 b again" {
		t.Errorf("got %s", got)
	}
	if got := bulk(t, client, `{"jobs":[{}`+strings.Repeat(`,{"delay_seconds":0}`, 999)+`]}`, nil); len(got) != 1000 {
		t.Errorf("%d results", len(got))
	} else {
		for i := 1; i < len(got); i++ {
			if got[i].Status != 201 || got[i].JobID <= got[i-1].JobID { // made in order
				t.Fatalf("result %d is %+v after %+v", i, got[i], got[i-1])
			}
		}
	}
	if info, err := client.Get(context.Background(), "default", "a"); err != nil || string(info.Payload) != `"`+defaultMessage+`"` {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestKeysInTheRealQueue(t *testing.T) {
	client, _ := realQueue(t)
	h, _ := newAPI(t, client)
	key := header("Idempotency-Key", "k")
	first, again := post(t, h, `{"delay_seconds":0}`, key), post(t, h, `{ "delay_seconds": 0 }`, key)
	if first.Code != 201 || again.Code != 201 || first.Body.String() != again.Body.String() ||
		first.Header().Get("Location") != again.Header().Get("Location") || first.Header().Get("Idempotency-Replayed") != "" || again.Header().Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d %s %v, %d %s %v", first.Code, first.Body, first.Header(), again.Code, again.Body, again.Header())
	}
	wantProblem(t, post(t, h, `{"delay_seconds":1}`, key), 422, "idempotency-conflict")
}
