package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/punctualq/punctual/queue"
)

func TestIdempotencyKeys(t *testing.T) {
	long := strings.Repeat("x", 128)
	for given, want := range map[string]string{
		`"8e03978e-40d5-43dd-bc93-6894a57f9324"`: "8e03978e-40d5-43dd-bc93-6894a57f9324",
		`8e03978e-40d5-43dd-bc93-6894a57f9324`:   "8e03978e-40d5-43dd-bc93-6894a57f9324",
		`"a b,;=()"`:                             "a b,;=()", `"a\"b\\c"`: `a"b\c`, `a/b+c=:~!{}`: `a/b+c=:~!{}`, long: long, `"` + long + `"`: long, `"` + strings.Repeat(`\"`, 128) + `"`: strings.Repeat(`"`, 128),
	} {
		q := &fakeQueue{}
		h, _ := newAPI(t, q)
		if w := post(t, h, `{}`, header("Idempotency-Key", given)); w.Code != http.StatusCreated || w.Header().Get("Idempotency-Replayed") != "" {
			t.Errorf("%s: %d %v %s", given, w.Code, w.Header(), w.Body)
		} else if got := q.jobs[0].Idempotency; got == nil || got.Key != want {
			t.Errorf("%s: %+v, want %s", given, got, want)
		}
	}
	for _, given := range []string{``, `""`, `"`, `"a`, `a"`, `"a"b`, `"a";p=1`, `"a", "b"`, `a,b`, `a b`, `a;b`, `a\b`, `"a\b"`, `"a\`, `"é"`, `é`, "\"a\tb\"", "a\x7f", `x` + long, `"` + long + `x"`} {
		for _, route := range []string{"", "/bulk"} {
			q := &fakeQueue{}
			h, _ := newAPI(t, q)
			w := post(t, h, `{}`, header("Idempotency-Key", given), func(r *http.Request) { r.URL.Path += route })
			wantProblem(t, w, 400, "invalid-idempotency-key")
			if len(q.asked) > 0 {
				t.Errorf("%s: asked %q", given, q.asked)
			}
		}
	}
	h, _ := newAPI(t, &fakeQueue{})
	twice := func(r *http.Request) { r.Header["Idempotency-Key"] = []string{"a", "a"} }
	wantProblem(t, post(t, h, `{}`, twice), 400, "invalid-idempotency-key")
}

func TestReplayedAnswer(t *testing.T) {
	h, _ := newAPI(t, &fakeQueue{replayed: true})
	w := post(t, h, `{}`, header("Idempotency-Key", "k"))
	if w.Code != http.StatusCreated || w.Header().Get("Idempotency-Replayed") != "true" || w.Header().Get("Location") == "" ||
		strings.TrimSpace(w.Body.String()) != `{"job_id":"`+testJobID+`","status":"registered"}` {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

// keyed registers with a key and returns what the queue was given of it.
func keyed(t *testing.T, path, body string, claims jwt.MapClaims) queue.Idempotency {
	t.Helper()
	q := &fakeQueue{}
	h, _ := newAPI(t, q)
	r := ask(t, "POST", base+path, body, claims)
	r.Header.Set("Idempotency-Key", "k")
	if w := do(h, r); w.Code >= 300 || len(q.jobs) != 1 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return *q.jobs[0].Idempotency
}

func TestScopeOfAKeyIsSubjectRouteAndQueue(t *testing.T) {
	scopes := map[string]string{}
	for name, tc := range map[string]struct {
		path, body string
		claims     jwt.MapClaims
	}{
		"me":            {"/register", `{}`, jwt.MapClaims{"sub": "me"}},
		"you":           {"/register", `{}`, jwt.MapClaims{"sub": "you"}},
		"nobody":        {"/register", `{}`, jwt.MapClaims{"sub": nil}},
		"another queue": {"/register", `{"queue":"low"}`, jwt.MapClaims{"sub": "me"}},
		"a name":        {"/register", `{}`, jwt.MapClaims{"sub": "low me"}},
		"another route": {"/register/bulk", `{"jobs":[{}]}`, jwt.MapClaims{"sub": "me"}},
	} {
		scope := keyed(t, tc.path, tc.body, tc.claims).Scope
		if other, taken := scopes[scope]; taken {
			t.Errorf("%s and %s share the scope %q", name, other, scope)
		}
		scopes[scope] = name
	}
	if a, b := keyed(t, "/register", `{}`, nil), keyed(t, "/register", `{"queue":"default"}`, nil); a.Scope != b.Scope || a.Request == b.Request {
		t.Errorf("%+v and %+v", a, b)
	}
}

// The same request is told by what it says, not by how it is spelled.
func TestRequestOfAKey(t *testing.T) {
	first := keyed(t, "/register", `{"type":"x","payload":{"a":1,"b":[1.0,null]},"delay_seconds":0}`, nil).Request
	for _, same := range []string{`{ "delay_seconds": 0, "payload": {"b":[1.0, null], "a":1}, "type": "\u0078" }`,
		`{"type":"x","payload":{"a":1,"b":[1.0,null]},"delay_seconds":0,"queue":null}`} {
		if keyed(t, "/register", same, nil).Request != first {
			t.Errorf("%s is another request", same)
		}
	}
	for _, other := range []string{`{"type":"x","payload":{"a":1,"b":[1.0]},"delay_seconds":0}`, `{"type":"x","payload":{"a":1,"b":[1.00,null]},"delay_seconds":0}`,
		`{"type":"x","payload":{"a":1,"b":[1.0,null]}}`, `{"type":"x","payload":{"a":"1","b":[1.0,null]},"delay_seconds":0}`, `{}`} {
		if keyed(t, "/register", other, nil).Request == first {
			t.Errorf("%s is the same request", other)
		}
	}
}
