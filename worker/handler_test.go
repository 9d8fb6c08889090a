package worker

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/punctualq/punctual/queue"
)

func TestJSONDecodesThePayload(t *testing.T) {
	type mail struct {
		To    string `json:"to"`
		Count int    `json:"count"`
	}
	run := func(payload string) (got mail, called bool, err error) {
		h := JSON(func(_ context.Context, m mail) error { got, called = m, true; return errPlain })
		err = h(t.Context(), Job{Job: queue.Job{Type: "mail", Payload: json.RawMessage(payload)}})
		return got, called, err
	}
	for payload, want := range map[string]mail{
		`{"to":"a@b","count":3}`: {"a@b", 3}, ``: {}, `null`: {}, `{}`: {}, `{"other":1}`: {},
	} {
		if got, called, err := run(payload); got != want || !called || !errors.Is(err, errPlain) {
			t.Errorf("%q: %+v, %v", payload, got, err)
		}
	}
	for _, payload := range []string{`{"count":"three"}`, `[]`, `"text"`, `{"to":`} {
		_, called, err := run(payload)
		var v *verdict
		if called || !errors.As(err, &v) || !v.permanent || !strings.Contains(err.Error(), "payload of job type mail") {
			t.Errorf("%q: called %v, %v", payload, called, err)
		}
	}
}

// No payload at all is a nil map, an empty slice, a nil pointer: as json.Unmarshal of null leaves them.
func TestJSONWithoutAPayload(t *testing.T) {
	for _, payload := range []json.RawMessage{nil, json.RawMessage(`null`), {}} {
		job := Job{Job: queue.Job{Payload: payload}}
		m := JSON(func(_ context.Context, m map[string]int) error {
			if m != nil || m["a"] != 0 {
				t.Errorf("map %v", m)
			}
			return nil
		})
		p := JSON(func(_ context.Context, p *int) error {
			if p != nil {
				t.Errorf("pointer to %v", *p)
			}
			return nil
		})
		if err := errors.Join(m(t.Context(), job), p(t.Context(), job)); err != nil {
			t.Error(err)
		}
	}
}

// Writing to the nil map that a missing payload leaves is the handler's own mistake, and costs an attempt and no more.
func TestWriteToANilMapPayload(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := JSON(func(_ context.Context, m map[string]int) error { m["a"] = 1; return nil })
		got := runOne(t, newStore(t), h, queue.Claimed{Attempt: 1, Job: queue.Job{ID: "a", MaxRetry: 1}})
		if got.Outcome != queue.OutcomeRetry || !strings.Contains(got.Failure.Error, "nil map") {
			t.Errorf("%+v", got)
		}
	})
}

func TestVerdictsUnwrap(t *testing.T) {
	for _, err := range []error{Permanent(errPlain), RetryAfter(1, errPlain), Permanent(RetryAfter(1, errPlain))} {
		if !errors.Is(err, errPlain) || err.Error() != "plain" {
			t.Errorf("%v", err)
		}
	}
}

// Current tells a function deep down which job it works for, under which worker and attempt.
func TestCurrent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		var got, given Job
		var ok bool
		r := start(s, 1, func(ctx context.Context, job Job) error {
			given = job
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			got, ok = Current(ctx)
			return nil
		})
		s.add("a", 0, func(r *record) { r.Payload, r.attempts = json.RawMessage(`{"x":1}`), 4 })
		pass(0)
		if !ok || got.ID != "a" || got.Attempt != 5 || got.Worker != r.id() || string(got.Payload) != `{"x":1}` || got.Type != "test" {
			t.Errorf("%+v", got)
		}
		if number, id := splitTest(given.Element); id != "a" || number == "" || got.Element != given.Element {
			t.Errorf("element %q and %q", got.Element, given.Element)
		}
	})
	if _, ok := Current(t.Context()); ok {
		t.Error("a job in a context that is no handler's")
	}
}

// Middleware: the first one outermost, each made once and not again for every job, and none around a missing handler.
func TestUse(t *testing.T) {
	w, err := New(nil, Config{})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	made := 0
	layer := func(name string) Middleware {
		return func(next Handler) Handler {
			made++
			return func(ctx context.Context, job Job) error {
				order = append(order, name+" in")
				err := next(ctx, job)
				order = append(order, name+" out")
				return err
			}
		}
	}
	w.Use(layer("1"), layer("2"))
	w.Handle("a", func(context.Context, Job) error { order = append(order, "a"); return errPlain })
	w.Handle("b", func(context.Context, Job) error { order = append(order, "b"); return nil })
	w.Use(layer("3"))
	w.Handle("none", nil)
	handlers := w.wrapped()
	for _, kind := range []string{"a", "b", "a"} {
		order = nil
		err := handlers[kind](t.Context(), Job{})
		if got := strings.Join(order, ", "); got != "1 in, 2 in, 3 in, "+kind+", 3 out, 2 out, 1 out" {
			t.Error(got)
		}
		if (kind == "a") != errors.Is(err, errPlain) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if made != 6 {
		t.Errorf("3 layers around 2 handlers were made %d times", made)
	}
	if handlers["none"] != nil || handlers["other"] != nil {
		t.Error("a handler for a type that has none")
	}
}
