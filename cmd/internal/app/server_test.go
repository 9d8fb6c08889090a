package app

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/cmd/internal/settings"
	"github.com/punctualq/punctual/integration/redistest"
)

// startServer starts the API process on a free port and returns its address.
func startServer(t *testing.T, pairs ...string) (*program, string) {
	t.Helper()
	p := start(t, Server, nil, append([]string{"HTTP_ADDR=127.0.0.1:0", "LOG_FORMAT=json"}, pairs...)...)
	p.stderr.await(t, 5*time.Second, "takes jobs in")
	return p, p.logged(t, "takes jobs in", "http")
}

// get returns the status of a path, 0 if nobody answers.
func get(t *testing.T, url string) int {
	t.Helper()
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestServerServesAndStopsInOrder(t *testing.T) {
	r := redistest.Any(t)
	p, addr := startServer(t, "REDIS_URL="+r.URL())
	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, registerPath: 405} {
		if got := get(t, "http://"+addr+path); got != want {
			t.Errorf("GET %s answers %d, want %d", path, got, want)
		}
	}
	p.stop()
	if code := p.exit(t, 5*time.Second); code != exitOK {
		t.Errorf("exit %d, want 0", code)
	}
	if got := get(t, "http://"+addr+"/livez"); got != 0 {
		t.Errorf("it still answers %d", got)
	}
	if p.stdout.String() != "" {
		t.Errorf("stdout holds %q", p.stdout.String())
	}
}

// TestServerLetsRequestsFinish: a request that is under way at the shutdown gets its answer, and no other is let in.
func TestServerLetsRequestsFinish(t *testing.T) {
	p := &process{log: newLogger(settings.Settings{LogFormat: "json"}, &output{}), settings: settings.Settings{ShutdownGrace: 10 * time.Second}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	base := "http://" + l.Addr().String()
	begun, finish := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	served, answered := make(chan error, 1), make(chan int, 1)
	go func() {
		served <- p.serveHTTP(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				close(begun)
				<-finish
				w.WriteHeader(http.StatusTeapot)
			}
		}))
	}()
	go func() { answered <- get(t, base+"/slow") }()
	<-begun
	cancel()
	redistest.Await(t, 5*time.Second, "the listener to close", func() bool { return get(t, base) == 0 })
	close(finish)
	if got := <-answered; got != http.StatusTeapot {
		t.Errorf("the request under way got %d, want its answer", got)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestServerWarnsOfEviction(t *testing.T) {
	r := redistest.Own(t, "--maxmemory-policy", "allkeys-lru")
	p, _ := startServer(t, "REDIS_URL="+r.URL())
	p.stderr.await(t, 5*time.Second, "JOBS MAY BE LOST")
	if code := p.logged(t, "JOBS MAY BE LOST", "code"); code != "redis-evicting" {
		t.Errorf("its code is %s", code)
	}
}

func TestServerStartsWithoutRedis(t *testing.T) {
	r := redistest.Embedded(t)
	r.Stop(t)
	p, addr := startServer(t, "REDIS_URL="+r.URL())
	if got := get(t, "http://"+addr+"/livez"); got != 200 {
		t.Errorf("livez answers %d, want 200", got)
	}
	if got := get(t, "http://"+addr+"/readyz"); got != 503 {
		t.Errorf("readyz answers %d, want 503", got)
	}
	p.stderr.await(t, 5*time.Second, `"code":"redis-unavailable"`)
	r.Start(t)
	redistest.Await(t, 2*time.Second, "it to be ready", func() bool { return get(t, "http://"+addr+"/readyz") == 200 })
	p.stderr.await(t, 2*healthEvery, "Redis is back")
	p.stop()
	if code := p.exit(t, 5*time.Second); code != exitOK {
		t.Errorf("exit %d, want 0", code)
	}
}

func TestTakenPortNamesItsSetting(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	redis := "REDIS_URL=" + redistest.Any(t).URL()
	for _, c := range []struct {
		run     Program
		args    []string
		setting string
	}{
		{Server, nil, "HTTP_ADDR"},
		{Punctual, []string{"dev"}, "HTTP_ADDR"},
		{Jobqueue, nil, "WORKER_HTTP_ADDR"},
	} {
		p := start(t, c.run, c.args, redis, c.setting+"="+taken)
		if code := p.exit(t, 10*time.Second); code != exitFailed {
			t.Errorf("%s: exit %d, want 1", c.setting, code)
		}
		for _, text := range []string{c.setting + ": " + taken + " is taken", "such as " + c.setting + "=127.0.0.1:"} {
			if !strings.Contains(p.stderr.String(), text) {
				t.Errorf("%s: it says %q, not %q", c.setting, p.stderr.String(), text)
			}
		}
	}
}

// TestNewerLayoutStopsTheStart: data of a version that this one does not know must not be touched.
func TestNewerLayoutStopsTheStart(t *testing.T) {
	r := redistest.Embedded(t)
	ctx := t.Context()
	if err := r.Client().SAdd(ctx, "punctual:queues", "default").Err(); err != nil {
		t.Fatal(err)
	}
	if err := r.Client().HSet(ctx, "punctual:{default}:meta", "layout", 99).Err(); err != nil {
		t.Fatal(err)
	}
	for name, run := range programs {
		var args []string
		if name == "punctual" {
			args = []string{"dev"}
		}
		p := start(t, run, args, "REDIS_URL="+r.URL(), "HTTP_ADDR=127.0.0.1:0", "WORKER_HTTP_ADDR=")
		if code := p.exit(t, 10*time.Second); code != exitFailed || !strings.Contains(p.stderr.String(), "layout 99") {
			t.Errorf("%s: exit %d, %q; want exit 1 and a sentence", name, code, p.stderr.String())
		}
	}
}

// TestServerDrainsBeforeItCloses: for SHUTDOWN_DRAIN it says that it is not ready, and answers all the same.
func TestServerDrainsBeforeItCloses(t *testing.T) {
	p, addr := startServer(t, "REDIS_URL="+redistest.Any(t).URL(), "SHUTDOWN_DRAIN=3s")
	if got := get(t, "http://"+addr+"/readyz"); got != 200 {
		t.Fatalf("readyz answers %d", got)
	}
	p.stop()
	redistest.Await(t, 5*time.Second, "it not to be ready", func() bool { return get(t, "http://"+addr+"/readyz") == 503 })
	for path, want := range map[string]int{"/livez": 200, registerPath: 405} {
		if got := get(t, "http://"+addr+path); got != want {
			t.Errorf("while it drains, GET %s answers %d, want %d", path, got, want)
		}
	}
	if code := p.exit(t, 10*time.Second); code != exitOK {
		t.Errorf("exit %d, want 0", code)
	}
}

// TestServerSpeaksUnencryptedHTTP2, and HTTP/1.1 on the same port.
func TestServerSpeaksUnencryptedHTTP2(t *testing.T) {
	p, addr := startServer(t, "REDIS_URL="+redistest.Any(t).URL())
	for major, set := range map[int]func(*http.Protocols){
		1: func(p *http.Protocols) { p.SetHTTP1(true) },
		2: func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) },
	} {
		var protocols http.Protocols
		set(&protocols)
		transport := &http.Transport{Protocols: &protocols}
		resp, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Get("http://" + addr + "/livez")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if transport.CloseIdleConnections(); resp.StatusCode != 200 || resp.ProtoMajor != major {
			t.Errorf("it answers %d by %s, want HTTP/%d", resp.StatusCode, resp.Proto, major)
		}
	}
	p.stop()
	if code := p.exit(t, 5*time.Second); code != exitOK {
		t.Errorf("exit %d, want 0", code)
	}
}

// TestAbsentJWKSServerStopsNothing: neither the start nor the tokens of a secret.
func TestAbsentJWKSServerStopsNothing(t *testing.T) {
	p, addr := startServer(t, "REDIS_URL="+redistest.Any(t).URL(), "JWT_JWKS_URL=http://127.0.0.1:1/", "JWT_ISSUER=i", "JWT_AUDIENCE=a")
	p.stderr.await(t, 5*time.Second, "cannot read the keys of the tokens")
	if got := get(t, "http://"+addr+"/readyz"); got != 200 {
		t.Errorf("readyz answers %d", got)
	}
}
