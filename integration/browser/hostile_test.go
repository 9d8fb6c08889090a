package browser

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// hostile are texts that would do harm on a page that does not escape what it shows. Each would set window.hacked.
var hostile = []string{
	`<script>window.hacked=1</script>`,
	`</script><script>window.hacked=1</script>`,
	`</textarea></title></style><script>window.hacked=1</script>`,
	`"><img src=x onerror=window.hacked=1>`,
	`' onfocus='window.hacked=1' autofocus tabindex=0 x='`,
	`" onmouseover="window.hacked=1`,
	"javascript:window.hacked=1//",
	`<svg/onload=window.hacked=1>`,
	`<a href="javascript:window.hacked=1">click</a>`,
	`<iframe srcdoc="<script>parent.hacked=1</script>">`,
	`{{.}}{{template "frame"}}<%= 1 %>${window.hacked=1}`,
	`<!--<script>window.hacked=1</script>-->`,
	`&lt;script&gt;window.hacked=1&lt;/script&gt;`,
}

// notASCII are texts that only some fields take.
var notASCII = []string{
	"\u202e\u2066gnirts\u2069 \u200f", "a\x00b\x07\x1b[31mred\x7f\u0085\u2028\u2029c", strings.Repeat("<b>x", 1000), strings.Repeat("W", 4000), "\xff\xfe<script>window.hacked=1</script>",
}

// harmless fails the test if the page of the tab runs, or would run, what it shows.
func (b *tab) harmless(where string) {
	b.Helper()
	found := eval[[]string](b, `[
		...(window.hacked === undefined ? [] : ["a script ran"]),
		...window.breaches.map((breach) => "a breach of the policy: " + breach),
		...[...document.querySelectorAll("script")].filter((e) => !e.src.startsWith(location.origin + "/ui/static/")).map((e) => "a script: " + e.outerHTML),
		...[...document.querySelectorAll("iframe, object, embed, base, style, img:not(.brand img)")].map((e) => "an element: " + e.outerHTML),
		...[...document.querySelectorAll("*")].flatMap((e) => [...e.attributes].filter((a) => a.name.startsWith("on") || a.name === "style").map((a) => "an attribute " + a.name)),
		...[...document.querySelectorAll("a[href], form[action]")].filter((e) => !(e.href || e.action).startsWith(location.origin + "/ui") && !(e.getAttribute("href") || "").startsWith("#")).map((e) => "a way out: " + e.outerHTML),
	]`)
	if len(found) > 0 {
		b.Errorf("%s: %s", where, strings.Join(found, "\n"))
	}
}

// shows fails the test unless the page has the text as text; what cannot be seen may be left out of it.
func (b *tab) shows(where, text string) {
	b.Helper()
	if !eval[bool](b, fmt.Sprintf(`document.body.textContent.includes(%s) || [...document.querySelectorAll("input, textarea")].some((e) => e.value.includes(%[1]s))`, js(text))) {
		b.Errorf("%s does not show %q", where, text)
	}
}

// js is a text as JavaScript writes it.
func js(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // every text can be written
	}
	return string(quoted)
}

// TestHarmWouldBeSeen: the checks of these tests find what they look for.
func TestHarmWouldBeSeen(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	b := s.tab()
	b.mustOpen("/ui")
	eval[bool](b, `document.body.insertAdjacentHTML("beforeend", "<img src='data:,' onerror='window.hacked=1'>") === undefined`)
	b.friend("http://127.0.0.1:9")
	eval[any](b, `new Promise((done) => { const e = document.createElement("script"); e.src = "http://127.0.0.1:9/x.js"; e.onerror = () => done(null); document.body.append(e) })`)
	if breaches := eval[[]string](b, "window.breaches"); len(breaches) != 2 {
		t.Errorf("two breaches of the policy are told as %q", breaches)
	}
	if told := b.wrong(); len(told) != 2 {
		t.Errorf("of two breaches the console tells %q", told)
	}
	if eval[bool](b, "window.hacked === 1") {
		t.Error("the policy lets inline scripts run")
	}
	b.forgive("Content Security Policy")
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Contains(b.requests, "http://127.0.0.1:9/x.js") {
		t.Errorf("the request to another host is not among %q", b.requests)
	}
}

// TestHostileContents: whatever jobs, workers, deeds and addresses say is shown as text.
func TestHostileContents(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	all := append(slices.Clone(hostile), notASCII...)
	kinds := map[string]string{} // ids by what is hostile in the job
	for i, text := range hostile {
		// An id may have any printable ASCII characters but spaces; HTML takes a slash for one between attributes.
		id := s.add(queue.NewJob{ID: fmt.Sprintf("%d-%s", i, strings.ReplaceAll(text, " ", "/")), Delay: time.Hour, Subject: text})
		kinds[id] = text
	}
	metadata := map[string]string{}
	for i, text := range hostile {
		metadata[fmt.Sprintf("m%d", i)] = text
	}
	payload, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	rich := s.add(queue.NewJob{Delay: time.Hour, Payload: payload, Metadata: metadata})
	s.kill(name, "mail.send", all...)
	s.hostileWorker()
	for _, text := range hostile {
		if err := s.queue.Record(t.Context(), queue.Deed{Who: text, Via: "cli", Verb: "run", Queue: name, Target: text}); err != nil {
			t.Fatal(err)
		}
	}

	b := s.tab()
	b.forgive("status of 4") // some of these addresses are none
	for _, path := range []string{"/ui", "/ui/jobs", "/ui/jobs?state=dead", "/ui/dead", "/ui/workers", "/ui/redis", "/ui/trail"} {
		b.mustOpen(path)
		b.harmless(path)
	}
	b.mustOpen("/ui/jobs")
	for id := range kinds {
		b.shows("the list", id)
	}
	b.mustOpen("/ui/trail")
	for _, text := range hostile {
		b.shows("the trail", text)
	}
	b.mustOpen("/ui/dead")
	b.shows("the page of the dead", "onerror=window.hacked=")
	b.mustOpen("/ui/workers")
	for _, text := range hostile[:3] {
		b.shows("the workers", text[:15])
	}
	for id, text := range kinds {
		b.mustOpen(jobPage(id))
		b.harmless(id)
		b.shows("its page", id)
		b.shows("its page", text)
	}
	b.mustOpen(jobPage(rich))
	b.harmless("the payload and the metadata")
	for _, text := range hostile {
		b.shows("the metadata", text)
	}
	s.hostileErrors(b)
	s.hostileAddresses(b)
}

// hostileErrors opens the page of each dead job.
func (s *scene) hostileErrors(b *tab) {
	s.Helper()
	page, err := s.queue.List(s.Context(), name, queue.Listing{State: queue.Dead, Limit: 100})
	if err != nil || len(page.Jobs) != len(hostile)+len(notASCII) {
		s.Fatalf("%d dead jobs: %v", len(page.Jobs), err)
	}
	for _, job := range page.Jobs {
		b.mustOpen(jobPage(job.ID))
		b.harmless("an error")
		var text string
		if err := json.Unmarshal(job.Payload, &text); err != nil {
			s.Fatal(err)
		}
		if slices.Contains(hostile, text) {
			b.shows("the page of a dead job", text)
		}
	}
}

// hostileWorker registers a worker whose heartbeat is hostile.
func (s *scene) hostileWorker() {
	s.Helper()
	link, err := s.queue.Link(name)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = link.Close() })
	timing := queue.Timing{Interval: time.Minute, TTL: 5 * time.Minute}
	for i, text := range hostile {
		w := queue.WorkerInfo{ID: fmt.Sprintf("%s:%d:%d", text, os.Getpid(), i), Host: text, PID: i + 1, Started: time.Now(), Concurrency: 1, Build: text, Dir: text}
		if _, err := link.Heartbeat(s.Context(), w, timing, true); err != nil {
			s.Fatal(err)
		}
	}
}

// hostileAddresses opens pages by addresses that somebody else made.
func (s *scene) hostileAddresses(b *tab) {
	s.Helper()
	for _, text := range slices.Concat(hostile, notASCII[:2]) {
		q := url.QueryEscape(text)
		for _, path := range []string{"/ui/jobs?text=" + q + "&type=" + q + "&group=" + q, "/ui?queue=" + q + "&range=" + q, "/ui/jobs?state=" + q, "/ui/jobs?cursor=" + q,
			"/ui/all?queue=default&state=scheduled&verb=cancel&text=" + q + "&when=" + q, "/ui/stop?worker=" + q, "/ui/" + url.PathEscape(text),
			"/ui/jobs/" + url.PathEscape(text) + "?queue=default", "/ui?notice=" + q + "&n=" + q, "/ui/sign-in?next=" + q} {
			if status := b.open(path); status >= http.StatusInternalServerError {
				s.Errorf("%s: %d", path, status)
			}
			b.harmless(path)
		}
	}
	b.mustOpen("/ui/sign-in?next=" + url.QueryEscape("//evil.example/ui"))
	if next := eval[string](b, `document.querySelector("input[name=next]").value`); next != "/ui" {
		s.Errorf("one is sent to %s after signing in", next)
	}
}
