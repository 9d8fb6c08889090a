package api

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// hostilePaths are paths, queries and methods.
func hostilePaths(t *testing.T) []hostile {
	t.Helper()
	var rows []hostile
	for _, path := range []string{
		"/api/dm-jobqueue/register/", "//api/dm-jobqueue/register", "/api//dm-jobqueue/register", "/api/dm-jobqueue/register/.", "/api/dm-jobqueue/./register", "/api/dm-jobqueue/x/../register",
		"/api/dm-jobqueue/x/..%2fregister", "/api/dm-jobqueue%2fregister", "/api/dm-jobqueue/%2e/register", "/api/dm-jobqueue/%72egister", "/api/dm-jobqueue/Register", "/api/dm-jobqueue/register%00",
		"/api/dm-jobqueue/register;x=1", "/api/dm-jobqueue/register%20", "/api/dm-jobqueue\\register", "/api/dm-jobqueue/%c0%afregister", "/api/dm-jobqueue/jobs//run", "/api/dm-jobqueue/jobs/mine/forget",
		"/api/dm-jobqueue/jobs/mine/run/", "/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/livez", "/livez/..%2freadyz", "/api/dm-jobqueue/queues/default/delete", "/debug/pprof/", "/.git/config",
		"/" + strings.Repeat("x", 14<<10), "/" + strings.Repeat("../", 4000),
	} {
		rows = append(rows, hostile{name: "path: " + path[:min(len(path), 70)], request: sent(t, "POST", path, `{}`), status: 404, code: "not-found"})
	}
	for _, id := range []string{"a%0ab", "%00", "mine%00", "mine%20", "..%2f..%2flivez", "%2e%2e%2fmine", "punctual:%7Bdefault%7D:jobs", "%7Bmine%7D", "*", "%ff%fe", "%E3%81%82", strings.Repeat("x", 129), "mine%252f", "-1", "0"} {
		rows = append(rows, hostile{name: "id: " + id, request: sent(t, "GET", base+"/jobs/"+id, ``), status: 404, code: "no-such-job"})
	}
	for _, name := range []string{"%7Bdefault%7D", "default%7D:%7Bx", "a%0Ab", "default%00", "default%2fpurge", "..%2fdefault", "*", "DEFAULT", "%EF%BD%84efault", strings.Repeat("q", 65)} {
		rows = append(rows, hostile{name: "queue: " + name, request: sent(t, "POST", base+"/queues/"+name+"/pause", ``), status: 404, code: "no-such-queue"})
	}
	rows = append(rows, hostile{name: "worker: with a newline", request: sent(t, "POST", base+"/workers/h:1:a%0Ab/stop", ``), status: 404, code: "no-such-worker"})

	b64 := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for _, query := range []string{
		"nonsense=1", "queue=default&queue=other", "queue[]=default", "queue", "queue=", "queue=%7Bdefault%7D", "queue=a%0Ab", "queue=..%2fx", "queue=default%00", "queue=%ff", "Queue=default", "queue=default;state=dead",
		"state=gone", "state=dead'--", "state=SCHEDULED", "state=scheduled%20", "type=%7Bx%7D", "type=A", "limit=0", "limit=-1", "limit=1001", "limit=1e3", "limit=1e309", "limit=0x10", "limit=%2B1", "limit=1.0",
		"limit=99999999999999999999", "limit=%EF%BC%95", "limit=%201", "%zz=1", "%00=1", "=1", "cursor=", "__proto__=1", strings.Repeat("queue=default&", 500), strings.Repeat("x", 5000),
	} {
		rows = append(rows, hostile{name: "query: " + query[:min(len(query), 60)], request: sent(t, "GET", base+"/jobs?"+query, ``), status: 400, code: "invalid-query"})
	}
	for _, cursor := range []string{
		"x", "0", "-1", "%2e%2e%2f", b64("null"), b64("{}"), b64("[]"), b64("{"), b64(`{"state":"dead"}`), b64(`{"score":1e309,"id":"x"}`), b64(`{"s":"scheduled","p":-1}`), b64(`{"s":"scheduled","h":"","p":[1,"mine"]}`),
		b64("\x00"), b64(strings.Repeat("[", 500)), strings.Repeat("A", 1000), strings.Repeat("B", 2000), b64(`{"a":"' OR 1=1"}`), "%F0%9F%92%A9", b64("{}") + "=", "*",
	} {
		rows = append(rows, hostile{name: "cursor: " + cursor[:min(len(cursor), 60)], request: sent(t, "GET", base+"/jobs?cursor="+cursor, ``), status: 400, code: "invalid-cursor"})
	}
	for _, method := range []string{"GET", "PUT", "DELETE", "TRACE", "CONNECT", "PROPFIND", "post", "X", strings.Repeat("M", 1000)} {
		rows = append(rows, hostile{name: "method: " + method[:min(len(method), 10)], request: sent(t, method, pathRegister, `{}`), status: 405, code: "method-not-allowed"})
	}
	for _, line := range []string{"X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE", "X-Method-Override: DELETE"} {
		rows = append(rows,
			hostile{name: "method: GET with " + line, request: sent(t, "GET", base+"/jobs/mine", ``, line), status: 200},
			hostile{name: "method: POST with " + line, request: sent(t, "POST", base+"/jobs/mine", `{}`, line), status: 405, code: "method-not-allowed"})
	}
	for _, line := range []string{"X-Original-URL: /api/dm-jobqueue/register", "X-Rewrite-URL: /api/dm-jobqueue/register", "X-Forwarded-Prefix: /api/dm-jobqueue"} {
		rows = append(rows, hostile{name: "path: " + line, request: sent(t, "POST", "/register", `{}`, line), status: 404, code: "not-found"})
	}
	return append(rows, hostile{name: "method: _method in the query", request: sent(t, "GET", base+"/jobs/mine?_method=DELETE", ``), status: 400, code: "invalid-query"})
}

// hostileCursors are made of a good one.
func hostileCursors(t *testing.T, h http.Handler) []hostile {
	t.Helper()
	var page struct {
		Next string `json:"next_cursor"`
	}
	w := do(h, ask(t, "GET", base+"/jobs?limit=1", "", nil))
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || page.Next == "" {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	good := page.Next
	var rows []hostile
	for name, query := range map[string]string{
		"of another state": good + "&state=dead", "of another queue": good + "&queue=other", "of another type": good + "&type=other",
		"cut": good[:len(good)-1], "cut in half": good[:len(good)/2], "twice as long": good + good, "with something behind it": good + "AAAA", "reversed case": strings.ToUpper(good),
	} {
		rows = append(rows, hostile{name: "cursor: " + name, request: sent(t, "GET", base+"/jobs?limit=1&cursor="+query, ``), status: 400, code: "invalid-cursor"})
	}
	return append(rows, hostile{name: "cursor: of somebody else", status: 400, code: "invalid-cursor",
		request: sent(t, "GET", base+"/jobs?limit=1&cursor="+good, ``, "Authorization: Bearer "+tokenOf(t, map[string]any{"sub": "another"}))})
}

// hostileWire are requests that are hardly HTTP, or lie about their length. None has a body that would be taken.
func hostileWire(t *testing.T) []hostile {
	t.Helper()
	head := func(lines ...string) string {
		return sent(t, "POST", pathRegister, ``, append([]string{"Content-Length:"}, lines...)...)
	}
	smuggled := sent(t, "POST", base+"/queues/default/pause", ``, "Authorization:") // with a token it were a second request like any other
	var flood strings.Builder
	for i := range 2000 {
		fmt.Fprintf(&flood, "X-%d: %d\r\n", i, i)
	}
	const get = "GET /livez HTTP/1.1\r\nHost: x\r\n"
	return []hostile{
		{name: "wire: nothing", half: true},
		{name: "wire: noise", request: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", status: 400},
		{name: "wire: Redis' protocol", request: "*1\r\n$8\r\nFLUSHALL\r\n\r\n", status: 400},
		{name: "wire: no version", request: "GET /livez\r\n\r\n", status: 400},
		{name: "wire: HTTP/3.0", request: "GET /livez HTTP/3.0\r\nHost: x\r\n\r\n", status: 505},
		{name: "wire: HTTP/1.x", request: "GET /livez HTTP/1.x\r\nHost: x\r\n\r\n", status: 400},
		{name: "wire: no Host", request: "GET /livez HTTP/1.1\r\n\r\n", status: 400},
		{name: "wire: two Hosts", request: get + "Host: y\r\n\r\n", status: 400},
		{name: "wire: a Host with a newline in it", request: "GET /livez HTTP/1.1\r\nHost: x\x00y\r\n\r\n", status: 400},
		{name: "wire: a blank in the path", request: "GET /live z HTTP/1.1\r\nHost: x\r\n\r\n", status: 400},
		{name: "wire: a control character in the path", request: "GET /livez\x01 HTTP/1.1\r\nHost: x\r\n\r\n", status: 400},
		{name: "wire: a broken percent in the path", request: "GET /livez%2 HTTP/1.1\r\nHost: x\r\n\r\n", status: 400},
		{name: "wire: an odd method", request: "G{T /livez HTTP/1.1\r\nHost: x\r\n\r\n", status: 400},
		{name: "wire: a star as the path", request: "GET * HTTP/1.1\r\nHost: x\r\n\r\n", status: 404, code: "not-found"},
		{name: "wire: another host in the path", request: "GET http://evil.example/x HTTP/1.1\r\nHost: x\r\n\r\n", status: 404, code: "not-found"},
		{name: "wire: a header without a colon", request: get + "nonsense\r\n\r\n", status: 400},
		{name: "wire: a blank in a header's name", request: get + "X y: z\r\n\r\n", status: 400},
		{name: "wire: a blank before the colon", request: get + "Content-Length : 5\r\n\r\n", status: 400},
		{name: "wire: NUL in a header", request: get + "X-Y: a\x00b\r\n\r\n", status: 400},
		{name: "wire: one header of 30 KiB", request: get + "X-Y: " + strings.Repeat("x", 30<<10) + "\r\n\r\n", status: 431},
		{name: "wire: 2,000 headers", request: get + flood.String() + "\r\n", status: 431},
		{name: "wire: a path of 30 KiB", request: "GET /" + strings.Repeat("x", 30<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", status: 431},
		{name: "wire: Content-Length of -1", request: head("X-Y: z", "Content-length: -1"), status: 400},
		{name: "wire: Content-Length of +2", request: head("Content-length: +2") + "{}", status: 400},
		{name: "wire: Content-Length of 2^64", request: head("Content-length: 18446744073709551616"), status: 400},
		{name: "wire: Content-Length in words", request: head("Content-length: two") + "{}", status: 400},
		{name: "wire: two Content-Lengths", request: head("Content-length: 2", "content-length: 1") + "{}", status: 400},
		{name: "wire: Content-Length of 1 GB", request: head("Content-length: 1000000000") + "{", status: 413, code: "body-too-large"},
		{name: "wire: Content-Length longer than the body", request: head("Content-length: 10") + `{}`, half: true, status: 400, code: "malformed-body"},
		{name: "wire: Content-Length shorter than the body", request: head("Content-length: 1") + `{}`, status: 400, code: "malformed-body"},
		{name: "wire: no length at all", request: head() + `{}`, status: 400, code: "malformed-body"},
		{name: "wire: Expect what nobody knows", request: head("Content-length: 2", "Expect: 200-ok") + "{}", status: 417},
		{name: "wire: Expect 100-continue for too much", request: head("Content-length: 1000000", "Expect: 100-continue"), status: 413, code: "body-too-large"},
		{name: "wire: chunked and a length", request: head("Content-length: 4", "Transfer-Encoding: chunked") + "0\r\n\r\n" + smuggled, status: 400, code: "malformed-body"},
		{name: "wire: chunked twice", request: head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked") + "2\r\n{}\r\n0\r\n\r\n", status: 501},
		{name: "wire: chunked in disguise", request: head("Transfer-Encoding: xchunked") + "0\r\n\r\n" + smuggled, status: 501},
		{name: "wire: gzip, chunked", request: head("Transfer-Encoding: gzip, chunked") + "0\r\n\r\n", status: 501},
		{name: "wire: chunks that are none", request: head("Transfer-Encoding: chunked") + "zz\r\n{}\r\n0\r\n\r\n", status: 400, code: "malformed-body"},
		{name: "wire: a chunk of 2^64 bytes", request: head("Transfer-Encoding: chunked") + "ffffffffffffffff1\r\n{}", status: 400, code: "malformed-body"},
		{name: "wire: a chunk without its end", request: head("Transfer-Encoding: chunked") + "2\r\n{}XX0\r\n\r\n", status: 400, code: "malformed-body"},
		{name: "wire: a chunk with a long extension", request: head("Transfer-Encoding: chunked") + "2;" + strings.Repeat("x", 30<<10) + "\r\n{}\r\n0\r\n\r\n", status: 400, code: "malformed-body"},
		{name: "wire: chunks that break off", request: head("Transfer-Encoding: chunked") + "2\r\n{}\r\n", half: true, status: 400, code: "malformed-body"},
		{name: "wire: chunks without end", request: head("Transfer-Encoding: chunked") + strings.Repeat("400\r\n"+strings.Repeat(" ", 0x400)+"\r\n", 200), status: 413, code: "body-too-large"},
		{name: "wire: a smuggled request after a refused one", request: sent(t, "POST", pathRegister, `{"`) + smuggled, status: 400, code: "malformed-body"},
		{name: "slow headers", request: "GET /livez HTTP/1.1\r\nHost: x\r\nX-", status: 400},
		{name: "slow body", request: head("Content-length: 10") + "{", status: 408, code: "request-timeout"},
		{name: "slow chunks", request: head("Transfer-Encoding: chunked") + "a\r\n{", status: 408, code: "request-timeout"},
		{name: "slow: a first byte that never comes", request: ""},
	}
}
