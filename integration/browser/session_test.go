package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/queue"
)

// signIn fills in the form, and tells the status of the answer.
func (b *tab) signIn(token string) int {
	b.Helper()
	b.fill("textarea[name=token]", token)
	return b.follow("button.main")
}

// cookies are those of the dashboard.
func (b *tab) cookies() []*network.Cookie {
	b.Helper()
	return call(b, network.GetCookies, network.GetCookiesParams{URLs: []string{b.site + "/ui"}}).Cookies
}

// post sends a form from the page, as a script of the page's own origin would, and tells the status.
func (b *tab) post(path, form string) int {
	b.Helper()
	b.forgive(b.site + path) // a refusal is told of in the console
	return eval[int](b, fmt.Sprintf(`fetch(%q, {method: "POST", redirect: "manual", body: new URLSearchParams(%q)}).then((r) => r.status)`, path, form))
}

// TestSignIn: with a good token and with nothing else.
func TestSignIn(t *testing.T) {
	t.Parallel()
	s := newScene(t, "APP_ENV=production")
	s.add(queue.NewJob{Delay: time.Hour})
	b := s.tab()
	b.forgive("status of 401")
	b.forgive("status of 403")
	if status := b.open("/ui/jobs?state=dead"); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d, want 401", status)
	}
	wrong := token(t, api.TokenClaims{Subject: "eve"})
	if status := b.signIn(wrong[:len(wrong)-4] + "AAAA"); status != http.StatusUnauthorized {
		t.Errorf("with a wrong token: %d, want 401", status)
	}
	b.says("[role=alert]", "not good")
	if status := b.signIn(token(t, api.TokenClaims{Subject: "bob", Scopes: []string{"jobs:write"}})); status != http.StatusForbidden {
		t.Errorf("without jobs:read: %d, want 403", status)
	}
	b.says("[role=alert]", "lacks the scope jobs:read")
	if kept := b.cookies(); len(kept) > 0 {
		t.Errorf("the browser keeps %+v", kept)
	}
	good := token(t, api.TokenClaims{Subject: "alice", Scopes: []string{"jobs:read"}})
	if status := b.signIn(good); status != http.StatusOK {
		t.Errorf("with a good token: %d", status)
	}
	b.says(".subject", "alice")
	if at := b.path(); at != "/ui/jobs?state=dead" {
		t.Errorf("it leads to %s, not to where one wanted to go", at)
	}
	kept := b.cookies()
	if len(kept) != 1 || !kept[0].HTTPOnly || kept[0].SameSite != network.CookieSameSiteStrict || kept[0].Path != "/ui" || kept[0].Value != good {
		t.Errorf("the browser keeps %+v", kept)
	}
	if seen := eval[string](b, "document.cookie"); seen != "" {
		t.Errorf("scripts see the cookie: %q", seen)
	}
	b.follow("form[action='/ui/sign-out'] button")
	b.says("h1", "Sign in")
	if status := b.open("/ui"); status != http.StatusUnauthorized {
		t.Errorf("after signing out: %d, want 401", status)
	}
}

// TestTokenOfOneQueue: it sees that queue, and no trace of the others.
func TestTokenOfOneQueue(t *testing.T) {
	t.Parallel()
	s := newScene(t, "APP_ENV=production")
	s.add(queue.NewJob{Queue: "seen", Delay: time.Hour})
	hidden := s.add(queue.NewJob{Queue: "secluded", Delay: time.Hour})
	s.worker("secluded")
	b := s.tab()
	b.forgive("status of 401")
	b.forgive("status of 403")
	b.open("/ui")
	b.signIn(token(t, api.TokenClaims{Subject: "carol", Queues: []string{"seen"}, Scopes: []string{"jobs:read", "jobs:write"}}))
	b.says("tbody", "seen")
	for _, path := range []string{"/ui", "/ui/jobs", "/ui/dead", "/ui/workers", "/ui/redis", "/ui/trail"} {
		b.mustOpen(path)
		if html := eval[string](b, "document.documentElement.outerHTML"); strings.Contains(html, "secluded") {
			t.Errorf("%s tells of the other queue", path)
		}
		if b.has("main button[value=pause], main button[value=quiet]") {
			t.Errorf("%s offers what the token does not allow", path)
		}
	}
	for _, path := range []string{"/ui/jobs?queue=secluded", "/ui/jobs/" + hidden + "?queue=secluded", "/ui/dead?queue=secluded", "/ui/trail?queue=secluded",
		"/ui/redis?queue=secluded", "/ui?queue=secluded", "/ui/all?queue=secluded&state=scheduled&verb=cancel"} {
		if status := b.open(path); status != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", path, status)
		}
	}
	b.mustOpen("/ui")
	if status := b.post("/ui/act", "queue=secluded&verb=cancel&id="+hidden); status != http.StatusForbidden {
		t.Errorf("to cancel a job of the other queue: %d, want 403", status)
	}
	if status := b.post("/ui/queue", "queue=seen&verb=pause"); status != http.StatusForbidden {
		t.Errorf("to pause a queue without jobs:admin: %d, want 403", status)
	}
	if state := s.job("secluded", hidden).State; state != queue.Scheduled {
		t.Errorf("the job of the other queue is %s", state)
	}
}

// TestAutomaticSignIn: in develop, for a browser on this machine, until one signs out.
func TestAutomaticSignIn(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	b := s.tab()
	b.mustOpen("/ui")
	b.says(".subject", "dev")
	if kept := b.cookies(); len(kept) != 1 || !kept[0].HTTPOnly || kept[0].SameSite != network.CookieSameSiteStrict {
		t.Errorf("the browser keeps %+v", kept)
	}
	b.follow("form[action='/ui/sign-out'] button")
	b.forgive("status of 401")
	if status := b.open("/ui"); status != http.StatusUnauthorized {
		t.Errorf("after signing out it is signed in again: %d", status)
	}
	for header, value := range map[string]string{"Host": "jobs.example.com", "X-Forwarded-For": "203.0.113.9"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.site()+"/ui", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(header, value)
		if header == "Host" {
			req.Host = value
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized || len(res.Cookies()) > 0 {
			t.Errorf("with %s: %s it is signed in: %d", header, value, res.StatusCode)
		}
	}
}

// TestReadOnly: UI_READ_ONLY offers nothing that changes something, and refuses it.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	s := newScene(t, "UI_READ_ONLY=true")
	s.kill(name, "mail.send", "mailbox full")
	id := s.add(queue.NewJob{Delay: time.Hour})
	s.worker(name)
	b := s.tab()
	for _, path := range []string{"/ui", "/ui/jobs", "/ui/jobs?state=dead", jobPage(id), "/ui/dead", "/ui/workers"} {
		b.mustOpen(path)
		b.says(".who", "read only")
		if b.has("main form[method=post] button, a[href*='verb='], form[action='/ui/all']") {
			t.Errorf("%s offers to change something", path)
		}
	}
	worker := s.workers()[0].ID
	for path, form := range map[string]string{"/ui/act": "queue=default&verb=cancel&id=" + id, "/ui/edit": "queue=default&payload=1&max_retry=1&metadata={}&id=" + id,
		"/ui/queue": "queue=default&verb=pause", "/ui/worker": "verb=stop&worker=" + worker, "/ui/all": "queue=default&state=scheduled&verb=cancel"} {
		if status := b.post(path, form); status != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", path, status)
		}
	}
	if o := s.overview(name); o.Scheduled != 1 || o.Paused || o.Dead != 1 || len(s.deeds(name)) > 0 {
		t.Errorf("something was changed: %+v", o)
	}
}

// TestOtherOriginsAreRefused: a page of another port is of the same site, so the cookie comes along; a page without an address has
// none. Neither may change anything.
func TestOtherOriginsAreRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id := s.add(queue.NewJob{Delay: time.Hour})
	b := s.tab()
	b.mustOpen("/ui") // signed in from now on
	form := fmt.Sprintf(`<form method="post" action="%s/ui/act"><input name="queue" value="default"><input name="verb" value="cancel"><input name="id" value="%s"><button>Win</button></form>`,
		s.site(), id)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<link rel="icon" href="data:,">`, form)
	}))
	defer other.Close()
	b.friend(other.URL)
	b.forgive("status of 403")
	b.forgive("403 (Forbidden)")
	b.forgive("blocked by CORS")
	b.forgive("net::ERR_FAILED")
	for _, from := range []string{other.URL + "/", "data:text/html," + strings.NewReplacer("%", "%25", "#", "%23").Replace(form)} {
		b.do("open "+from, chromedp.Navigate(from))
		if status := b.follow("button"); status != http.StatusForbidden {
			t.Errorf("from %.30s: %d, want 403", from, status)
		}
		b.says("main", "Another site sent this request")
		b.do("open "+from, chromedp.Navigate(from))
		eval[any](b, fmt.Sprintf(`fetch(%q, {method: "POST", mode: "no-cors", credentials: "include", body: new URLSearchParams("queue=default&verb=cancel&id=%s")}).then(() => 0, () => 0)`,
			s.site()+"/ui/act", id))
		if state := s.job(name, id).State; state != queue.Scheduled {
			t.Errorf("from %.30s: the job is %s", from, state)
		}
	}
	if !strings.Contains(s.server.out.String(), `"status":403`) {
		t.Error("no request was refused")
	}
	b.mustOpen(jobPage(id)) // and the same form of the dashboard's own works
	if status := b.post("/ui/act", "queue=default&verb=cancel&id="+id); status != 0 || !s.gone(name, id) {
		t.Errorf("from the dashboard itself: %d", status)
	}
}
