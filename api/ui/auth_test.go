package ui

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func cookieOf(t *testing.T, w *httptest.ResponseRecorder) *http.Cookie {
	t.Helper()
	all := w.Result().Cookies()
	if len(all) != 1 || all[0].Name != cookieName {
		t.Fatalf("cookies %v", all)
	}
	return all[0]
}

func TestSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDashboard(t, busy())
		w := d.do(httptest.NewRequest(http.MethodGet, "/ui/jobs?state=dead", nil))
		if w.Code != http.StatusUnauthorized || len(d.q.asked) > 0 || !strings.Contains(w.Body.String(), `name="next" value="/ui/jobs?state=dead"`) {
			t.Errorf("%d, asked %q: %s", w.Code, d.q.asked, w.Body)
		}
		w = d.post("/ui/sign-in", "", url.Values{"token": {" Bearer " + tokenAll + "\n"}, "next": {"/ui/jobs?state=dead"}})
		c := cookieOf(t, w)
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/ui/jobs?state=dead" {
			t.Errorf("%d to %s", w.Code, w.Header().Get("Location"))
		}
		if c.Value != tokenAll || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/ui" || c.Secure || c.MaxAge != int(tokenLife/time.Second) {
			t.Errorf("cookie %+v", c)
		}
		if w = d.get("/ui/jobs", c.Value); w.Code != http.StatusOK {
			t.Errorf("signed in: %d", w.Code)
		}
		secure := postRequest("https://jobs.example/ui/sign-in", url.Values{"token": {tokenAll}})
		behind := postRequest("http://jobs.example/ui/sign-in", url.Values{"token": {tokenAll}})
		behind.Header.Set("Origin", "https://jobs.example")
		for name, r := range map[string]*http.Request{"by https": secure, "behind a proxy that speaks https": behind} {
			if c := cookieOf(t, d.do(r)); !c.Secure {
				t.Errorf("%s the cookie is not Secure", name)
			}
		}
	})
}

func TestBadTokens(t *testing.T) {
	d := newDashboard(t, busy())
	for token, status := range map[string]int{"": 401, "nonsense": 401, tokenOther: 403, tokenPlain: 403, tokenBusy: 429, strings.Repeat("x", maxToken+1): 401} {
		w := d.post("/ui/sign-in", "", url.Values{"token": {token}})
		if w.Code != status || len(w.Result().Cookies()) > 0 {
			t.Errorf("%.20q: %d, cookies %v", token, w.Code, w.Result().Cookies())
		}
		if token != "" && strings.Contains(w.Body.String(), `"`+token+`"`) {
			t.Errorf("%.20q is shown again", token)
		}
	}
	w := d.get("/ui", "old")
	if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "Your session has ended") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if len(d.q.asked) > 0 {
		t.Errorf("asked %q", d.q.asked)
	}
}

func TestEveryPageNeedsItsScope(t *testing.T) {
	for _, token := range []string{tokenOther, tokenPlain} {
		for _, page := range append([]string{"/ui/events"}, pages...) {
			d := newDashboard(t, busy())
			w := d.get(page, token)
			if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), scopeRead) || len(d.q.asked) > 0 {
				t.Errorf("%s with %s: %d, asked %q", page, token, w.Code, d.q.asked)
			}
		}
	}
}

// A redirect after signing in stays within the dashboard.
func TestNextStaysHere(t *testing.T) {
	for next, want := range map[string]string{"/ui/dead?queue=a": "/ui/dead?queue=a", "": "/ui", "https://evil.example/ui": "/ui", "//evil.example/ui": "/ui", "/uix": "/ui",
		`/\evil.example`: "/ui", "/ui/\n\rX: y": "/ui", "javascript:alert(1)": "/ui", "/ui/jobs/a%2Fb?queue=x": "/ui/jobs/a%2Fb?queue=x", "/ui/jobs?notice=run&n=3": "/ui/jobs"} {
		w := newDashboard(t, busy()).post("/ui/sign-in", "", url.Values{"token": {tokenAll}, "next": {next}})
		if got := w.Header().Get("Location"); got != want {
			t.Errorf("next=%q leads to %q, want %q", next, got, want)
		}
	}
}

func TestSignOut(t *testing.T) {
	auto := func(c *Config) { c.AutoSignIn = func() (string, error) { return tokenAll, nil } }
	d := newDashboard(t, busy(), auto)
	c := cookieOf(t, d.post("/ui/sign-out", tokenAll, nil))
	if w := d.do(local(signed(httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080/ui", nil), c.Value))); w.Code != http.StatusUnauthorized {
		t.Errorf("after signing out: %d", w.Code)
	}
}

func local(r *http.Request) *http.Request {
	r.RemoteAddr = "127.0.0.1:4711"
	return r
}

// A browser on the same machine is signed in by itself, if it asks for a name of this machine, no proxy stands between, and nothing is
// changed by that request.
func TestAutoSignIn(t *testing.T) {
	auto := func(c *Config) { c.AutoSignIn = func() (string, error) { return tokenAll, nil } }
	for name, tc := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"here":          {func(*http.Request) {}, 200},
		"localhost":     {func(r *http.Request) { r.Host = "LOCALHOST:8080" }, 200},
		"IPv6":          {func(r *http.Request) { r.Host, r.RemoteAddr = "[::1]:8080", "[::1]:4711" }, 200},
		"an old cookie": {func(r *http.Request) { signed(r, "old") }, 200},
		"another name":  {func(r *http.Request) { r.Host = "evil.example:8080" }, 401},
		"a name like":   {func(r *http.Request) { r.Host = "127.0.0.1.evil.example:8080" }, 401},
		"another host":  {func(r *http.Request) { r.RemoteAddr = "10.0.0.7:4711" }, 401},
		"a proxy":       {func(r *http.Request) { r.Header.Set("X-Forwarded-For", "10.0.0.7") }, 401},
		"a proxy, new":  {func(r *http.Request) { r.Header.Set("Forwarded", "for=10.0.0.7") }, 401},
		"another site":  {func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 401},
		"a change":      {func(r *http.Request) { r.Method, r.URL.Path = http.MethodPost, "/ui/queue" }, 401},
	} {
		d := newDashboard(t, busy(), auto)
		r := local(httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080/ui", nil))
		tc.change(r)
		w := d.do(r)
		if w.Code != tc.want || (len(w.Result().Cookies()) == 1) != (tc.want == 200) {
			t.Errorf("%s: %d, cookies %v", name, w.Code, w.Result().Cookies())
		}
	}
	if w := newDashboard(t, busy()).do(local(httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8080/ui", nil))); w.Code != http.StatusUnauthorized {
		t.Errorf("without the setting: %d", w.Code)
	}
}
