package ui

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/punctualq/punctual/queue"
)

// The tokens of the tests.
const (
	tokenAll     = "all"     // every scope
	tokenRead    = "read"    // jobs:read
	tokenWrite   = "write"   // and jobs:write
	tokenLimited = "limited" // every scope, for the queue low
	tokenOther   = "other"   // without jobs:read
	tokenPlain   = "plain"   // no claim scope
	tokenBusy    = "busy"    // sends too much
)

var tokens = map[string][]string{tokenAll: {scopeRead, scopeWrite, scopeAdmin, scopeWorkers}, tokenRead: {scopeRead},
	tokenWrite: {scopeRead, scopeWrite}, tokenLimited: {scopeRead, scopeWrite, scopeAdmin, scopeWorkers}, tokenOther: {scopeWrite, scopeAdmin}, tokenPlain: {}}

const tokenLife = time.Hour

func admit(_ *http.Request, token string) (Caller, error) {
	scopes, ok := tokens[token]
	switch {
	case token == tokenBusy:
		return Caller{}, ErrEarly
	case !ok:
		return Caller{}, fmt.Errorf("%w: unknown", ErrToken)
	}
	c := Caller{Subject: "ann", Expires: time.Now().Add(tokenLife),
		May:  func(scope string) bool { return slices.Contains(scopes, scope) },
		Sees: func(name string) bool { return token != tokenLimited || name == "low" }}
	return c, nil
}

// dashboard is the handler on a fake, and what it told of each request.
type dashboard struct {
	t     testing.TB
	h     http.Handler
	q     *fake
	notes []Note
}

func newDashboard(t testing.TB, q *fake, changes ...func(*Config)) *dashboard {
	t.Helper()
	d := &dashboard{t: t, q: q}
	c := Config{Queue: q, Admit: admit, Timeout: 800 * time.Millisecond, Build: "build-1", Tell: func(_ *http.Request, n Note) { d.notes = append(d.notes, n) }}
	for _, change := range changes {
		change(&c)
	}
	d.h = New(c)
	return d
}

func (d *dashboard) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	d.h.ServeHTTP(w, r)
	return w
}

func signed(r *http.Request, token string) *http.Request {
	r.AddCookie(&http.Cookie{Name: cookieName, Value: token})
	return r
}

func (d *dashboard) get(target, token string) *httptest.ResponseRecorder {
	d.t.Helper()
	return d.do(signed(httptest.NewRequest(http.MethodGet, target, nil), token))
}

func (d *dashboard) post(target, token string, form url.Values) *httptest.ResponseRecorder {
	d.t.Helper()
	return d.do(signed(postRequest(target, form), token))
}

func postRequest(target string, form url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// text is the text of a page, with single blanks.
func text(t testing.TB, page string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			words = append(words, strings.Fields(n.Data)...)
		}
	}
	return strings.Join(words, " ")
}

// noticeIn is the notice of the page that an action leads to.
func (d *dashboard) noticeIn(w *httptest.ResponseRecorder) (kind, words string) {
	d.t.Helper()
	if w.Code != http.StatusSeeOther {
		d.t.Fatalf("%d, want a redirect: %s", w.Code, text(d.t, w.Body.String()))
	}
	to, err := url.Parse(w.Header().Get("Location"))
	if err != nil {
		d.t.Fatal(err)
	}
	n := noticeOf(to.Query())
	if n == nil {
		d.t.Fatalf("no notice in %s", to)
	}
	return n.Kind(), n.Text()
}

var testNow = time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)

// busy is a queue that has something to show on every page.
func busy() *fake {
	info := queue.Info{Job: queue.Job{ID: "job-1", Queue: "default", Type: "invoice.send", Payload: []byte(`{"n":1.0}`), MaxRetry: 3, Created: testNow.Add(-time.Hour),
		Metadata: map[string]string{"customer": "acme"}, Subject: "shop"}, State: queue.Scheduled, Due: testNow.Add(time.Minute), Attempts: 1,
		Failures: []queue.Failure{{Error: "connection refused", At: testNow.Add(-time.Minute).UnixMilli(), Attempt: 1, Worker: "host:1:ab", TookMS: 1500}}}
	dead := queue.Info{Job: queue.Job{ID: "job-2", Queue: "default", Type: "invoice.send"}, State: queue.Dead, Due: testNow, Finished: testNow, Attempts: 4}
	return &fake{
		overviews: []queue.Overview{
			{Queue: "default", Now: testNow, Scheduled: 12345, Due: 12, Processing: 3, Dead: 40, Done: 5, OldestDue: testNow.Add(-90 * time.Second),
				NextDue: testNow.Add(time.Minute), Workers: 1, Counters: map[string]int64{"done": 100}},
			{Queue: "low", Now: testNow, Paused: true, Counters: map[string]int64{}}},
		workers: []queue.WorkerState{
			{WorkerInfo: queue.WorkerInfo{ID: "host:1:ab", Host: "host", PID: 1, Started: testNow.Add(-time.Hour), Concurrency: 10, Build: "aaa"}, Queue: "default", Processing: 3, Living: true, LastBeat: testNow},
			{WorkerInfo: queue.WorkerInfo{ID: "host:1:cd", Host: "host", PID: 1, Concurrency: 10, Build: "aaa"}, Queue: "low", Living: true, LastBeat: testNow},
			{WorkerInfo: queue.WorkerInfo{ID: "other:2:ef", Host: "other", PID: 2, Concurrency: 10, Build: "bbb", Stuck: 2}, Queue: "default", Living: true, LastBeat: testNow}},
		jobs: map[string]queue.Info{"job-1": info, "job-2": dead},
		list: func(l queue.Listing) queue.Page {
			if l.State == queue.Dead {
				return queue.Page{Jobs: []queue.Info{dead}}
			}
			return queue.Page{Jobs: []queue.Info{info}}
		},
		groups:  []queue.DeadGroup{{ID: "g1", Type: "invoice.send", Error: "connection refused to #", Jobs: 38, First: testNow.Add(-time.Hour), Last: testNow}},
		others:  2,
		minutes: []queue.Minute{{Start: testNow.Add(-time.Minute), Counters: map[string]int64{"done": 60, "retried": 3}, Late: make([]int64, 14)}, {Start: testNow, Counters: map[string]int64{"done": 6, "dead": 1}}},
		server: queue.ServerInfo{Product: "redis", Version: "7.0.15", Role: "master", Mode: "standalone", MemoryUsed: 95 << 20, MemoryMax: 100 << 20, Policy: "allkeys-lru",
			Slow: []queue.SlowScript{{At: testNow, Took: 15 * time.Millisecond, Script: "claim", Queue: "default", Text: "EVALSHA x"}}, Now: testNow},
		trail: []queue.Deed{{At: testNow, Who: "bob", Via: "cli", Verb: "cancel", Queue: "default", Target: "job-9", Jobs: 1}},
	}
}

// pages are the addresses of all pages of busy.
var pages = []string{"/ui", "/ui/jobs", "/ui/jobs?state=dead", "/ui/jobs?state=processing", "/ui/jobs?state=done", "/ui/jobs/job-1?queue=default", "/ui/jobs/job-2",
	"/ui/dead", "/ui/workers", "/ui/redis", "/ui/trail", "/ui/all?queue=default&state=dead&verb=redrive", "/ui/all?queue=default&state=dead&verb=purge&group=g1",
	"/ui/all?queue=default&state=scheduled&verb=reschedule&type=a", "/ui/stop?worker=host:1:ab"}
