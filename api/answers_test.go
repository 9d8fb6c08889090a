package api

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/punctualq/punctual/queue"
)

// documentedRoutes are those of the document that the table of routes does not have, with whoever answers them.
var documentedRoutes = map[string]string{
	"GET /metrics": "the process mounts it beside this handler",
}

// The document and the table of routes have the same routes, scopes and parameters.
func TestDocumentHasTheRoutes(t *testing.T) {
	doc := theContract().doc
	missing := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			missing[method+" "+path] = documentedRoutes[method+" "+path] == ""
		}
	}
	for _, rt := range (&service{queue: &fakeQueue{}}).routes() {
		name := rt.method + " " + rt.template
		item := doc.Paths.Value(rt.template)
		if item == nil || item.GetOperation(rt.method) == nil {
			t.Errorf("%s is not in the document", name)
			continue
		}
		missing[name] = false
		operation := item.GetOperation(rt.method)
		want, got := []string{}, []string{}
		if rt.scope != "" {
			want = append(want, "token"+rt.scope)
		}
		if rt.unscoped {
			want = append(want, "plain")
		}
		for _, requirement := range *operation.Security {
			for scheme, scopes := range requirement {
				got = append(got, scheme+strings.Join(scopes, " "))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: the document wants %q, the table %q", name, got, want)
		}
		var query []string
		for _, p := range append(slices.Clone(operation.Parameters), item.Parameters...) {
			if p.Value.In == "query" {
				query = append(query, p.Value.Name)
			}
		}
		slices.Sort(query)
		if given := slices.Sorted(slices.Values(rt.query)); !slices.Equal(query, given) {
			t.Errorf("%s: the document has the parameters %q, the table %q", name, query, given)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		if missing[name] {
			t.Errorf("%s is in the document, and not in the table of routes", name)
		}
	}
}

// provocations make a route give an answer that not all requests get: by what the queue says, or by what is wrong with the
// request.
var provocations = map[string]struct {
	err    error // of the queue
	change func(*http.Request)
}{
	"400 duplicate-field":         {change: twice},
	"400 malformed-body":          {change: withBody(`[]`)},
	"400 unknown-field":           {change: withBody(`{"nonsense":1}`)},
	"400 invalid-query":           {change: func(r *http.Request) { r.URL.RawQuery = "nonsense=1" }},
	"400 invalid-cursor":          {err: queue.ErrCursor},
	"400 invalid-idempotency-key": {change: header("Idempotency-Key", `"`)},
	"401 unauthorized":            {change: header("Authorization", "")},
	"403 insufficient-scope":      {change: func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+scopeless) }},
	"404 no-such-job":             {err: queue.ErrNotFound},
	"404 no-such-queue":           {err: queue.ErrNoQueue},
	"404 no-such-worker":          {err: queue.ErrNoWorker},
	"408 request-timeout":         {change: func(r *http.Request) { r.Body = io.NopCloser(failing{os.ErrDeadlineExceeded}) }},
	"409 job-exists":              {err: queue.ErrExists, change: withBody(`{"job_id":"mine"}`)},
	"409 unique-conflict":         {err: &queue.UniqueError{Holder: "other"}},
	"409 wrong-state":             {err: &queue.StateError{State: queue.Dead}},
	"413 body-too-large":          {change: func(r *http.Request) { r.ContentLength = maxBulkBody + 1 }},
	"415 unsupported-media-type":  {change: header("Content-Type", "text/plain")},
	"422 invalid-job":             {change: invalid},
	"422 idempotency-conflict":    {err: queue.ErrConflict, change: header("Idempotency-Key", "mine")},
	"429 queue-full":              {err: queue.ErrQueueFull},
	"500 internal":                {err: errors.New("something new"), change: panics},
	"503 redis-unavailable":       {err: queue.ErrUnavailable},
	"503 outcome-unknown":         {err: queue.ErrOutcomeUnknown},
	"503 storage-full":            {err: queue.ErrFull},
	"503 layout-too-new":          {err: queue.ErrLayout},
}

// scopeless is set by the test: a token that may do nothing.
var scopeless string

func withBody(body string) func(*http.Request) {
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
}

// twice sends each field of the body twice.
func twice(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	inner := strings.TrimSuffix(strings.TrimPrefix(string(body), "{"), "}")
	if inner == "" {
		inner = `"type":"x"`
	}
	withBody("{" + inner + "," + inner + "}")(r)
}

// invalid sends fields that can be taken nowhere.
func invalid(r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/bulk"):
		withBody(`{"jobs":[]}`)(r)
	case strings.HasSuffix(r.URL.Path, "/reschedule"):
		withBody(`{"delay_seconds":-1}`)(r)
	case strings.Contains(r.URL.Path, "/queues/"):
		withBody(`{"limit":0}`)(r)
	default:
		withBody(`{"max_retry":-1}`)(r)
	}
}

// panics is a bug on the way: what no error of the queue can show where each job has an error of its own.
func panics(r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/bulk") {
		r.Body = io.NopCloser(panicking{})
	}
}

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("a bug") }

// Every route gives every problem that the document has for it.
func TestEveryDocumentedProblem(t *testing.T) {
	scopeless = tokenOf(t, map[string]any{"scope": ""})
	for _, rt := range guarded(t) {
		prefix := rt.method + " " + rt.template + " "
		for _, answer := range documentedAnswers() {
			problem, ok := strings.CutPrefix(answer, prefix)
			provocation, known := provocations[problem]
			if !ok || excuse(answer) != "" || !strings.Contains(problem, " ") || strings.HasSuffix(problem, " rate-limited") {
				continue // the limiter has a test of its own
			}
			if !known {
				t.Errorf("nothing provokes %s", answer)
				continue
			}
			q := everything()
			q.err = provocation.err
			if rt.template == base+"/jobs/{job_id}/redrive" && problem == "422 invalid-job" {
				q.err = queue.ErrInvalid // of a record that nobody can read
			}
			h, _ := newAPI(t, q)
			r := ask(t, rt.method, pathOf(rt), bodyOf(rt), nil)
			if provocation.change != nil {
				provocation.change(r)
			}
			var status int
			var code string
			_, _ = fmt.Sscan(problem, &status, &code)
			t.Run(strings.ReplaceAll(answer, "/", "·"), func(t *testing.T) { wantProblem(t, do(h, r), status, code) })
		}
	}
}

// What is no problem, and is not what a verb answers to its good request.
func TestOtherDocumentedAnswers(t *testing.T) {
	q := everything()
	q.state = queue.Processing
	h, _ := newAPI(t, q)
	if w := do(h, ask(t, "DELETE", base+"/jobs/job-1", "", nil)); w.Code != http.StatusAccepted {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}
