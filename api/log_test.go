package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"github.com/punctualq/punctual/queue"
)

func TestRequestID(t *testing.T) {
	h, log := newAPI(t, &fakeQueue{})
	for given, taken := range map[string]bool{
		"abc-DEF_1.2": true, strings.Repeat("x", 64): true,
		"": false, strings.Repeat("x", 65): false, "a b": false, "a\nb": false, "é": false, `"`: false,
	} {
		log.Reset()
		w := post(t, h, `{}`, header("X-Request-Id", given))
		id := w.Header().Get("X-Request-Id")
		if _, err := uuid.Parse(id); taken && id != given || !taken && err != nil {
			t.Errorf("%q became %q", given, id)
		}
		if line := lines(t, log)[0]; line["request_id"] != id {
			t.Errorf("the log says %v, the header %q", line["request_id"], id)
		}
	}
}

func TestOneLineARequest(t *testing.T) {
	h, log := newAPI(t, &fakeQueue{})
	w := post(t, h, `{}`, func(r *http.Request) { r.URL.RawQuery = "access_token=abc" })
	all := lines(t, log)
	if len(all) != 1 {
		t.Fatalf("%d lines", len(all))
	}
	line := all[0]
	took, isNumber := line["duration_ms"].(float64)
	if !isNumber || took < 0 {
		t.Errorf("duration_ms is %v", line["duration_ms"])
	}
	delete(line, "duration_ms")
	for name, want := range map[string]any{"level": "info", "method": "POST", "path": "/api/dm-jobqueue/register", "status": 201.0,
		"bytes": float64(w.Body.Len()), "request_id": w.Header().Get("X-Request-Id"), "subject": "tester", "remote": "192.0.2.1:1234",
		"job_id": testJobID, "message": "request"} {
		if line[name] != want {
			t.Errorf("%s is %v, want %v", name, line[name], want)
		}
		delete(line, name)
	}
	if len(line) > 0 {
		t.Errorf("unexpected in the log: %v", line)
	}
}

func TestLogOfRefusedRequests(t *testing.T) {
	client, _ := realQueue(t)
	h, log := newAPI(t, client)
	post(t, h, `{"delay_seconds":-1,"queue":7}`)
	line := lines(t, log)[0]
	if line["error"] != nil {
		t.Errorf("a client's slip is logged as an error: %v", line)
	}
	fields, _ := line["fields"].([]any)
	if line["code"] != "invalid-job" || line["level"] != "info" || len(fields) != 2 || fields[0] != "/delay_seconds" || fields[1] != "/queue" {
		t.Errorf("the log says %v", line)
	}
}

// Whatever happens to a request, neither its token nor anything of its body is in the log.
func TestLogHoldsNeitherTokenNorPayload(t *testing.T) {
	real, _ := realQueue(t)
	const confidential = "CONFIDENTIAL"
	token := testToken(t)
	parts := strings.Split(token, ".")
	for _, q := range []Queue{real, &fakeQueue{err: queue.ErrOutcomeUnknown}, &fakeQueue{enqueue: func(context.Context) error { panic("oops") }}} {
		h, log := newAPI(t, q)
		for _, body := range []string{
			`{"message":"CONFIDENTIAL","payload":"CONFIDENTIAL"}`,
			`{"message":"CONFIDENTIAL","max_retry":-1}`,
			`{"type":"x","payload":"CONFIDENTIAL"}`,
			`{"type":"CONFIDENTIAL","queue":"CONFIDENTIAL","max_retry":"CONFIDENTIAL"}`,
			`{"CONFIDENTIAL":1}`,
			`{"message":CONFIDENTIAL}`,
			`{"message":"CONFIDENTIAL`,
			`CONFIDENTIAL`,
		} {
			post(t, h, body)
			post(t, h, body, header("Content-Type", "text/"+confidential))
			post(t, h, body, header("Authorization", "Bearer "+token+"x"))
			post(t, h, body, header("Authorization", token))
			post(t, h, body, header("Authorization", "Bearer "+parts[0]+"."+confidential+"."+parts[2]))
			post(t, h, body, func(r *http.Request) { r.URL.RawQuery = "token=" + token })
		}
		if len(lines(t, log)) != 48 {
			t.Errorf("%d lines", len(lines(t, log)))
		}
		for _, s := range []string{confidential, parts[0], parts[1], parts[2]} {
			if i := strings.Index(log.String(), s); i >= 0 {
				t.Errorf("the log holds %q: %s", s, log.String()[max(0, i-200):i+len(s)])
			}
		}
	}
}

func TestPanicIsAnsweredAndLogged(t *testing.T) {
	q := &fakeQueue{enqueue: func(context.Context) error { panic("a bug") }}
	h, log := newAPI(t, q)
	p := wantProblem(t, post(t, h, `{}`), 500, "internal")
	line := lines(t, log)[0]
	stack, _ := line["stack"].(string)
	if line["level"] != "error" || line["error"] != "panic: a bug" || line["request_id"] != p.RequestID || !strings.Contains(stack, "log_test.go") {
		t.Errorf("the log says %v", line)
	}
	q.enqueue = nil
	if w := post(t, h, `{}`); w.Code != http.StatusCreated { // it lives
		t.Errorf("status %d", w.Code)
	}
}

func TestPanicAfterTheAnswerHasBegunCutsTheConnection(t *testing.T) {
	var log strings.Builder
	server := httptest.NewServer(observe(zerolog.New(&log), nil, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half an ans"))
		_ = http.NewResponseController(w).Flush()
		panic("a bug")
	})))
	answer, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, err = answer.Body.Read(make([]byte, 100))
	for err == nil {
		_, err = answer.Body.Read(make([]byte, 100))
	}
	if err.Error() == "EOF" {
		t.Error("half an answer looks whole")
	}
	server.Close() // and with it every writer of the log
	if line := lines(t, &log)[0]; line["level"] != "error" || line["code"] != "internal" || line["bytes"] != 11.0 {
		t.Errorf("the log says %v", line)
	}
}

func TestLongPathsAreCut(t *testing.T) {
	h, log := newAPI(t, &fakeQueue{})
	get(h, "/"+strings.Repeat("é", 1000))
	path, _ := lines(t, log)[0]["path"].(string)
	if !regexp.MustCompile(`^/(é)+…$`).MatchString(path) || len(path) > 260 {
		t.Errorf("path is %d bytes: %s", len(path), path)
	}
}

func TestNoLoggerNoTrouble(t *testing.T) {
	h, err := New(&fakeQueue{}, Config{Secret: testSecret})
	if err != nil {
		t.Fatal(err)
	}
	if w := post(t, h, `{}`); w.Code != http.StatusCreated {
		t.Errorf("status %d", w.Code)
	}
}
