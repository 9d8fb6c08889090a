package ui

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// action is a form that a page sends, the verb of the queue that it must lead to, and the deed that is kept of it.
type action struct {
	name, target, form string
	asked              string // "" nothing may be changed
	deed               queue.Deed
	kind, notice       string // of the page that it leads to
	scope              string // that it needs
}

const editForm = "queue=default&id=job-1&max_retry=3&metadata=%7B%22customer%22%3A%22acme%22%7D&payload="

var actions = []action{
	{"run", "/ui/act", "queue=default&id=job-1&verb=run", "reschedule default job-1 {At:0001-01-01 00:00:00 +0000 UTC In:0s}",
		queue.Deed{Verb: "run", Queue: "default", Target: "job-1", Jobs: 1}, "ok", "The job is due now.", scopeWrite},
	{"reschedule in", "/ui/act", "queue=default&id=job-1&verb=reschedule&when=1d+2h", "reschedule default job-1 {At:0001-01-01 00:00:00 +0000 UTC In:26h0m0s}",
		queue.Deed{Verb: "reschedule", Queue: "default", Target: "job-1", Jobs: 1}, "ok", "The job has its new due time.", scopeWrite},
	{"reschedule at", "/ui/act", "queue=default&id=job-1&verb=reschedule&when=2027-02-01T00:00:00Z", "reschedule default job-1 {At:2027-02-01 00:00:00 +0000 UTC In:0s}",
		queue.Deed{Verb: "reschedule", Queue: "default", Target: "job-1", Jobs: 1}, "ok", "The job has its new due time.", scopeWrite},
	{"cancel", "/ui/act", "queue=low&id=a%2Fb&verb=cancel", "cancel low a/b", queue.Deed{Verb: "cancel", Queue: "low", Target: "a/b", Jobs: 1}, "ok", "The job was cancelled.", scopeWrite},
	{"redrive", "/ui/act", "queue=default&id=job-2&verb=redrive", "redrive default job-2", queue.Deed{Verb: "redrive", Queue: "default", Target: "job-2", Jobs: 1},
		"ok", "The job is scheduled again, due now.", scopeWrite},
	{"purge", "/ui/act", "queue=default&id=job-2&verb=purge", "purge default job-2", queue.Deed{Verb: "purge", Queue: "default", Target: "job-2", Jobs: 1},
		"ok", "The job was dropped for good.", scopeWrite},
	{"edit", "/ui/edit", editForm + "%7B%22n%22%3A2%7D", `edit default job-1 {"n":2}`, queue.Deed{Verb: "edit", Queue: "default", Target: "job-1", Jobs: 1}, "ok", "The job was changed.", scopeWrite},
	{"pause", "/ui/queue", "queue=default&verb=pause", "pause default", queue.Deed{Verb: "pause", Queue: "default"}, "ok", "The queue is paused", scopeAdmin},
	{"resume", "/ui/queue", "queue=low&verb=resume", "resume low", queue.Deed{Verb: "resume", Queue: "low"}, "ok", "The queue is resumed.", scopeAdmin},
	{"redrive a group", "/ui/all", "queue=default&state=dead&verb=redrive&group=g1", "redrive-all default {State:dead Type: MinAge:0s Subject: Group:g1 Limit:100000 Cursor:}",
		queue.Deed{Verb: "redrive", Queue: "default", Target: "all dead, group g1", Jobs: 7}, "ok", "7 jobs are scheduled again", scopeAdmin},
	{"purge a type", "/ui/all", "queue=default&state=done&verb=purge&type=a.b", "purge-all default {State:done Type:a.b MinAge:0s Subject: Group: Limit:100000 Cursor:}",
		queue.Deed{Verb: "purge", Queue: "default", Target: "all done, type a.b", Jobs: 7}, "ok", "7 jobs were dropped for good.", scopeAdmin},
	{"cancel all that wait", "/ui/all", "queue=default&state=scheduled&verb=cancel", "purge-all default {State:scheduled Type: MinAge:0s Subject: Group: Limit:100000 Cursor:}",
		queue.Deed{Verb: "cancel", Queue: "default", Target: "all scheduled", Jobs: 7}, "ok", "7 jobs were cancelled.", scopeAdmin},
	{"quiet", "/ui/worker", "worker=host:1:cd&verb=quiet", "quiet host:1:cd", queue.Deed{Verb: "quiet", Queue: "low", Target: "host:1:cd"}, "ok", "told to claim nothing more", scopeWorkers},
	{"stop", "/ui/worker", "worker=host:1:ab&verb=stop", "stop host:1:ab", queue.Deed{Verb: "stop", Queue: "default", Target: "host:1:ab"}, "ok", "told to shut down", scopeWorkers},
}

func parseForm(t *testing.T, form string) url.Values {
	t.Helper()
	values, err := url.ParseQuery(form)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func TestEachActionCallsItsVerbAndIsKept(t *testing.T) {
	for _, a := range actions {
		q := busy()
		q.moved = queue.Moved{Jobs: 7}
		d := newDashboard(t, q)
		kind, words := d.noticeIn(d.post(a.target, tokenAll, parseForm(t, a.form)))
		if got := q.changes(); !slices.Equal(got, []string{a.asked}) {
			t.Errorf("%s asked %q, want %q", a.name, got, a.asked)
		}
		a.deed.Who, a.deed.Via = "ann", "ui"
		if len(q.deeds) != 1 || q.deeds[0] != a.deed {
			t.Errorf("%s: the trail has %+v, want %+v", a.name, q.deeds, a.deed)
		}
		if kind != a.kind || !strings.Contains(words, a.notice) {
			t.Errorf("%s: %s %q, want %s %q", a.name, kind, words, a.kind, a.notice)
		}
	}
}

// What is refused changes nothing: by scope, by UI_READ_ONLY, from another site, without a session, for a queue that is not allowed.
func TestRefusedActions(t *testing.T) {
	fits := map[string]string{scopeWrite: tokenWrite, scopeAdmin: tokenAll, scopeWorkers: tokenAll}
	for _, a := range actions {
		form := parseForm(t, a.form)
		for name, tc := range map[string]struct {
			status int
			token  string
			change func(*http.Request)
			config func(*Config)
		}{
			"read scope alone": {403, tokenRead, nil, nil},
			"read only":        {403, tokenAll, nil, func(c *Config) { c.ReadOnly = true }},
			"another site":     {403, tokenAll, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, nil},
			"a sister site":    {403, tokenAll, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }, nil},
			"another origin": {403, tokenAll, func(r *http.Request) {
				r.Header.Del("Sec-Fetch-Site")
				r.Header.Set("Origin", "https://evil.example")
			}, nil},
			"no session":    {401, "nonsense", nil, nil},
			"its own scope": {303, fits[a.scope], nil, nil},
		} {
			q := busy()
			changes := []func(*Config){}
			if tc.config != nil {
				changes = append(changes, tc.config)
			}
			d := newDashboard(t, q, changes...)
			r := signed(postRequest(a.target, form), tc.token)
			if tc.change != nil {
				tc.change(r)
			}
			w := d.do(r)
			if w.Code != tc.status {
				t.Errorf("%s, %s: %d %s", a.name, name, w.Code, text(t, w.Body.String()))
			}
			if tc.status >= 400 && (len(q.changes()) > 0 || len(q.deeds) > 0) {
				t.Errorf("%s, %s: asked %q, kept %+v", a.name, name, q.changes(), q.deeds)
			}
		}
		if strings.Contains(a.form, "default") || a.name == "stop" {
			q := busy()
			if w := newDashboard(t, q).post(a.target, tokenLimited, form); w.Code != http.StatusForbidden || len(q.changes()) > 0 {
				t.Errorf("%s in a queue that the token does not name: %d, asked %q", a.name, w.Code, q.changes())
			}
		}
	}
	q := busy()
	if w := newDashboard(t, q).post("/ui/worker", tokenLimited, url.Values{"worker": {"host:1:cd"}, "verb": {"stop"}}); w.Code != http.StatusForbidden || len(q.changes()) > 0 {
		t.Errorf("a worker of one queue that the token names is stopped with its other queues: %d %q", w.Code, q.changes())
	}
	q = busy()
	if w := newDashboard(t, q).post("/ui/act", tokenWrite, parseForm(t, "queue=default&verb=cancel&id=x")); w.Code != http.StatusSeeOther {
		t.Errorf("jobs:write alone may not cancel one job: %d", w.Code)
	}
}

// Where nothing may be changed no page offers to.
func TestReadOnlyPagesOfferNothing(t *testing.T) {
	readOnly := func(c *Config) { c.ReadOnly = true }
	for _, page := range pages {
		with, without := newDashboard(t, busy()).get(page, tokenAll).Body.String(), newDashboard(t, busy(), readOnly).get(page, tokenAll).Body.String()
		reader := newDashboard(t, busy()).get(page, tokenRead).Body.String()
		for name, got := range map[string]string{"read only": without, "a reader": reader} {
			forms := strings.Count(got, `method="post"`)
			if page != "/ui/stop?worker=host:1:ab" && (forms != 1 || !strings.Contains(got, `action="/ui/sign-out"`)) {
				t.Errorf("%s, %s: %d forms that send", page, name, forms)
			}
		}
		if page == "/ui/jobs" && strings.Count(with, `method="post"`) < 2 {
			t.Errorf("%s offers nothing to who may", page)
		}
	}
}

// Errors of the queue become notices, and only what is not a refusal is told to the log.
func TestActionsThatFail(t *testing.T) {
	for _, tc := range []struct {
		err    error
		kind   string
		notice string
		logged bool
	}{
		{queue.ErrNotFound, "bad", "No job has that id any more", false},
		{&queue.StateError{State: queue.Done}, "bad", "The job is done now", false},
		{queue.ErrUnavailable, "bad", "Redis does not answer", true},
		{queue.ErrOutcomeUnknown, "bad", "it may have been done, or not", true},
		{queue.ErrFull, "bad", "out of memory", true},
		{errors.New("new"), "bad", "the server's log says more", true},
	} {
		for _, form := range []string{"queue=default&id=job-1&verb=run", "queue=default&id=job-1&verb=cancel", "queue=default&id=job-1&verb=redrive"} {
			q := busy()
			q.err = tc.err
			d := newDashboard(t, q)
			kind, words := d.noticeIn(d.post("/ui/act", tokenAll, parseForm(t, form)))
			if kind != tc.kind || !strings.Contains(words, tc.notice) || len(q.deeds) > 0 || (d.notes[0].Err != nil) != tc.logged {
				t.Errorf("%v: %s %q, kept %+v, log %v", tc.err, kind, words, q.deeds, d.notes[0].Err)
			}
		}
	}
	q := busy()
	q.record = errors.New("full")
	d := newDashboard(t, q)
	if kind, _ := d.noticeIn(d.post("/ui/queue", tokenAll, parseForm(t, "queue=default&verb=pause"))); kind != "ok" || d.notes[0].Err == nil {
		t.Errorf("a trail that cannot be kept: %s, log %v", kind, d.notes[0].Err)
	}
}

// Of several selected jobs each is done to; those in another state are counted apart.
func TestSelectedJobs(t *testing.T) {
	q := busy()
	q.state = queue.Processing
	d := newDashboard(t, q)
	form := url.Values{"queue": {"default"}, "verb": {"cancel"}, "id": {"a", "b", "c"}, "back": {"/ui/jobs?queue=default&state=processing&cursor=x"}}
	w := d.post("/ui/act", tokenAll, form)
	if page := text(t, w.Body.String()); w.Code != http.StatusOK || len(q.changes()) > 0 || !strings.Contains(page, "Cancel 3 jobs?") {
		t.Errorf("without a question: %d, asked %q: %s", w.Code, q.changes(), page)
	}
	form.Set("sure", "1")
	w = d.post("/ui/act", tokenAll, form)
	if _, words := d.noticeIn(w); words != "3 jobs were cancelled; those that run are told to end." || !strings.Contains(w.Header().Get("Location"), "cursor=x") {
		t.Errorf("%q, to %s", words, w.Header().Get("Location"))
	}
	if got := q.changes(); len(got) != 3 || len(q.deeds) != 1 || q.deeds[0].Jobs != 3 || q.deeds[0].Target != "3 selected: a b c" || d.notes[1].Jobs != 3 {
		t.Errorf("asked %q, kept %+v, told %+v", got, q.deeds, d.notes)
	}
	q.fails = func(string) error { return queue.ErrNotFound }
	if kind, words := d.noticeIn(d.post("/ui/act", tokenAll, form)); kind != "warn" || !strings.Contains(words, "3 others were not") {
		t.Errorf("%s %q", kind, words)
	}
	form.Del("id")
	if kind, words := d.noticeIn(d.post("/ui/act", tokenAll, form)); kind != "warn" || !strings.Contains(words, "Nothing was selected") {
		t.Errorf("%s %q", kind, words)
	}
}

func TestFormsThatAreRefused(t *testing.T) {
	for form, want := range map[string]string{"queue=default&id=job-1&verb=reschedule&when=soon": "no-time", "queue=default&id=job-1&verb=reschedule&when=": "no-time",
		"queue=default&id=job-1&verb=reschedule&when=-5m": "no-time", "queue=default&id=job-1&verb=reschedule&when=90000h": "far", "queue=default&id=job-1&verb=reschedule&when=2999-01-01T00:00:00Z": "far"} {
		q := busy()
		w := newDashboard(t, q).post("/ui/act", tokenAll, parseForm(t, form))
		if got := w.Header().Get("Location"); !strings.Contains(got, "notice="+want) || len(q.changes()) > 0 {
			t.Errorf("%s: %s, asked %q", form, got, q.changes())
		}
	}
	for form, want := range map[string]string{editForm + "%7B": "bad-json", "queue=default&id=job-1&max_retry=-1&payload=1&metadata=": "bad-retry", "queue=default&id=job-1&max_retry=1001&payload=1": "bad-retry",
		"queue=default&id=job-1&max_retry=1&payload=1&metadata=%5B%5D": "bad-meta", "queue=default&id=job-1&max_retry=1&payload=1&metadata=%7B%22a+b%22%3A%22c%22%7D": "bad-meta",
		editForm + "%7B%22n%22%3A1.0%7D": "edit-same", editForm + "2&was=0123456789abcdef": "edit-moved"} {
		q := busy()
		w := newDashboard(t, q).post("/ui/edit", tokenAll, parseForm(t, form))
		if got := w.Header().Get("Location"); !strings.Contains(got, "notice="+want) || len(q.changes()) > 0 {
			t.Errorf("%s: %s, asked %q", form, got, q.changes())
		}
	}
	for _, form := range []string{"queue=default&id=job-1&verb=explode", "queue=default&id=job-1", "queue=default&id=a+b&verb=run", "queue=%7B&id=a&verb=run"} {
		q := busy()
		if w := newDashboard(t, q).post("/ui/act", tokenAll, parseForm(t, form)); w.Code < 400 || len(q.changes()) > 0 {
			t.Errorf("%s: %d, asked %q", form, w.Code, q.changes())
		}
	}
	big := signed(httptest.NewRequest(http.MethodPost, "/ui/act", strings.NewReader("queue=default&verb=run&id="+strings.Repeat("x", maxForm))), tokenAll)
	big.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if w := newDashboard(t, busy()).do(big); w.Code != http.StatusBadRequest {
		t.Errorf("a form that is too big: %d", w.Code)
	}
}

// The form of a job takes away what is emptied, and sends only what is new.
func TestEdit(t *testing.T) {
	for form, want := range map[string]string{
		"queue=default&id=job-1&max_retry=3&metadata=%7B%22customer%22%3A%22acme%22%7D&payload=": "edit default job-1 null",
		"queue=default&id=job-1&max_retry=0&metadata=&payload=%7B%22n%22%3A1.0%7D":               "edit default job-1  0 map[]",
	} {
		q := busy()
		newDashboard(t, q).post("/ui/edit", tokenAll, parseForm(t, form))
		if got := q.changes(); !slices.Equal(got, []string{want}) {
			t.Errorf("%s asked %q, want %q", form, got, want)
		}
	}
}

func TestReadWhen(t *testing.T) {
	for text, want := range map[string]queue.When{"0": {}, "90s": {In: 90 * time.Second}, "1h30m": {In: 90 * time.Minute}, "3d": {In: 72 * time.Hour}, "1d 12h": {In: 36 * time.Hour},
		"2027-01-31T12:00:00+01:00": {At: time.Date(2027, 1, 31, 11, 0, 0, 0, time.UTC)}, "2027-01-31T12:00": {At: testNow}, "2027-01-31 12:00": {At: testNow}} {
		if got, ok := readWhen(text); !ok || got.In != want.In || !got.At.Equal(want.At) {
			t.Errorf("%q is %+v %v, want %+v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "soon", "5", "-1d", "1d-2h", "1dx", "9999999d", "12:00"} {
		if got, ok := readWhen(text); ok {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
}
