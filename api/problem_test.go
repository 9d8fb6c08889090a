package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/punctualq/punctual/queue"
)

const secretText = "redis://user:hunter2@10.1.2.3:6379"

func TestQueueErrors(t *testing.T) {
	for _, tc := range []struct {
		err    error
		status int
		code   string
		level  string
	}{
		{queue.ErrUnavailable, 503, "redis-unavailable", "warn"},
		{fmt.Errorf("%w: %w", queue.ErrUnavailable, queue.ErrClosed), 503, "redis-unavailable", "warn"},
		{fmt.Errorf("%w: %w", queue.ErrUnavailable, context.DeadlineExceeded), 503, "redis-unavailable", "warn"},
		{queue.ErrOutcomeUnknown, 503, "outcome-unknown", "warn"},
		{fmt.Errorf("%w: %w", queue.ErrOutcomeUnknown, context.DeadlineExceeded), 503, "outcome-unknown", "warn"},
		{errors.Join(queue.ErrUnavailable, queue.ErrOutcomeUnknown), 503, "outcome-unknown", "warn"}, // the careful one
		{context.DeadlineExceeded, 503, "outcome-unknown", "warn"},
		{queue.ErrNotDurable, 503, "outcome-unknown", "warn"},
		{queue.ErrFull, 503, "storage-full", "warn"},
		{queue.ErrLayout, 503, "layout-too-new", "warn"},
		{queue.ErrExists, 500, "internal", "error"}, // of an id that was made up this moment
		{errors.New("something new"), 500, "internal", "error"},
		{&queue.InvalidError{Field: "traceparent", Reason: "must not be"}, 500, "internal", "error"}, // no field of the client's
	} {
		h, log := newAPI(t, &fakeQueue{err: fmt.Errorf("%w: dial %s", tc.err, secretText)})
		w := post(t, h, `{}`)
		p := wantProblem(t, w, tc.status, tc.code)
		if strings.Contains(w.Body.String(), "hunter2") || strings.Contains(w.Body.String(), "10.1.2.3") {
			t.Errorf("%v: the answer tells where Redis is: %s", tc.err, w.Body)
		}
		after, _ := strconv.Atoi(w.Header().Get("Retry-After"))
		if tc.status == 503 && (after < 1 || after > 3) || tc.status != 503 && after != 0 {
			t.Errorf("%v: Retry-After is %q", tc.err, w.Header().Get("Retry-After"))
		}
		if unknown := tc.code == "outcome-unknown"; unknown != (p.JobID == testJobID) || !unknown && p.JobID != "" {
			t.Errorf("%v: job_id is %q", tc.err, p.JobID)
		}
		if w.Header().Get("Location") != "" {
			t.Errorf("%v: Location is %q", tc.err, w.Header().Get("Location"))
		}
		line := lines(t, log)[0]
		if text := fmt.Sprint(line["error"]); line["level"] != tc.level || line["code"] != tc.code || !strings.Contains(text, tc.err.Error()) {
			t.Errorf("%v: the log says %v", tc.err, line)
		}
	}
}

func TestRetryAfterVaries(t *testing.T) {
	h, _ := newAPI(t, &fakeQueue{err: queue.ErrUnavailable})
	seen := map[string]bool{}
	for range 100 {
		seen[post(t, h, `{}`).Header().Get("Retry-After")] = true
	}
	if len(seen) != 3 {
		t.Errorf("Retry-After takes the values %v", seen)
	}
}

func TestHangingQueueIsAnsweredInTime(t *testing.T) {
	hang := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	synctest.Test(t, func(t *testing.T) {
		h, _ := newAPI(t, &fakeQueue{enqueue: hang, problems: func(ctx context.Context) []queue.Problem {
			return []queue.Problem{{Code: "redis-unavailable", Reason: hang(ctx).Error()}}
		}})
		start := time.Now()
		wantProblem(t, post(t, h, `{}`), 503, "outcome-unknown")
		if took := time.Since(start); took != 800*time.Millisecond {
			t.Errorf("a registration took %s", took)
		}
		start = time.Now()
		if w := get(h, "/readyz"); w.Code != 503 || time.Since(start) != 800*time.Millisecond {
			t.Errorf("readiness: %d after %s", w.Code, time.Since(start))
		}
	})
}

func TestClientThatLeavesDoesNotCutTheEnqueue(t *testing.T) {
	q := &fakeQueue{enqueue: func(ctx context.Context) error { return ctx.Err() }}
	h, _ := newAPI(t, q)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if w := do(h, request(t, `{}`).WithContext(gone)); w.Code != http.StatusCreated || len(q.jobs) != 1 {
		t.Errorf("status %d, %d jobs", w.Code, len(q.jobs))
	}
}

// What the API refuses is never handed to the queue, not even to one that would take it.
func TestRefusedJobsStayAtTheDoor(t *testing.T) {
	q := &fakeQueue{}
	h, _ := newAPI(t, q)
	for _, body := range []string{`{"delay_seconds":"1"}`, `{"max_retry":1001}`, `{"type":"x","message":"m"}`} {
		wantProblem(t, post(t, h, body), 422, "invalid-job")
	}
	if len(q.jobs) != 0 {
		t.Errorf("the queue was handed %v", q.jobs)
	}
}

// The real queue, with a Redis that refuses connections.
func TestRedisAway(t *testing.T) {
	client, server := realQueue(t)
	h, _ := newAPI(t, client)
	if w := post(t, h, `{}`); w.Code != http.StatusCreated {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	addr := server.Addr()
	server.Close()
	p := wantProblem(t, post(t, h, `{}`), 503, "redis-unavailable")
	if strings.Contains(p.Detail, addr) {
		t.Errorf("the answer tells where Redis is: %s", p.Detail)
	}
	wantProblem(t, post(t, h, `{"delay_seconds":-1}`), 422, "invalid-job") // known without Redis
	if w := get(h, "/readyz"); w.Code != 503 || strings.Contains(w.Body.String(), addr) {
		t.Errorf("readiness: %d %s", w.Code, w.Body)
	}
}

func TestKindsAreWhole(t *testing.T) {
	for _, k := range append(kinds, internal) {
		if k.status < 400 || http.StatusText(k.status) == "" || k.code == "" || k.detail == "" {
			t.Errorf("%+v", k)
		}
	}
}
