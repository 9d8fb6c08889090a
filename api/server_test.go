package api

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestRoutesThatAreNotThere(t *testing.T) {
	h, _ := newAPI(t, &fakeQueue{})
	for _, path := range []string{"/", "/api", "/api/dm-jobqueue/register/", "//api/dm-jobqueue/register", "/api/../livez",
		"/api/dm-jobqueue/Register", "/api/dm-jobqueue/jobs/", "/api/dm-jobqueue/queues/a/b", "/livez/x"} {
		r := request(t, `{}`)
		r.URL.Path = path
		wantProblem(t, do(h, r), 404, "not-found")
	}
}

func TestMethodsThatAreNotAllowed(t *testing.T) {
	h, _ := newAPI(t, &fakeQueue{})
	for path, methods := range map[string]string{
		"/api/dm-jobqueue/register": "OPTIONS, POST",
		"/api/dm-jobqueue/jobs":     "GET, HEAD, OPTIONS",
		"/api/dm-jobqueue/jobs/x":   "DELETE, GET, HEAD, OPTIONS, PATCH",
		"/livez":                    "GET, HEAD, OPTIONS",
		"/readyz":                   "GET, HEAD, OPTIONS",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "NONSENSE", "OPTIONS"} {
			w := do(h, httptest.NewRequest(method, path, nil))
			switch {
			case method == "OPTIONS":
				if w.Code != http.StatusNoContent || w.Header().Get("Allow") != methods {
					t.Errorf("%s %s: status %d, Allow %q", method, path, w.Code, w.Header().Get("Allow"))
				}
			case strings.Contains(methods, method):
				if w.Code == http.StatusMethodNotAllowed {
					t.Errorf("%s %s: status %d", method, path, w.Code)
				}
			default:
				wantProblem(t, w, 405, "method-not-allowed")
				if w.Header().Get("Allow") != methods {
					t.Errorf("%s %s: Allow is %q, want %q", method, path, w.Header().Get("Allow"), methods)
				}
			}
		}
	}
}

func TestServerHasLimits(t *testing.T) {
	s := Server("127.0.0.1:0", http.NotFoundHandler())
	if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= s.ReadHeaderTimeout || s.WriteTimeout <= s.ReadTimeout || s.IdleTimeout <= 0 || s.MaxHeaderBytes != 16<<10 {
		t.Errorf("%+v", s)
	}
}

// wire serves over a real connection, for what httptest's recorder does not show, and returns what sends a request there.
func wire(t *testing.T, server *http.Server) func(request string) *http.Response {
	t.Helper()
	addr := listen(t, server)
	return func(request string) *http.Response {
		t.Helper()
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := conn.Write([]byte(request)); err != nil {
			t.Fatal(err)
		}
		method, _, _ := strings.Cut(request, " ")
		answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
}

func TestOverTheWire(t *testing.T) {
	h, _ := newAPI(t, &fakeQueue{})
	ask := wire(t, Server("", h))
	start := "POST /api/dm-jobqueue/register HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + testToken(t) +
		"\r\nContent-Type: application/json\r\n"
	if answer := ask(start + "Content-Length: 2\r\n\r\n{}"); answer.StatusCode != 201 {
		t.Errorf("status %d", answer.StatusCode)
	}
	if answer := ask(start + "Content-Length: 10000000\r\n\r\n{"); answer.StatusCode != 413 || !answer.Close {
		t.Errorf("status %d, close %v", answer.StatusCode, answer.Close) // answered without waiting for the body
	}
	if answer := ask("HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n"); answer.StatusCode != 200 || answer.ContentLength != 16 {
		t.Errorf("status %d, length %d", answer.StatusCode, answer.ContentLength)
	}
	if answer := ask("GET /livez HTTP/1.1\r\nHost: x\r\nX-Big: " + strings.Repeat("x", 30<<10) + "\r\n\r\n"); answer.StatusCode != 431 {
		t.Errorf("status %d", answer.StatusCode)
	}

	hasty := Server("", h)
	hasty.ReadHeaderTimeout, hasty.ReadTimeout = 50*time.Millisecond, 100*time.Millisecond
	if answer := wire(t, hasty)(start + "Content-Length: 10\r\n\r\n{"); answer.StatusCode != 408 || !answer.Close {
		t.Errorf("status %d, close %v", answer.StatusCode, answer.Close)
	}
}
