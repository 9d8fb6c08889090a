package api

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/punctualq/punctual/queue"
)

const base = "/api/dm-jobqueue"

// allScopes are those of a token that may do everything.
const allScopes = "jobs:write jobs:read jobs:admin workers:admin"

// tokenOf makes a token with these claims in place of those that it has by default; a nil takes one out.
func tokenOf(t *testing.T, claims jwt.MapClaims) string {
	t.Helper()
	return sign(t, jwt.SigningMethodHS256, testSecret, claims)
}

// ask makes a request of any route, with a token that may do everything unless claims say otherwise.
func ask(t *testing.T, method, target, body string, claims jwt.MapClaims) *http.Request {
	t.Helper()
	if claims == nil {
		claims = jwt.MapClaims{"scope": allScopes}
	}
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+tokenOf(t, claims))
	return r
}

// row is a request and what must come of it.
type row struct {
	name, method, path, body string
	claims                   jwt.MapClaims
	queue                    *fakeQueue
	status                   int
	want                     string // of a problem its code and, after a blank each, what else must be in it; else the whole body
	asked                    string // the last that the queue was asked; "" nothing
}

func runRows(t *testing.T, rows []row) {
	t.Helper()
	for _, tc := range rows {
		t.Run(tc.name, func(t *testing.T) {
			if tc.queue == nil {
				tc.queue = &fakeQueue{}
			}
			h, _ := newAPI(t, tc.queue)
			r := ask(t, tc.method, base+tc.path, tc.body, tc.claims)
			r.Header.Set("X-Request-Id", "id")
			w := do(h, r)
			if tc.status >= 400 {
				code, more, _ := strings.Cut(tc.want, " ")
				wantProblem(t, w, tc.status, code)
				for _, part := range strings.Fields(more) {
					if !strings.Contains(w.Body.String(), part) {
						t.Errorf("%s is not in %s", part, w.Body)
					}
				}
			} else if got := strings.TrimSpace(w.Body.String()); w.Code != tc.status || got != tc.want {
				t.Errorf("got  %d %s\nwant %d %s", w.Code, got, tc.status, tc.want)
			}
			last := ""
			if n := len(tc.queue.asked); n > 0 {
				last = tc.queue.asked[n-1]
			}
			if last != tc.asked {
				t.Errorf("the queue was asked %q, want %q", last, tc.asked)
			}
		})
	}
}

// bodies are a good one for each route that takes one.
var bodies = map[string]string{
	"POST " + base + "/register":                 `{}`,
	"POST " + base + "/register/bulk":            `{"jobs":[{}]}`,
	"PATCH " + base + "/jobs/{job_id}":           `{"max_retry":1}`,
	"POST " + base + "/jobs/{job_id}/reschedule": `{"delay_seconds":1}`,
	"POST " + base + "/queues/{queue}/redrive":   `{}`,
	"POST " + base + "/queues/{queue}/purge":     `{}`,
}

func bodyOf(rt route) string { return bodies[rt.method+" "+rt.template] }

func pathOf(rt route) string {
	return strings.NewReplacer("{job_id}", "job-1", "{queue}", "default", "{worker}", "host:1:ab").Replace(rt.template)
}

// guarded are the routes that ask for a token.
func guarded(t *testing.T) []route {
	t.Helper()
	var all []route
	for _, rt := range (&service{queue: &fakeQueue{}}).routes() {
		if rt.scope != "" {
			all = append(all, rt)
		}
	}
	if len(all) != 20 {
		t.Errorf("%d routes", len(all))
	}
	return all
}

// everything is a queue that has something to say to every verb.
func everything() *fakeQueue {
	return &fakeQueue{state: queue.Scheduled, due: time.UnixMilli(1), overviews: []queue.Overview{{Queue: "default"}},
		info: queue.Info{Job: queue.Job{ID: "job-1"}, State: queue.Scheduled}}
}

func TestEveryRouteWantsItsScope(t *testing.T) {
	for _, rt := range guarded(t) {
		name := rt.method + " " + rt.template
		h, _ := newAPI(t, everything())
		w := do(h, ask(t, rt.method, pathOf(rt), bodyOf(rt), jwt.MapClaims{"scope": rt.scope}))
		if w.Code >= 400 {
			t.Errorf("%s with the scope: %d %s", name, w.Code, w.Body)
		}
		none := ask(t, rt.method, pathOf(rt), bodyOf(rt), nil)
		none.Header.Del("Authorization")
		w = do(h, none)
		wantProblem(t, w, 401, "unauthorized")
		wantUnauthorized(t, name, w.Header(), w.Code)
		wantProblem(t, do(h, ask(t, rt.method, pathOf(rt), bodyOf(rt), jwt.MapClaims{"sub": strings.Repeat("x", 257)})), 401, "unauthorized")

		others := strings.TrimSpace(strings.ReplaceAll(" "+allScopes+" ", " "+rt.scope+" ", " "))
		for _, scope := range []string{others, "", rt.scope + "x", strings.ToUpper(rt.scope)} {
			q := everything()
			h, _ := newAPI(t, q)
			w := do(h, ask(t, rt.method, pathOf(rt), bodyOf(rt), jwt.MapClaims{"scope": scope}))
			p := wantProblem(t, w, 403, "insufficient-scope")
			want := `Bearer realm="punctual", error="insufficient_scope", scope="` + rt.scope + `"`
			if got := w.Header().Get("WWW-Authenticate"); got != want || !strings.Contains(p.Detail, rt.scope) || len(q.asked) > 0 {
				t.Errorf("%s: WWW-Authenticate %q, %q, asked %q", name, got, p.Detail, q.asked)
			}
		}
		switch w := do(h, ask(t, rt.method, pathOf(rt), bodyOf(rt), jwt.MapClaims{})); {
		case !rt.unscoped:
			wantProblem(t, w, 403, "insufficient-scope")
		case w.Code >= 400 && rt.method+rt.template != "GET"+base+"/jobs/{job_id}": // that job is nobody's
			t.Errorf("%s without scopes: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestEveryRouteKnowsItsQueues(t *testing.T) {
	claims := jwt.MapClaims{"scope": allScopes, "queues": []string{"low", "high"}}
	for _, rt := range guarded(t) {
		switch rt.template {
		case base + "/register/bulk", base + "/queues", base + "/workers", base + "/stats": // see their tests
			continue
		}
		q := everything()
		q.workers = []queue.WorkerState{{WorkerInfo: queue.WorkerInfo{ID: "host:1:ab"}, Queue: "default"}}
		h, _ := newAPI(t, q)
		wantProblem(t, do(h, ask(t, rt.method, pathOf(rt), bodyOf(rt), claims)), 403, "insufficient-scope")
		for _, asked := range q.asked {
			if asked != "workers" {
				t.Errorf("%s %s asked %s", rt.method, rt.template, asked)
			}
		}
	}
}

func TestEveryRouteIsStrictAboutItsQuery(t *testing.T) {
	for _, rt := range guarded(t) {
		if rt.query == nil {
			continue
		}
		q := everything()
		h, _ := newAPI(t, q)
		bad := []string{"x=1", "x", "%zz=1", "a;b", "%00=1", strings.Repeat("q", 5000)}
		for _, name := range rt.query {
			bad = append(bad, name+"=default&"+name+"=default", name+"=", name, strings.ToUpper(name)+"=a")
		}
		if len(rt.query) > 0 {
			bad = append(bad, "queue=Default", "queue=%7Bx%7D", "queue=a%0Ab", "queue="+strings.Repeat("x", 65))
		}
		for _, query := range bad {
			r := ask(t, rt.method, pathOf(rt), bodyOf(rt), nil)
			r.URL.RawQuery = query
			wantProblem(t, do(h, r), 400, "invalid-query")
		}
		if len(q.asked) > 0 {
			t.Errorf("%s %s asked %q", rt.method, rt.template, q.asked)
		}
	}
}

// Whatever is wrong with the queue is told in words that fit the verb, and without the address of Redis.
func TestEveryRouteTellsOfAQueueInTrouble(t *testing.T) {
	for _, rt := range guarded(t) {
		if strings.HasSuffix(rt.template, "/bulk") {
			continue
		}
		reads := rt.method == http.MethodGet
		for _, tc := range []struct {
			err  error
			code string
		}{
			{queue.ErrUnavailable, "redis-unavailable"}, {queue.ErrOutcomeUnknown, "outcome-unknown"}, {queue.ErrFull, "storage-full"},
			{queue.ErrLayout, "layout-too-new"}, {context.DeadlineExceeded, "outcome-unknown"}, {errors.New("new"), "internal"},
		} {
			q := everything()
			q.err = errors.Join(tc.err, errors.New(secretText))
			h, _ := newAPI(t, q)
			w := do(h, ask(t, rt.method, pathOf(rt), bodyOf(rt), nil))
			code, status := tc.code, 503
			if reads && code == "outcome-unknown" {
				code = "redis-unavailable" // a read changes nothing
			}
			if code == "internal" {
				status = 500
			}
			p := wantProblem(t, w, status, code)
			if strings.Contains(w.Body.String(), "10.1.2.3") || strings.ContainsAny(p.Detail, "{}") {
				t.Errorf("%s %s: %s", rt.method, rt.template, w.Body)
			}
			if registers := rt.template == pathRegister; !registers && strings.Contains(p.Detail, "registered") {
				t.Errorf("%s %s speaks of registering: %s", rt.method, rt.template, p.Detail)
			}
			if names := strings.Contains(rt.template, "{job_id}") || rt.template == pathRegister; code == "outcome-unknown" && names != (p.JobID != "") {
				t.Errorf("%s %s: job_id is %q", rt.method, rt.template, p.JobID)
			}
			if (w.Header().Get("Retry-After") != "") != (status == 503) {
				t.Errorf("%s %s: Retry-After is %q", rt.method, rt.template, w.Header().Get("Retry-After"))
			}
		}
	}
}

func TestEveryRouteAnswersInTime(t *testing.T) {
	hang := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	routes := guarded(t)
	synctest.Test(t, func(t *testing.T) {
		for _, rt := range routes {
			h, _ := newAPI(t, &fakeQueue{enqueue: hang})
			start := time.Now()
			w := do(h, ask(t, rt.method, pathOf(rt), bodyOf(rt), nil))
			if took := time.Since(start); took != queueTimeout {
				t.Errorf("%s %s took %s: %d", rt.method, rt.template, took, w.Code)
			}
		}
	})
}

// A client that leaves cuts off what it reads, and nothing else.
func TestOnlyReadsAreCutOff(t *testing.T) {
	for _, rt := range guarded(t) {
		var ctxErr error
		q := everything()
		q.enqueue = func(ctx context.Context) error { ctxErr = ctx.Err(); return nil }
		h, _ := newAPI(t, q)
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		do(h, ask(t, rt.method, pathOf(rt), bodyOf(rt), nil).WithContext(gone))
		if cutOff := ctxErr != nil; cutOff != (rt.method == http.MethodGet) {
			t.Errorf("%s %s: cut off: %v", rt.method, rt.template, cutOff)
		}
	}
}

func TestEveryBodyIsStrict(t *testing.T) {
	for _, rt := range guarded(t) {
		if bodyOf(rt) == "" {
			continue
		}
		for body, code := range map[string]string{``: "unsupported-media-type", ` `: "malformed-body", `[]`: "malformed-body", `{"nonsense":1}`: "unknown-field",
			`{}{}`: "malformed-body", "{\"type\":\"\xff\"}": "malformed-body", `{"`: "malformed-body"} {
			q := everything()
			h, _ := newAPI(t, q)
			status := 400
			if body == "" {
				status = 415
			}
			wantProblem(t, do(h, ask(t, rt.method, pathOf(rt), body, nil)), status, code)
			if len(q.asked) > 0 {
				t.Errorf("%s %s with %s asked %q", rt.method, rt.template, body, q.asked)
			}
		}
		h, _ := newAPI(t, everything())
		wantProblem(t, do(h, ask(t, rt.method, pathOf(rt), strings.Repeat(" ", maxBulkBody+1), nil)), 413, "body-too-large")
	}
}

// Ids are percent-encoded in paths, a slash too; what can be no id is not there.
func TestIdsInPaths(t *testing.T) {
	for _, id := range []string{"a/b", "a/run", "a?b#c", "%", "%2F", `"<>\^{}|` + "`", "+", "a.b", "...", "~", strings.Repeat("x", 128)} {
		q := everything()
		h, _ := newAPI(t, q)
		w := do(h, ask(t, "DELETE", base+"/jobs/"+url.PathEscape(id)+"?queue=low", "", nil))
		if want := "cancel low " + id; w.Code != 200 || q.asked[0] != want {
			t.Errorf("%q: %d, asked %q", id, w.Code, q.asked)
		}
	}
	for _, id := range []string{"a%20b", "%C3%A9", "a%0Ab", "%00", "%7F", "%ff", strings.Repeat("x", 129)} {
		q := everything()
		h, _ := newAPI(t, q)
		wantProblem(t, do(h, ask(t, "GET", base+"/jobs/"+id, "", nil)), 404, "no-such-job")
		wantProblem(t, do(h, ask(t, "GET", base+"/queues/"+id, "", nil)), 404, "no-such-queue")
		if len(q.asked) > 0 {
			t.Errorf("%q: asked %q", id, q.asked)
		}
	}
	h, _ := newAPI(t, everything())
	wantProblem(t, do(h, ask(t, "POST", base+"/workers/a%20b/quiet", "", nil)), 404, "no-such-worker")
	wantProblem(t, do(h, ask(t, "GET", base+"/queues/%7Bx%7D", "", nil)), 404, "no-such-queue")
}
