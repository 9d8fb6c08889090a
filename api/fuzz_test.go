package api

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/punctualq/punctual/queue"
)

// FuzzRegister: whatever the body, the answer is 201 and one more job, or the client's fault and no job; never a panic, never
// a 5xx. The queue is the real one: it must not choke on what the API lets through either.
func FuzzRegister(f *testing.F) {
	for _, body := range []string{
		`{}`, ``, `null`, `[]`, `{"message":"hi","delay_seconds":0,"max_retry":0}`, `{"Message":"hi"}`,
		`{"type":"x","payload":{"a":[1.0,"\ud800",null]},"queue":"low"}`, `{"delay_seconds":1e2}`, `{"max_retry":99999999999999999999}`,
		`{"message":"a","message":"b"}`, `{"message":"a"}{}`, "{\"message\":\"\xff\"}", `{"payload":` + strings.Repeat("[", 10_001) + `}`,
		`{"payload":` + strings.Repeat(`{"a":`, 1000) + `1` + strings.Repeat("}", 1000) + `}`, `{"message":"\u2028\ud83d\ude00\ufffe"}`,
		`{"payload":"\u003c\u2028` + "\u2028" + `","message":" "}`, `{"type":"","queue":""}`, `{"payload":-0e-0}`, `{"a":`, "\ufeff{}",
		`{"run_at":"2030-01-31T12:00:00.5+01:00","job_id":"a/b","timeout_seconds":1,"retention_seconds":2,"expires_in_seconds":3}`,
		`{"backoff":{"kind":"list","seconds":[0.5,-1,1e3]},"metadata":{"a":"\ud800","b":""},"unique":{"key":"k","until":60}}`,
		`{"backoff":{"kind":"exponential","base_seconds":0.001,"cap_seconds":99999999999999999999},"unique":{"key":"k","until":"start"}}`,
		`{"run_at":"0000-01-01T00:00:00Z"}`, `{"run_at":"9999-12-31T23:59:60Z","backoff":{"kind":"fixed","seconds":[]}}`, `{"metadata":{"a":{"b":[]}}}`,
	} {
		f.Add([]byte(body))
	}
	client, server := realQueue(f)
	h, _ := newAPI(f, client)
	token := testToken(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		server.FlushAll()
		w := do(h, request(t, string(body), header("Authorization", "Bearer "+token)))
		jobs := 0
		for _, key := range server.Keys() {
			if strings.HasPrefix(key, "punctual:{") && strings.HasSuffix(key, "}:jobs") {
				ids, _ := server.HKeys(key)
				jobs += len(ids)
			}
		}
		switch w.Code {
		case http.StatusCreated:
			if jobs != 1 {
				t.Errorf("201 and %d jobs", jobs)
			}
		case 400, 413, 422:
			if jobs != 0 {
				t.Errorf("%d and %d jobs", w.Code, jobs)
			}
		default:
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
	})
}

// BenchmarkRegister: the API's own share of a registration; the queue answers at once.
func BenchmarkRegister(b *testing.B) {
	h, err := New(instantQueue{}, Config{Secret: testSecret})
	if err != nil {
		b.Fatal(err)
	}
	const body = `{"message": "Hello, World!", "delay_seconds": 60, "max_retry": 3}`
	r := request(b, body)
	read := strings.NewReader(body)
	b.ReportAllocs()
	for b.Loop() {
		read.Reset(body)
		r.Body = readCloser{read}
		w := discard{http.Header{}}
		h.ServeHTTP(w, r)
		if w.header.Get("Location") == "" {
			b.Fatal("no job")
		}
	}
}

type instantQueue struct{ Queue }

func (instantQueue) Enqueue(context.Context, queue.NewJob) (queue.Enqueued, error) {
	return queue.Enqueued{ID: testJobID}, nil
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

type discard struct{ header http.Header }

func (d discard) Header() http.Header       { return d.header }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// FuzzIdempotencyKey: what is taken is a key of printable characters, and is taken again in quotes as the same key.
func FuzzIdempotencyKey(f *testing.F) {
	for _, given := range []string{``, `""`, `"a"`, `a`, `"a\"b\\"`, `"a`, `a;b`, `"a";b`, "\"\x00\"", "é", `"` + strings.Repeat("x", 129) + `"`} {
		f.Add(given)
	}
	f.Fuzz(func(t *testing.T, given string) {
		key, err := idempotencyKey(http.Header{"Idempotency-Key": {given}})
		if err != nil {
			return
		}
		if key == "" || len(key) > 128 || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q gives the key %q", given, key)
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
		if again, err := idempotencyKey(http.Header{"Idempotency-Key": {quoted}}); err != nil || again != key {
			t.Errorf("%q gives %q, and %s gives %q: %v", given, key, quoted, again, err)
		}
	})
}
