package jobs

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/punctualq/punctual/queue"
	"github.com/punctualq/punctual/worker"
)

func job(kind, payload string, attempt int) worker.Job {
	j := worker.Job{Attempt: attempt}
	j.Job = queue.Job{ID: "1", Type: kind}
	if payload != "" {
		j.Payload = []byte(payload)
	}
	return j
}

// isPermanent looks into what worker.Permanent makes: package worker alone reads it, and tells nobody.
func isPermanent(err error) bool {
	v := reflect.ValueOf(err)
	if v.Kind() != reflect.Pointer || v.Type() != reflect.TypeOf(worker.Permanent(nil)) {
		return false
	}
	return v.Elem().FieldByName("permanent").Bool()
}

// writes counts calls of Write.
type writes []string

func (w *writes) Write(b []byte) (int, error) { *w = append(*w, string(b)); return len(b), nil }

func TestMessagePrintsOneLineInOneWrite(t *testing.T) {
	at := time.Date(2026, 1, 2, 12, 34, 56, 789, time.Local)
	cases := []struct{ payload, want string }{
		{`"Hello, World!"`, "Hello, World!"},
		{``, "Job executed successfully"},
		{`null`, "Job executed successfully"},
		{`""`, ""},
		{`{"message": "with payload", "payload": {"a": [1]}}`, "with payload"},
		{`{"message": "alone"}`, "alone"},
		{`"こんにちは、世界　全角"`, "こんにちは、世界　全角"},
		{`"a\nb\tc\u001b[31m\u0000\u007f\u0085"`, `a\nb\tc\x1b[31m\x00\x7f\u0085`},
		{`"line\u2028para\u2029\r\n"`, `line\u2028para\u2029\r\n`},
		{`"turned \u202e round\ufeff"`, `turned \u202e round\ufeff`},
		{`"C:\\temp \"quoted\" 'single' <&> é\u00a0é"`, "C:\\temp \"quoted\" 'single' <&> é\u00a0é"},
		{`"👩\u200d👧"`, "👩\u200d👧"},
	}
	for _, c := range cases {
		var out writes
		m := &Message{Out: &out, Now: func() time.Time { return at.UTC() }}
		if err := m.Handle(context.Background(), job("message", c.payload, 1)); err != nil {
			t.Errorf("%s: %v", c.payload, err)
			continue
		}
		if want := "[2026-01-02 12:34:56] " + c.want + "\n"; len(out) != 1 || out[0] != want {
			t.Errorf("%s printed %q, want %q in one write", c.payload, []string(out), want)
		}
	}
}

func TestMessageRefusesOtherShapes(t *testing.T) {
	for _, payload := range []string{`1`, `true`, `[]`, `["a"]`, `{}`, `{"message": 1}`, `{"message": null}`, `{"payload": "x"}`,
		`{"message": "a", "mesage": "b"}`} {
		var out writes
		err := (&Message{Out: &out}).Handle(context.Background(), job("message", payload, 1))
		if !isPermanent(err) || len(out) != 0 {
			t.Errorf("%s: %v, printed %q; want a permanent error and nothing printed", payload, err, out)
		}
	}
}

type broken struct{ io.Writer }

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestMessageThatCannotBePrintedIsRetried(t *testing.T) {
	err := (&Message{Out: broken{}}).Handle(context.Background(), job("message", `"x"`, 1))
	if !errors.Is(err, io.ErrClosedPipe) || isPermanent(err) {
		t.Errorf("got %v, want the error of the write, to be retried", err)
	}
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := Sleep(t.Context(), job("sleep", `{"seconds": 1.5}`, 1)); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took != 1500*time.Millisecond {
			t.Errorf("slept %s, want 1.5s", took)
		}
		cause := errors.New("why")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		start = time.Now()
		if err := Sleep(ctx, job("sleep", `{"seconds": 3600}`, 1)); !errors.Is(err, cause) || isPermanent(err) {
			t.Errorf("got %v, want the cause of its context", err)
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("ended after %s, want 1s", took)
		}
	})
	for _, payload := range []string{``, `null`, `{}`, `3`, `{"seconds": -1}`, `{"seconds": "3"}`, `{"seconds": 1e30}`, `{"second": 1}`} {
		if err := Sleep(t.Context(), job("sleep", payload, 1)); !isPermanent(err) || !strings.Contains(err.Error(), "seconds") {
			t.Errorf("%q: %v, want a permanent error that says what is wanted", payload, err)
		}
	}
}

func TestFail(t *testing.T) {
	cases := []struct {
		payload string
		attempt int
		want    string
	}{
		{``, 1, "retry"},
		{`{}`, 99, "retry"},
		{`{"times": 2}`, 1, "retry"},
		{`{"times": 2}`, 2, "retry"},
		{`{"times": 2}`, 3, "done"},
		{`{"times": 0}`, 1, "done"},
		{`{"permanent": true}`, 1, "dead"},
		{`{"times": "2"}`, 1, "dead"},
	}
	for _, c := range cases {
		got, err := "retry", Fail(t.Context(), job("fail", c.payload, c.attempt))
		switch {
		case err == nil:
			got = "done"
		case isPermanent(err):
			got = "dead"
		}
		if got != c.want {
			t.Errorf("%s, attempt %d: %s (%v), want %s", c.payload, c.attempt, got, err, c.want)
		}
	}
}
