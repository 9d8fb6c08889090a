package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/rs/zerolog"

	"github.com/punctualq/punctual/queue"
)

const testJobID = "0198c5a0-0000-7000-8000-000000000001"

var testSecret = []byte("a secret of the tests, 32 bytes or more")

// realQueue is a client of an embedded Redis of its own.
func realQueue(t testing.TB) (*queue.Client, *miniredis.Miniredis) {
	t.Helper()
	server := miniredis.RunT(t)
	client, err := queue.Open(context.Background(), "redis://"+server.Addr(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client, server
}

// newAPI makes the handler, and the buffer that its log goes to.
func newAPI(t testing.TB, q Queue) (http.Handler, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	h, err := New(q, Config{Secret: testSecret, Logger: zerolog.New(&log)})
	if err != nil {
		t.Fatal(err)
	}
	return checked(t, h), &log
}

func testToken(t testing.TB) string {
	t.Helper()
	token, err := NewToken(testSecret, TokenClaims{Subject: "tester"})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// request makes a registration that is right but for what the changes do to it.
func request(t testing.TB, body string, changes ...func(*http.Request)) *http.Request {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/api/dm-jobqueue/register", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+testToken(t))
	for _, change := range changes {
		change(r)
	}
	return r
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// do holds the answer to openapi.json, whoever made the handler.
func do(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	if _, ok := h.(*checkedHandler); !ok {
		h = &checkedHandler{h, theContract().stray}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func post(t testing.TB, h http.Handler, body string, changes ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	return do(h, request(t, body, changes...))
}

// wantProblem checks that the answer is a problem, whole and of this code, and returns it.
func wantProblem(t testing.TB, w *httptest.ResponseRecorder, status int, code string) problem {
	t.Helper()
	var p problem
	dec := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		t.Fatalf("status %d, body is no problem: %v\n%s", w.Code, err, w.Body)
	}
	if w.Code != status || p.Status != status || p.Code != code {
		t.Fatalf("got %d, in the body %d %s; want %d %s\n%s", w.Code, p.Status, p.Code, status, code, w.Body)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type is %q", got)
	}
	if p.Type != "about:blank" || p.Title != http.StatusText(status) || p.Detail == "" {
		t.Errorf("type %q, title %q, detail %q", p.Type, p.Title, p.Detail)
	}
	if p.RequestID == "" || p.RequestID != w.Header().Get("X-Request-Id") {
		t.Errorf("request_id is %q, the header says %q", p.RequestID, w.Header().Get("X-Request-Id"))
	}
	return p
}

// lines returns the log as one map a line.
func lines(t testing.TB, log fmt.Stringer) []map[string]any {
	t.Helper()
	var all []map[string]any
	for dec := json.NewDecoder(strings.NewReader(log.String())); dec.More(); {
		line := map[string]any{}
		if err := dec.Decode(&line); err != nil {
			t.Fatalf("the log is not JSON: %v\n%s", err, log)
		}
		all = append(all, line)
	}
	return all
}
