package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/punctualq/punctual/queue"
)

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	return do(h, httptest.NewRequest(http.MethodGet, path, nil))
}

// Both processes answer the same.
func eachProbes(t *testing.T, ready func(context.Context) []queue.Problem, test func(*testing.T, http.Handler)) {
	t.Run("API", func(t *testing.T) {
		h, _ := newAPI(t, &fakeQueue{problems: ready})
		test(t, h)
	})
	t.Run("alone", func(t *testing.T) { test(t, Probes(ready)) })
}

func wantAnswer(t *testing.T, w *httptest.ResponseRecorder, status int, body string) {
	t.Helper()
	if got := strings.TrimSpace(w.Body.String()); w.Code != status || got != body {
		t.Errorf("got %d %s, want %d %s", w.Code, got, status, body)
	}
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Request-Id") == "" {
		t.Errorf("headers are %v", w.Header())
	}
}

func TestProbesWhenAllIsWell(t *testing.T) {
	ready := func(context.Context) []queue.Problem { return nil }
	eachProbes(t, ready, func(t *testing.T, h http.Handler) {
		wantAnswer(t, get(h, "/livez"), 200, `{"status":"ok"}`)
		wantAnswer(t, get(h, "/readyz"), 200, `{"status":"ready"}`)
		for _, path := range []string{"/livez", "/readyz"} {
			if w := do(h, httptest.NewRequest(http.MethodHead, path, nil)); w.Code != 200 {
				t.Errorf("HEAD %s: %d", path, w.Code)
			}
		}
	})
}

func TestProbesWhenRedisIsAway(t *testing.T) {
	ready := func(ctx context.Context) []queue.Problem {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("no deadline")
		}
		return []queue.Problem{{Code: "redis-unavailable", Reason: "dial " + secretText}, {Code: "redis-evicting", Reason: "policy is allkeys-lru"}}
	}
	eachProbes(t, ready, func(t *testing.T, h http.Handler) {
		wantAnswer(t, get(h, "/livez"), 200, `{"status":"ok"}`)
		wantAnswer(t, get(h, "/readyz"), 503, `{"status":"unready","reasons":[`+
			`{"code":"redis-unavailable","reason":"Redis does not answer, or refuses this process: its log says why"},`+
			`{"code":"redis-evicting","reason":"policy is allkeys-lru"}]}`)
		if w := do(h, httptest.NewRequest(http.MethodHead, "/readyz", nil)); w.Code != 503 {
			t.Errorf("HEAD: %d", w.Code)
		}
	})
}

func TestReadinessTellsTheLogWhy(t *testing.T) {
	h, log := newAPI(t, &fakeQueue{problems: func(context.Context) []queue.Problem {
		return []queue.Problem{{Code: "redis-unavailable", Reason: "connection refused"}}
	}})
	get(h, "/readyz")
	if line := lines(t, log)[0]; line["error"] != "redis-unavailable: connection refused" || line["level"] != "debug" || line["code"] != "unready" {
		t.Errorf("the log says %v", line)
	}
}

func TestProbesOfTheRealQueue(t *testing.T) {
	client, server := realQueue(t)
	h := Probes(client.Health)
	wantAnswer(t, get(h, "/readyz"), 200, `{"status":"ready"}`)
	server.Close()
	if w := get(h, "/readyz"); w.Code != 503 {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

func TestProbesAloneServeNothingElse(t *testing.T) {
	h := Probes(func(context.Context) []queue.Problem { return nil })
	w := httptest.NewRecorder() // and not do: openapi.json is of the API process
	h.ServeHTTP(w, request(t, `{}`))
	wantProblem(t, w, 404, "not-found")
}

// TestReadinessEndsFirst: a process that shuts down is not ready, whatever Redis says, and answers all the same.
func TestReadinessEndsFirst(t *testing.T) {
	closing := make(chan struct{})
	h, err := New(&fakeQueue{}, Config{Secret: testSecret, Closing: closing})
	if err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, get(h, "/readyz"), 200, `{"status":"ready"}`)
	close(closing)
	wantAnswer(t, get(h, "/readyz"), 503, `{"status":"unready","reasons":[{"code":"shutting-down","reason":"this process shuts down: send new requests to another"}]}`)
	wantAnswer(t, get(h, "/livez"), 200, `{"status":"ok"}`)
	if w := post(t, h, `{}`); w.Code != 201 {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}
