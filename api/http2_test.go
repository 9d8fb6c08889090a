package api

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// overHTTP2 serves without TLS, and returns the address and a client that speaks HTTP/2 only.
func overHTTP2(t *testing.T, server *http.Server) (string, *http.Client) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: &protocols}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		<-served
	})
	return "http://" + listener.Addr().String(), &http.Client{Transport: transport, Timeout: time.Minute}
}

func send(t *testing.T, client *http.Client, base string, body io.Reader, changes ...func(*http.Request)) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, base+pathRegister, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+testToken(t))
	for _, change := range changes {
		change(r)
	}
	resp, err := client.Do(r)
	if err == nil {
		t.Cleanup(func() { _ = resp.Body.Close() })
	}
	return resp, err
}

// TestLimitsOverHTTP2: they are those of HTTP/1.1.
func TestLimitsOverHTTP2(t *testing.T) {
	h, _ := newAPI(t, &fakeQueue{})
	base, client := overHTTP2(t, Server("", h))
	if resp, err := send(t, client, base, strings.NewReader(`{}`)); err != nil || resp.StatusCode != 201 || resp.ProtoMajor != 2 {
		t.Fatalf("%+v, %v", resp, err)
	}
	if resp, err := send(t, client, base, strings.NewReader(strings.Repeat(" ", maxBody+1))); err != nil || resp.StatusCode != 413 {
		t.Errorf("a body that is too large: %+v, %v", resp, err)
	}
	// Of one that is too large the server may end the connection as well as answer.
	if resp, err := send(t, client, base, strings.NewReader(`{}`), header("X-Big", strings.Repeat("x", 30<<10))); err == nil && resp.StatusCode != 431 {
		t.Errorf("headers that are too large: %d", resp.StatusCode)
	}

	hasty := Server("", h)
	hasty.ReadTimeout = 100 * time.Millisecond
	base, client = overHTTP2(t, hasty)
	slow, never := io.Pipe()
	defer never.Close()
	if resp, err := send(t, client, base, slow); err != nil || resp.StatusCode != 408 {
		t.Errorf("a body that does not come: %+v, %v", resp, err)
	}
}
