package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/punctualq/punctual/queue"
)

func TestRegisterMakesTheJob(t *testing.T) {
	const done, decade = `"Job executed successfully"`, 10 * 365 * 24 * time.Hour
	for _, tc := range []struct {
		name, body string
		want       queue.NewJob
	}{
		{"all defaults", `{}`, queue.NewJob{Payload: json.RawMessage(done), Delay: 180 * time.Second, MaxRetry: 10}},
		{"null is absent", `{"message":null,"delay_seconds":null,"max_retry":null,"type":null,"payload":null,"queue":null}`,
			queue.NewJob{Payload: json.RawMessage(done), Delay: 180 * time.Second, MaxRetry: 10}},
		{"explicit zeros", `{"delay_seconds":0,"max_retry":0}`, queue.NewJob{Payload: json.RawMessage(done), MaxRetry: queue.NoRetry}},
		{"minus zero is zero", `{"delay_seconds":-0,"max_retry":-0}`, queue.NewJob{Payload: json.RawMessage(done), MaxRetry: queue.NoRetry}},
		{"all given", `{"message":"hi","delay_seconds":7,"max_retry":3,"type":"message","queue":"low"}`,
			queue.NewJob{Payload: json.RawMessage(`"hi"`), Delay: 7 * time.Second, MaxRetry: 3, Type: "message", Queue: "low"}},
		{"the limits", `{"delay_seconds":315360000,"max_retry":1000}`,
			queue.NewJob{Payload: json.RawMessage(done), Delay: decade, MaxRetry: 1000}},
		{"an empty message is a message", `{"message":""}`,
			queue.NewJob{Payload: json.RawMessage(`""`), Delay: 180 * time.Second, MaxRetry: 10}},
		{"message beside payload", `{"message":"hi","payload":{"a":[1.0,null]},"delay_seconds":0}`,
			queue.NewJob{Payload: json.RawMessage(`{"message":"hi","payload":{"a":[1.0,null]}}`), MaxRetry: 10}},
		{"default message beside payload", `{"payload":7,"delay_seconds":0}`,
			queue.NewJob{Payload: json.RawMessage(`{"message":` + done + `,"payload":7}`), MaxRetry: 10}},
		{"another type, no payload", `{"type":"sleep","delay_seconds":0}`, queue.NewJob{Type: "sleep", MaxRetry: 10}},
		{"another type, payload as given", `{"type":"a.b_c-1","payload":12345678901234567890.10,"message":null,"delay_seconds":1}`,
			queue.NewJob{Type: "a.b_c-1", Payload: json.RawMessage(`12345678901234567890.10`), Delay: time.Second, MaxRetry: 10}},
		{"false is a payload", `{"type":"x","payload":false,"delay_seconds":0}`,
			queue.NewJob{Type: "x", Payload: json.RawMessage(`false`), MaxRetry: 10}},
		{"white space around", " \n{ \"delay_seconds\" : 0 }\r\n\t", queue.NewJob{Payload: json.RawMessage(done), MaxRetry: 10}},
		{"escaped field name", `{"delay_\u0073econds":0}`, queue.NewJob{Payload: json.RawMessage(done), MaxRetry: 10}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q := &fakeQueue{}
			h, _ := newAPI(t, q)
			w := post(t, h, tc.body)
			if w.Code != http.StatusCreated {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			if len(q.jobs) != 1 {
				t.Fatalf("%d jobs", len(q.jobs))
			}
			tc.want.Subject = "tester"
			if got, want := fmt.Sprintf("%+v", q.jobs[0]), fmt.Sprintf("%+v", tc.want); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestRegisterAnswer(t *testing.T) {
	h, _ := newAPI(t, &fakeQueue{})
	for body, location := range map[string]string{
		`{}`:                  "/api/dm-jobqueue/jobs/" + testJobID,
		`{"queue":"default"}`: "/api/dm-jobqueue/jobs/" + testJobID,
		`{"queue":"low_1-x","type":"no-message"}`: "/api/dm-jobqueue/jobs/" + testJobID + "?queue=low_1-x",
	} {
		w := post(t, h, body)
		if w.Code != http.StatusCreated || w.Header().Get("Location") != location {
			t.Errorf("%s: status %d, Location %q, want %q", body, w.Code, w.Header().Get("Location"), location)
		}
		if got := w.Header().Get("Content-Type"); got != "application/json" {
			t.Errorf("Content-Type is %q", got)
		}
		if got, want := strings.TrimSpace(w.Body.String()), `{"job_id":"`+testJobID+`","status":"registered"}`; got != want {
			t.Errorf("body is %s, want %s", got, want)
		}
	}
}

// What is refused is judged by the real queue, which must have nothing afterwards.
func TestInvalidJobs(t *testing.T) {
	client, server := realQueue(t)
	h, _ := newAPI(t, client)
	quoted := func(n int) string { return `"` + strings.Repeat("x", n) + `"` }
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, tc := range []struct {
		body string
		want []string // pointers
	}{
		{`{"delay_seconds":-1}`, []string{"/delay_seconds"}},
		{`{"delay_seconds":315360001}`, []string{"/delay_seconds"}},
		{`{"delay_seconds":9223372036854775807}`, []string{"/delay_seconds"}},
		{`{"delay_seconds":18446744073709551616}`, []string{"/delay_seconds"}}, // 2^64: must not come back as 0
		{`{"delay_seconds":` + strings.Repeat("9", 400) + `}`, []string{"/delay_seconds"}},
		{`{"delay_seconds":-99999999999999999999}`, []string{"/delay_seconds"}},
		{`{"delay_seconds":1.0}`, []string{"/delay_seconds"}},
		{`{"delay_seconds":1e2}`, []string{"/delay_seconds"}},
		{`{"delay_seconds":"1"}`, []string{"/delay_seconds"}},
		{`{"delay_seconds":true}`, []string{"/delay_seconds"}},
		{`{"delay_seconds":[]}`, []string{"/delay_seconds"}},
		{`{"max_retry":-1}`, []string{"/max_retry"}}, // queue.NoRetry, but not over HTTP
		{`{"max_retry":-2}`, []string{"/max_retry"}},
		{`{"max_retry":1001}`, []string{"/max_retry"}},
		{`{"max_retry":4294967296}`, []string{"/max_retry"}},
		{`{"max_retry":99999999999999999999}`, []string{"/max_retry"}},
		{`{"max_retry":0.5}`, []string{"/max_retry"}},
		{`{"max_retry":"10"}`, []string{"/max_retry"}},
		{`{"message":7}`, []string{"/message"}},
		{`{"type":"Message"}`, []string{"/type"}},
		{`{"type":""}`, []string{"/type"}},
		{`{"type":"a b"}`, []string{"/type"}},
		{`{"type":` + quoted(65) + `}`, []string{"/type"}},
		{`{"type":1}`, []string{"/type"}},
		{`{"type":"a\nb"}`, []string{"/type"}},
		{`{"queue":""}`, []string{"/queue"}},
		{`{"queue":"a.b"}`, []string{"/queue"}},
		{`{"queue":"{x}"}`, []string{"/queue"}},
		{`{"queue":` + quoted(65) + `}`, []string{"/queue"}},
		{`{"queue":{}}`, []string{"/queue"}},
		{`{"type":"sleep","message":"hi"}`, []string{"/message"}},
		{`{"type":"sleep","message":""}`, []string{"/message"}},
		{`{"type":"sleep","payload":` + quoted(64<<10-1) + `}`, []string{"/payload"}},
		{`{"type":"sleep","payload":` + nested(1001) + `}`, []string{"/payload"}},
		{`{"type":"sleep","payload":` + nested(30_000) + `}`, []string{"/payload"}},
		{`{"payload":` + nested(1001) + `}`, []string{"/payload"}},
		{`{"message":` + nested(30_000) + `}`, []string{"/message"}},
		{`{"type":"sleep","payload":{"a":` + nested(1000) + `}}`, []string{"/payload"}},
		{`{"delay_seconds":"1","max_retry":-1,"type":"A","queue":"B","message":"hi","payload":` + nested(1001) + `}`,
			[]string{"/delay_seconds", "/max_retry", "/message", "/payload", "/queue", "/type"}},
		{`{"delay_seconds":-1,"max_retry":1001,"type":"A","queue":"B"}`, []string{"/delay_seconds", "/max_retry", "/queue", "/type"}},
		{`{"delay_seconds":-1,"message":7}`, []string{"/delay_seconds", "/message"}},
	} {
		name := tc.body[:min(len(tc.body), 60)]
		p := wantProblem(t, post(t, h, tc.body), http.StatusUnprocessableEntity, "invalid-job")
		var pointers []string
		for _, e := range p.Errors {
			pointers = append(pointers, e.Pointer)
			if !strings.HasPrefix(e.Detail, "must ") && !strings.HasPrefix(e.Detail, "belongs ") {
				t.Errorf("%s: detail %q does not say what is wanted", name, e.Detail)
			}
		}
		if !slices.Equal(pointers, tc.want) {
			t.Errorf("%s: errors at %v, want %v", name, pointers, tc.want)
		}
	}
	if keys := server.Keys(); len(keys) != 0 {
		t.Errorf("refused jobs left %v", keys)
	}
}

// Bytes count, not characters, and the message's own, not those of its JSON.
func TestMessageOfTooManyBytes(t *testing.T) {
	client, _ := realQueue(t)
	h, _ := newAPI(t, client)
	for _, message := range []string{strings.Repeat("x", 64<<10+1), strings.Repeat("あ", 64<<10/3+1)} {
		p := wantProblem(t, post(t, h, `{"message":"`+message+`"}`), http.StatusUnprocessableEntity, "invalid-job")
		if len(p.Errors) != 1 || p.Errors[0] != (fieldError{"/message", "must be at most 65536 bytes of UTF-8"}) {
			t.Errorf("errors are %v", p.Errors)
		}
	}
}

func TestLargeAndDeepJobsThatFit(t *testing.T) {
	client, _ := realQueue(t)
	for _, body := range []string{
		`{"message":"` + strings.Repeat("x", 60<<10) + `","payload":"` + strings.Repeat("y", 60<<10) + `"}`,
		`{"message":"` + strings.Repeat(`\u0001`, 20<<10) + `"}`, // 20 KiB of text, 120 KiB of JSON
		`{"message":"` + strings.Repeat("x", 64<<10) + `"}`,
		`{"type":"x","payload":"` + strings.Repeat("x", 64<<10-2) + `"}`,
		`{"type":"x","payload":[ "` + strings.Repeat("x", 64<<10-4) + `" ]}`,
		`{"type":"x","payload":[` + strings.Repeat(" ", 100<<10) + `1]}`, // compact, it is small
		`{"type":"x","payload":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`,
		`{"type":"x","payload":"` + strings.Repeat("[", 20_000) + `"}`, // in a string, they nest nothing
		`{"type":"x","payload":"` + strings.Repeat(`\"[`, 15_000) + `"}`,
	} {
		h, _ := newAPI(t, client)
		if w := post(t, h, body); w.Code != http.StatusCreated {
			t.Errorf("%s: status %d: %s", body[:40], w.Code, w.Body)
		}
	}
}

// The whole way, down to what a worker would find.
func TestRegisterInTheRealQueue(t *testing.T) {
	client, server := realQueue(t)
	h, _ := newAPI(t, client)
	register := func(body string) queue.Info {
		t.Helper()
		w := post(t, h, body)
		var answer registered
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusCreated {
			t.Fatalf("status %d: %s", w.Code, w.Body)
		}
		if id, err := uuid.Parse(answer.JobID); err != nil || id.Version() != 7 {
			t.Errorf("job_id %q is no UUIDv7", answer.JobID)
		}
		_, name, _ := strings.Cut(w.Header().Get("Location"), "?queue=")
		info, err := client.Get(context.Background(), cmp.Or(name, queue.DefaultQueue), answer.JobID)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	server.SetTime(time.UnixMilli(1_800_000_000_000))

	info := register(`{}`)
	if info.Type != "message" || info.MaxRetry != 10 || string(info.Payload) != `"Job executed successfully"` ||
		info.State != queue.Scheduled || info.Due.UnixMilli() != 1_800_000_180_000 {
		t.Errorf("defaults made %+v", info)
	}
	info = register(`{"message":"日本語 <&> \u0007","delay_seconds":0,"max_retry":0,"queue":"low"}`)
	if info.Queue != "low" || info.MaxRetry != 0 || string(info.Payload) != `"日本語 <&> \u0007"` || info.Due.UnixMilli() != 1_800_000_000_000 {
		t.Errorf("explicit zeros made %+v", info)
	}
	info = register(`{"type":"sleep","payload":{ "seconds": 1.50 }}`)
	if info.Type != "sleep" || string(info.Payload) != `{"seconds":1.50}` {
		t.Errorf("another type made %+v", info)
	}
}
