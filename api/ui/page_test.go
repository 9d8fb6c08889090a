package ui

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/html"

	"github.com/punctualq/punctual/queue"
)

// What pages show of busy, in the words of people.
func TestPages(t *testing.T) {
	for target, want := range map[string][]string{
		"/ui": {"Overview", "No worker lives", "12,345", "late by 1 min 30 s", "The queue low is paused.", "2 builds of workers of the queue default run side by side: aaa, bbb.",
			"2 handlers are stuck on the worker other:2:ef", "History of default", "66 done, 4 attempts failed", "job-2", "2 living workers"},
		"/ui/jobs":                        {"scheduled 12,345", "job-1", "invoice.send", "1 of 4", "in 1 min"},
		"/ui/jobs?state=dead":             {"job-2", "dead 40", "Redrive"},
		"/ui/jobs/job-1?queue=default":    {"Waits for attempt 2", "Attempt 1 failed", "connection refused", "after 1.5 s on host:1:ab", "Registered by shop", `"n": 1.0`, "acme", `redis-cli -u "$REDIS_URL" HGET 'punctual:{default}:jobs' 'job-1'`},
		"/ui/jobs/job-2":                  {"Died", "This job has no payload.", `redis-cli -u "$REDIS_URL" ZSCORE 'punctual:{default}:dead' 'job-2'`},
		"/ui/dead":                        {"40 dead jobs", "connection refused to #", "38", "1 h ago", "2 dead jobs in no group"},
		"/ui/workers":                     {"host pid 1", "other pid 2", "2 builds work on the queue default side by side: aaa , bbb", "living", "started 1 h ago"},
		"/ui/redis":                       {"redis 7.0.15", "95.0 MiB of 100 MiB (95 %)", "Almost full", "This policy drops keys", "15 ms", "claim", "This process can do its work on it."},
		"/ui/trail":                       {"bob", "cli", "cancel", "job-9"},
		"/ui/stop?worker=host:1:ab":       {"The process 1 on host shuts down in order", "the queue default, with 3 jobs in hand", "the queue low"},
		"/ui/xx":                          {"404", "No such page"},
		"/ui/jobs?queue=Not+One":          {"No such queue"},
		"/ui/jobs/none?queue=default":     {"No such job"},
		"/ui/stop?worker=none":            {"No such worker"},
		"/ui/all?queue=default&verb=edit": {"Not understood"},
	} {
		q := busy()
		if strings.HasPrefix(target, "/ui?") || target == "/ui" {
			q.workers = q.workers[1:] // nobody serves default but one that is not alive
			q.workers[1].Living = true
			q.workers[0].Queue = "default"
			q.overviews[0].Queue = "default"
			q.overviews = append(q.overviews, queue.Overview{Queue: "alone", Now: testNow, Due: 12, OldestDue: testNow.Add(-time.Minute)})
		}
		w := newDashboard(t, q).get(target, tokenAll)
		got := text(t, w.Body.String())
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("%s: %d, %q is not in %s", target, w.Code, part, got)
			}
		}
	}
}

// Every answer has the headers that keep foreign content out, whatever it is.
func TestHeadersOfEveryAnswer(t *testing.T) {
	d := newDashboard(t, busy())
	answers := map[string]*httptest.ResponseRecorder{
		"signed out": d.do(httptest.NewRequest(http.MethodGet, "/ui", nil)), "style": d.get(assets.url("app.css"), ""), "no file": d.get("/ui/static/app.css", ""),
		"redirect": d.post("/ui/queue", tokenAll, url.Values{"queue": {"default"}, "verb": {"pause"}}), "refused": d.post("/ui/queue", tokenRead, url.Values{}),
		"sign in": d.get("/ui/sign-in", ""), "not found": d.get("/ui/none", tokenAll), "bad token": d.post("/ui/sign-in", "", url.Values{"token": {"x"}}),
		"sign out": d.post("/ui/sign-out", tokenAll, nil), "a verb that no page has": d.do(signed(httptest.NewRequest(http.MethodPut, "/ui", nil), tokenAll)),
	}
	for _, page := range pages {
		answers[page] = d.get(page, tokenAll)
	}
	for name, w := range answers {
		for header, want := range map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "X-Frame-Options": "DENY", "Cache-Control": "no-store"} {
			if name == "style" && header == "Cache-Control" {
				want = "public, max-age=31536000, immutable"
			}
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
	}
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy lacks %s", part)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("the policy is %s", policy)
	}
}

// hostile is busy with everything that a stranger can write made of attacks.
func hostile() *fake {
	const evil = `"'></textarea></pre><script>alert(1)</script><img src=x onerror=alert(2)><a href="javascript:alert(3)">x</a>{{.}}` + "\u2028\x00"
	q := busy()
	info := q.jobs["job-1"]
	payload, _ := json.Marshal(map[string]string{"a": evil})
	info.ID, info.Payload, info.Subject, info.TraceParent, info.Type = `"><script>alert(1)</script>`, payload, evil, evil, evil
	info.Metadata = map[string]string{evil: evil}
	info.Unique = &queue.Unique{Key: evil, Until: queue.UntilDone}
	info.Failures = []queue.Failure{{Error: evil, Worker: evil, Attempt: 1}}
	dead := info
	dead.State, dead.Finished = queue.Dead, testNow
	running := info
	running.State, running.Worker = queue.Processing, evil
	q.jobs = map[string]queue.Info{info.ID: info, "job-2": dead, "job-3": running}
	q.list = func(queue.Listing) queue.Page { return queue.Page{Jobs: []queue.Info{info, dead, running}, Next: evil} }
	q.groups[0].Type, q.groups[0].Error, q.groups[0].ID = evil, evil, evil
	w := &q.workers[0]
	w.ID, w.Host, w.Build, w.Dir, w.Stuck = evil, evil, evil, evil, 1
	q.trail = []queue.Deed{{At: testNow, Who: evil, Via: evil, Verb: evil, Target: evil, Jobs: 2}, {Target: `"><script>alert(1)</script>`}}
	q.server.Version, q.server.Policy, q.server.Role, q.server.Mode = evil, evil, evil, evil
	q.server.Slow[0].Text, q.server.Slow[0].Script = evil, evil
	q.server.Unknown = map[string]string{evil: evil, "slowlog": evil}
	q.problems = []queue.Problem{{Code: evil, Reason: evil}}
	return q
}

func TestHostileContentsStayText(t *testing.T) {
	q := hostile()
	d := newDashboard(t, q)
	const evil = `"><script>alert(1)</script>`
	targets := append([]string{"/ui/jobs/" + url.PathEscape(evil) + "?queue=default", "/ui/jobs/job-3", "/ui/jobs?text=" + url.QueryEscape(evil) + "&type=" + url.QueryEscape(evil) + "&group=" + url.QueryEscape(evil) + "&cursor=" + url.QueryEscape(evil),
		"/ui?notice=" + url.QueryEscape(evil) + "&n=" + url.QueryEscape(evil) + "&range=" + url.QueryEscape(evil), "/ui/sign-in?next=" + url.QueryEscape("javascript:alert(1)"),
		"/ui/sign-in?next=" + url.QueryEscape("//evil.example/"), "/ui/jobs?queue=" + url.QueryEscape(evil),
		"/ui/all?queue=default&state=dead&verb=redrive&begun=1&auto=1&when=" + url.QueryEscape(evil) + "&cursor=" + url.QueryEscape(evil) + "&from=" + url.QueryEscape(evil)}, pages...)
	shown := 0
	for _, target := range targets {
		w := d.get(target, tokenAll)
		shown += strings.Count(text(t, w.Body.String()), "alert(1)")
		inert(t, target, w.Body.String())
	}
	if shown < 20 {
		t.Errorf("the attacks are shown %d times: the test looks at pages that do not have them", shown)
	}
	s := &snapshot{Overviews: q.overviews, Workers: q.workers}
	caller, _ := admit(nil, tokenAll)
	if text, err := json.Marshal(eventOf(s, caller)); err != nil || strings.ContainsAny(string(text), "\n<") {
		t.Errorf("an event could break out of its line, or be taken for HTML: %s %v", text, err)
	}
}

// inert fails if a page has anything that runs, or leads to another place than this process.
func inert(t *testing.T, target, page string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	scripts := 0
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script":
			if scripts++; n.FirstChild != nil || len(n.Attr) != 2 || n.Attr[0].Val != assets.url("app.js") {
				t.Errorf("%s: a script of its own: %v", target, n.Attr)
			}
		case "iframe", "object", "embed", "base", "style":
			t.Errorf("%s has <%s>", target, n.Data)
		}
		for _, a := range n.Attr {
			switch key := strings.ToLower(a.Key); {
			case strings.HasPrefix(key, "on"), key == "style", key == "srcdoc":
				t.Errorf("%s: <%s %s=%q>", target, n.Data, a.Key, a.Val)
			case key == "href" || key == "src" || key == "action" || key == "formaction":
				u, err := url.Parse(a.Val)
				if err != nil || u.Scheme != "" || u.Host != "" || !(strings.HasPrefix(a.Val, "/ui") || a.Val == "" || strings.HasPrefix(a.Val, "#")) {
					t.Errorf("%s: <%s %s=%q>", target, n.Data, a.Key, a.Val)
				}
			}
		}
	}
	if scripts != 1 {
		t.Errorf("%s has %d scripts", target, scripts)
	}
}

// What a page adds to the essential may be missing: the page says so.
func TestWhatIsNotToldIsSaid(t *testing.T) {
	for _, target := range []string{"/ui", "/ui/dead", "/ui/redis", "/ui/trail"} {
		q := busy()
		q.untold = true
		w := newDashboard(t, q).get(target, tokenAll)
		if got := text(t, w.Body.String()); w.Code != http.StatusOK || !strings.Contains(got, "Not told.") {
			t.Errorf("%s: %d %s", target, w.Code, got)
		}
	}
}

// A queue that does not answer costs a page its time, and then the page says what to do.
func TestSlowPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, target := range pages {
			q := busy()
			q.hold = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
			d := newDashboard(t, q)
			start := time.Now()
			w := d.get(target, tokenAll)
			if took := time.Since(start); took != d.limit() {
				t.Errorf("%s took %s", target, took)
			}
			if got := text(t, w.Body.String()); w.Code != http.StatusServiceUnavailable || !strings.Contains(got, "Load the page again") || w.Header().Get("Retry-After") == "" {
				t.Errorf("%s: %d %s", target, w.Code, got)
			}
			if n := d.notes[len(d.notes)-1]; n.Err == nil {
				t.Errorf("%s: the log is not told", target)
			}
		}
	})
}

func (d *dashboard) limit() time.Duration { return 800 * time.Millisecond }

// A token that names queues shows no trace of the others.
func TestOtherQueuesAreNotSeen(t *testing.T) {
	q := busy()
	q.list = nil
	q.server.Slow = append(q.server.Slow, queue.SlowScript{Text: "KEYS default"})
	d := newDashboard(t, q)
	for _, target := range []string{"/ui", "/ui/jobs?queue=low", "/ui/dead?queue=low", "/ui/workers", "/ui/redis?queue=low", "/ui/trail?queue=low"} {
		w := d.get(target, tokenLimited)
		if got := w.Body.String(); w.Code != http.StatusOK || strings.Contains(got, "default") || strings.Contains(got, "other:2:ef") || !strings.Contains(got, "low") {
			t.Errorf("%s: %d %s", target, w.Code, text(t, got))
		}
	}
	for _, target := range []string{"/ui?queue=default", "/ui/jobs?queue=default", "/ui/jobs/job-1?queue=default", "/ui/jobs/job-1", "/ui/dead?queue=default", "/ui/redis?queue=default",
		"/ui/trail?queue=default", "/ui/all?queue=default&state=dead&verb=redrive"} {
		if w := d.get(target, tokenLimited); w.Code != http.StatusForbidden {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
}

// A page without a queue, a job or a worker says so.
func TestEmptyPages(t *testing.T) {
	for _, target := range []string{"/ui", "/ui/jobs", "/ui/dead", "/ui/workers", "/ui/redis", "/ui/trail"} {
		w := newDashboard(t, &fake{}).get(target, tokenAll)
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", target, w.Code)
		}
		inert(t, target, w.Body.String())
	}
}

// A file's address changes with its content, and only that address answers.
func TestStaticFiles(t *testing.T) {
	d := newDashboard(t, &fake{})
	page := d.get("/ui/sign-in", "").Body.String()
	for _, name := range []string{"app.css", "app.js", "icon.svg"} {
		if w := d.get(assets.url(name), ""); w.Code != 200 || w.Body.Len() < 100 || !strings.Contains(page, assets.url(name)) {
			t.Errorf("%s: %d, %d bytes", assets.url(name), w.Code, w.Body.Len())
		}
		if w := d.get("/ui/static/"+name, tokenAll); w.Code != http.StatusNotFound {
			t.Errorf("%s without a hash: %d", name, w.Code)
		}
	}
}
