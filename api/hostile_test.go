package api

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// hostile is a request as no good client sends it, and its answer. No answer may come with a change in Redis.
type hostile struct {
	name    string
	request string // all bytes of it
	status  int    // 0: the connection is closed without an answer
	code    string // of the problem; "": the answer is none, or the server beneath refuses in plain text
	half    bool   // the client ends its side after that, as if it had sent all
}

// TestHostileRequests sends them to the real handler in the real server over TCP, with a real Redis that holds jobs.
func TestHostileRequests(t *testing.T) {
	redisServer := redistest.Own(t)
	client, err := queue.Open(context.Background(), redisServer.URL(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	h, err := New(client, Config{Secret: testSecret})
	if err != nil {
		t.Fatal(err)
	}
	h = checked(t, h)
	for _, body := range []string{`{"job_id":"mine","delay_seconds":3600}`, `{"delay_seconds":3600,"queue":"other"}`,
		`{"delay_seconds":3600,"unique":{"key":"held","until":"done"}}`} {
		if w := post(t, h, body); w.Code != http.StatusCreated {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
	}
	if w := post(t, h, `{"delay_seconds":3600}`, header("Idempotency-Key", "used")); w.Code != http.StatusCreated {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	addr := listen(t, Server("", h))
	hasty := Server("", h)
	hasty.ReadHeaderTimeout, hasty.ReadTimeout = 100*time.Millisecond, 200*time.Millisecond
	slowAddr := listen(t, hasty)

	before := redistest.TakeSnapshot(t, redisServer.Client())
	if len(before) < 8 {
		t.Fatalf("Redis has only %d keys", len(before))
	}
	rows := slices.Concat(hostileTokens(t), hostileBodies(t), hostileFields(t), hostilePaths(t), hostileWire(t))
	if _, err := client.List(context.Background(), "default", queue.Listing{}); err != nil && err.Error() == "not built yet" {
		t.Log("listings are not built yet: no cursors are forged")
		rows = slices.DeleteFunc(rows, func(row hostile) bool { return strings.HasPrefix(row.name, "cursor: ") })
	} else {
		rows = append(rows, hostileCursors(t, h)...)
	}
	names := map[string]bool{}
	for _, row := range rows {
		if names[row.name] {
			t.Errorf("two rows are called %q", row.name)
		}
		names[row.name] = true
		to := addr
		if strings.HasPrefix(row.name, "slow") {
			to = slowAddr
		}
		status, code, text := exchange(t, to, row)
		if status != row.status || code != row.code {
			t.Errorf("%s: got %d %q, want %d %q\n%.300s", row.name, status, code, row.status, row.code, text)
		}
		if diff := before.Diff(redistest.TakeSnapshot(t, redisServer.Client())); diff != "" {
			t.Fatalf("%s: answered %d %s, and changed Redis: %s", row.name, status, code, diff)
		}
	}
	if t.Logf("%d hostile requests, and no key of Redis changed by any", len(rows)); len(rows) < 60 {
		t.Error("there were to be 60 at least")
	}
}

// listen serves until the test is over.
func listen(t *testing.T, server *http.Server) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	return listener.Addr().String()
}

// exchange sends the bytes of a row and reads the first answer.
func exchange(t *testing.T, addr string, row hostile) (status int, code, text string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second)) // only to end a test that hangs
	go func() {
		_, _ = io.WriteString(conn, row.request) // fails where the server has answered before the end
		if row.half {
			_ = conn.(*net.TCPConn).CloseWrite()
		}
	}()
	method, _, _ := strings.Cut(row.request, " ")
	in := bufio.NewReader(conn)
	answer, err := http.ReadResponse(in, &http.Request{Method: method})
	for err == nil && answer.StatusCode == http.StatusContinue {
		answer, err = http.ReadResponse(in, &http.Request{Method: method})
	}
	if err != nil {
		return 0, "", err.Error()
	}
	body, _ := io.ReadAll(answer.Body)
	var p problem
	if answer.Header.Get("Content-Type") == "application/problem+json" && json.Unmarshal(body, &p) == nil {
		code = p.Code
	}
	return answer.StatusCode, code, string(body)
}

// sent is the text of a request, whole and well formed; headers are lines, and one that has a name of the others takes its place.
func sent(t *testing.T, method, target, body string, headers ...string) string {
	t.Helper()
	lines := map[string]string{"Host": "Host: x", "Authorization": "Authorization: Bearer " + tokenOf(t, map[string]any{"scope": allScopes}),
		"Content-Length": fmt.Sprint("Content-Length: ", len(body)), "Content-Type": "Content-Type: application/json"}
	if method == http.MethodGet && body == "" {
		delete(lines, "Content-Length")
		delete(lines, "Content-Type")
	}
	var more []string
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ":")
		if _, known := lines[name]; !known {
			more = append(more, line)
		} else if lines[name] = line; strings.TrimSpace(value) == "" {
			delete(lines, name)
		}
	}
	more = append(slices.Sorted(maps.Values(lines)), more...)
	return cmp.Or(method, "POST") + " " + target + " HTTP/1.1\r\n" + strings.Join(more, "\r\n") + "\r\n\r\n" + body
}
