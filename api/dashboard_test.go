package api

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/zerolog"

	"github.com/punctualq/punctual/queue"
)

// withUI is the API with its dashboard, and what was observed of each request. Its answers are for people: the contract has none of them.
func withUI(t *testing.T, q Queue, u *UI, rate Rate) (h http.Handler, log *bytes.Buffer, routes *[]string) {
	t.Helper()
	log, routes = &bytes.Buffer{}, &[]string{}
	h, err := New(q, Config{Secret: testSecret, Logger: zerolog.New(log), UI: u, RateLimit: rate,
		Observe: func(route, method string, _ int, _ time.Duration) { *routes = append(*routes, method+" "+route) }})
	if err != nil {
		t.Fatal(err)
	}
	return h, log, routes
}

func visit(t *testing.T, h http.Handler, r *http.Request, claims jwt.MapClaims) *httptest.ResponseRecorder {
	t.Helper()
	if claims != nil {
		r.AddCookie(&http.Cookie{Name: "punctual_ui", Value: tokenOf(t, claims)})
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func page(target string) *http.Request { return httptest.NewRequest(http.MethodGet, target, nil) }

// The dashboard takes the tokens that the API takes, and no others.
func TestDashboardTakesTokensOfTheAPI(t *testing.T) {
	for name, tc := range map[string]struct {
		claims jwt.MapClaims
		want   int
	}{
		"none": {nil, 401}, "reader": {jwt.MapClaims{"scope": "jobs:read"}, 200}, "writer": {jwt.MapClaims{"scope": "jobs:write"}, 403}, "no scope": {jwt.MapClaims{}, 403},
		"expired": {jwt.MapClaims{"scope": allScopes, "exp": time.Now().Add(-time.Minute).Unix()}, 401}, "not yet": {jwt.MapClaims{"scope": allScopes, "nbf": time.Now().Add(time.Hour).Unix()}, 401},
		"for ever": {jwt.MapClaims{"scope": allScopes, "exp": nil}, 401}, "a long sub": {jwt.MapClaims{"scope": allScopes, "sub": strings.Repeat("x", 257)}, 401},
		"another queue": {jwt.MapClaims{"scope": allScopes, "queues": []string{"low"}}, 403},
	} {
		h, _, _ := withUI(t, everything(), &UI{}, Rate{})
		if w := visit(t, h, page("/ui/jobs?queue=default"), tc.claims); w.Code != tc.want {
			t.Errorf("%s: %d, want %d", name, w.Code, tc.want)
		}
	}
	h, _, _ := withUI(t, everything(), &UI{}, Rate{})
	r := page("/ui")
	r.AddCookie(&http.Cookie{Name: "punctual_ui", Value: sign(t, jwt.SigningMethodHS256, []byte("another secret of 32 bytes or more"), jwt.MapClaims{"scope": allScopes})})
	if w := visit(t, h, r, nil); w.Code != http.StatusUnauthorized {
		t.Errorf("a token of another secret: %d", w.Code)
	}
	bearer := page("/ui")
	bearer.Header.Set("Authorization", "Bearer "+tokenOf(t, jwt.MapClaims{"scope": allScopes}))
	if w := visit(t, h, bearer, nil); w.Code != http.StatusUnauthorized {
		t.Errorf("a header in place of the cookie: %d", w.Code)
	}
}

// The cookie is no token for the API: else any site could use it there.
func TestTheCookieIsNotForTheAPI(t *testing.T) {
	h, _, _ := withUI(t, everything(), &UI{}, Rate{})
	if w := visit(t, h, page(base+"/jobs"), jwt.MapClaims{"scope": allScopes}); w.Code != http.StatusUnauthorized {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// Log lines and metrics name routes, subjects and jobs as for any other request, and never the token.
func TestDashboardIsLogged(t *testing.T) {
	h, log, routes := withUI(t, everything(), &UI{}, Rate{})
	claims := jwt.MapClaims{"scope": allScopes, "sub": "ann"}
	for _, target := range []string{"/ui", "/ui/", "/ui/jobs/job-1?queue=default", "/ui/jobs/a%2Fb?queue=default", "/ui/static/x.css", "/ui/none/of/these", "/ui//jobs"} {
		visit(t, h, page(target), claims)
	}
	post := httptest.NewRequest(http.MethodPost, "/ui/act", strings.NewReader(url.Values{"queue": {"default"}, "id": {"job-1"}, "verb": {"run"}}.Encode()))
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if w := visit(t, h, post, claims); w.Code != http.StatusSeeOther {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	foreign := httptest.NewRequest(http.MethodPost, "/ui/act", nil)
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	visit(t, h, foreign, claims)
	want := []string{"GET /ui", "GET /ui/{$}", "GET /ui/jobs/{id}", "GET /ui/jobs/{id}", "GET /ui/static/{name}", "GET /ui/", "GET /ui/", "POST /ui/act", "POST /ui/"}
	if got := strings.Join(*routes, ", "); got != strings.Join(want, ", ") {
		t.Errorf("routes %s", got)
	}
	all := lines(t, log)
	if all[2]["subject"] != "ann" || all[2]["job_id"] != "job-1" || all[3]["job_id"] != "a/b" || all[7]["job_id"] != "job-1" {
		t.Errorf("the log has %v", all)
	}
	if strings.Contains(log.String(), "eyJ") {
		t.Error("the log holds a token")
	}
}

// RATE_LIMIT counts visits as it counts requests.
func TestDashboardIsLimited(t *testing.T) {
	q := everything()
	q.limit = func(subject string, _ float64, _ int) (time.Duration, error) { return time.Second, nil }
	h, _, _ := withUI(t, q, &UI{}, Rate{PerSecond: 1, Burst: 1})
	if w := visit(t, h, page("/ui"), jwt.MapClaims{"scope": allScopes}); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d", w.Code)
	}
}

// Without it nothing answers there, and /ui is nobody's elsewhere.
func TestDashboardCanBeLeftOut(t *testing.T) {
	h, _, _ := withUI(t, everything(), nil, Rate{})
	for _, target := range []string{"/ui", "/ui/jobs", "/ui/static/app.css"} {
		if w := visit(t, h, page(target), jwt.MapClaims{"scope": allScopes}); w.Code != http.StatusNotFound || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	h, _, _ = withUI(t, everything(), &UI{}, Rate{})
	if w := visit(t, h, page("/uix"), nil); w.Code != http.StatusNotFound {
		t.Errorf("/uix: %d", w.Code)
	}
}

// A queue that does not answer is not asked again by every page: the breaker of the API stands before it.
func TestDashboardStandsBehindTheBreakers(t *testing.T) {
	q := everything()
	q.err = queue.ErrUnavailable
	h, _, _ := withUI(t, q, &UI{}, Rate{})
	for range 3 * breakAfter {
		if w := visit(t, h, page("/ui/workers"), jwt.MapClaims{"scope": allScopes}); w.Code != http.StatusServiceUnavailable {
			t.Fatalf("%d", w.Code)
		}
	}
	if n := len(q.asked); n >= 3*breakAfter {
		t.Errorf("asked %d times", n)
	}
}
