package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/rs/zerolog"

	"github.com/punctualq/punctual/queue"
)

func (q *fakeQueue) Limit(_ context.Context, subject string, rate float64, burst int) (time.Duration, error) {
	if q.limit == nil {
		return 0, errors.New("not asked for")
	}
	return q.limit(subject, rate, burst)
}

func limitedAPI(t *testing.T, q Queue, r Rate) http.Handler {
	t.Helper()
	h, err := New(q, Config{Secret: testSecret, RateLimit: r, Logger: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func as(t *testing.T, subject string) func(*http.Request) {
	t.Helper()
	token, err := NewToken(testSecret, TokenClaims{Subject: subject})
	if err != nil {
		t.Fatal(err)
	}
	return header("Authorization", "Bearer "+token)
}

func TestRateLimitInRedis(t *testing.T) {
	q := &fakeQueue{}
	var asked []string
	wait := time.Duration(0)
	q.limit = func(subject string, rate float64, burst int) (time.Duration, error) {
		asked = append(asked, fmt.Sprint(subject, " ", rate, " ", burst))
		return wait, nil
	}
	h := limitedAPI(t, q, Rate{PerSecond: 0.5, Burst: 7})
	if w := post(t, h, `{}`, as(t, "a")); w.Code != 201 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	for after, want := range map[time.Duration]string{time.Nanosecond: "1", time.Second: "1", 1500 * time.Millisecond: "2", time.Minute: "60"} {
		wait = after
		w := post(t, h, `{}`, as(t, "a"))
		wantProblem(t, w, 429, "rate-limited")
		if got := w.Header().Get("Retry-After"); got != want {
			t.Errorf("to wait %s: Retry-After is %q, want %s", after, got, want)
		}
	}
	if len(q.jobs) != 1 || len(asked) != 5 || asked[4] != "a 0.5 7" {
		t.Errorf("%d jobs, asked for %q", len(q.jobs), asked)
	}
	if w := post(t, h, `{}`, header("Authorization", "Bearer x")); w.Code != 401 || len(asked) != 5 {
		t.Errorf("status %d; who has no token is counted: %q", w.Code, asked)
	}
}

// While Redis is away each process counts for itself, each subject alone.
func TestRateLimitWithoutRedis(t *testing.T) {
	q := &fakeQueue{}
	q.limit = func(string, float64, int) (time.Duration, error) { return 0, queue.ErrUnavailable }
	h := limitedAPI(t, q, Rate{PerSecond: 1.0 / 3600, Burst: 2})
	for _, subject := range []string{"a", "b"} {
		for i, want := range []int{201, 201, 429, 429} {
			w := post(t, h, `{}`, as(t, subject))
			if w.Code != want {
				t.Errorf("request %d of %s: %d, want %d", i, subject, w.Code, want)
			}
			if seconds, _ := strconv.Atoi(w.Header().Get("Retry-After")); want == 429 && (seconds < 3500 || seconds > 3600) {
				t.Errorf("Retry-After is %d, want nearly an hour: a refused request must not count", seconds)
			}
		}
	}
}

func TestNoRateLimitAsksNothing(t *testing.T) {
	q := &fakeQueue{}
	q.limit = func(string, float64, int) (time.Duration, error) { return 0, errors.New("asked") }
	h := limitedAPI(t, q, Rate{})
	for range 100 {
		if w := post(t, h, `{}`); w.Code != 201 {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
	}
}

func TestLocalLimitsAreBounded(t *testing.T) {
	l := newLimiter(&fakeQueue{}, Rate{PerSecond: 1.0 / 3600, Burst: 1})
	l.local("known")
	for i := range 3 * maxSubjects {
		if l.local(strconv.Itoa(i)); i%1000 == 0 && l.local("known") == 0 {
			t.Fatalf("after %d others a subject that keeps coming is forgotten", i)
		}
	}
	if n := len(l.fresh) + len(l.stale); n > 2*maxSubjects {
		t.Errorf("%d subjects are kept", n)
	}
}

func TestMaxDelay(t *testing.T) {
	q := &fakeQueue{}
	h, err := New(q, Config{Secret: testSecret, MaxDelay: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	for _, body := range []string{`{}`, `{"delay_seconds":3600}`, `{"run_at":"` + at(59*time.Minute) + `"}`, `{"run_at":"` + at(-time.Hour) + `"}`} {
		if w := post(t, h, body); w.Code != 201 {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	for field, value := range map[string]string{"delay_seconds": "3601", "run_at": `"` + at(61*time.Minute) + `"`} {
		p := wantProblem(t, post(t, h, `{"`+field+`":`+value+`}`), 422, "invalid-job")
		if len(p.Errors) != 1 || p.Errors[0].Pointer != "/"+field || p.Errors[0].Detail != "must be at most 3600 seconds from now" {
			t.Errorf("%s: %+v", field, p.Errors)
		}
	}
}

// Each route with a token stands behind the limiter.
func TestRateLimitOfEachRoute(t *testing.T) {
	q := &fakeQueue{}
	q.limit = func(string, float64, int) (time.Duration, error) { return time.Second, nil }
	h := limitedAPI(t, q, Rate{PerSecond: 1, Burst: 1})
	for _, rt := range guarded(t) {
		wantProblem(t, do(h, ask(t, rt.method, pathOf(rt), bodyOf(rt), jwt.MapClaims{"scope": rt.scope})), 429, "rate-limited")
	}
}
