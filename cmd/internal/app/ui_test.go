package app

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/punctualq/punctual/cmd/internal/settings"
	"github.com/punctualq/punctual/integration/redistest"
)

// page returns the status and the text of a page of the dashboard, asked for under a host name.
func page(t *testing.T, addr, path, host string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// The dashboard is there, open to a browser on this machine in develop alone, and goes by its settings.
func TestDashboard(t *testing.T) {
	r := redistest.Any(t)
	const secret = "JWT_SECRET=a secret of the tests, of 32 bytes or more"
	for name, tc := range map[string]struct {
		env    []string
		host   string
		status int
		part   string
	}{
		"develop":      {nil, "", 200, "Overview"},
		"localhost":    {nil, "localhost", 200, "Overview"},
		"another name": {nil, "jobs.example", 401, "Sign in"},
		"production":   {[]string{"APP_ENV=production", "SHUTDOWN_DRAIN=1ms", secret}, "", 401, "Sign in"},
		"read only":    {[]string{"UI_READ_ONLY=true"}, "", 200, "read only"},
		"off":          {[]string{"UI=off"}, "", 404, "not-found"},
	} {
		t.Run(name, func(t *testing.T) {
			p, addr := startServer(t, append([]string{"REDIS_URL=" + r.URL()}, tc.env...)...)
			host := addr
			if tc.host != "" {
				host = tc.host
			}
			if status, text := page(t, addr, "/ui", host); status != tc.status || !strings.Contains(text, tc.part) {
				t.Errorf("%d, %q is not in %s", status, tc.part, text)
			}
			p.stop()
		})
	}
}

// Only a listener that no other machine can reach signs anybody in by itself.
func TestAutoSignInIsForLoopback(t *testing.T) {
	for addr, want := range map[string]bool{"127.0.0.1": true, "::1": true, "0.0.0.0": false, "::": false, "10.0.0.7": false} {
		p := &process{settings: settings.Settings{Env: settings.Develop, JWTSecret: "a secret of the tests, of 32 bytes or more"}}
		if got := p.autoSignIn(&net.TCPAddr{IP: net.ParseIP(addr), Port: 8080}) != nil; got != want {
			t.Errorf("on %s: %v", addr, got)
		}
		p.settings.Env = settings.Staging
		if p.autoSignIn(&net.TCPAddr{IP: net.ParseIP(addr)}) != nil {
			t.Errorf("in staging on %s", addr)
		}
	}
	public := &process{settings: settings.Settings{Env: settings.Develop}}
	if public.autoSignIn(&net.TCPAddr{IP: net.ParseIP("127.0.0.1")}) != nil {
		t.Error("without a secret to sign with")
	}
}
