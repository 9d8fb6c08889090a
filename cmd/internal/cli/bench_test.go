package cli

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

// empty fails the test if anything is left in a Redis.
func empty(t *testing.T, s *redistest.Server) {
	t.Helper()
	if keys, err := s.Client().Keys(context.Background(), "*").Result(); err != nil || len(keys) > 0 {
		t.Errorf("left: %v, %v", keys, err)
	}
}

func TestBench(t *testing.T) {
	s := redistest.Own(t)
	e := command(t.Context(), nil, nil, "REDIS_URL="+s.URL(), "bench", "--json")
	var m measured
	if err := json.Unmarshal([]byte(e.stdout), &m); err != nil || e.code != exitOK || e.stderr != "" {
		t.Fatalf("exit %d, %v: %q %q", e.code, err, e.stdout, e.stderr)
	}
	if m.OneByOne <= 0 || m.InBulk <= 0 || m.Drained <= 0 || m.LatenessP99 < m.LatenessP50 || m.LatenessP50 < 0 || m.CPUs < 1 || m.Redis != s.Addr() {
		t.Errorf("%+v", m)
	}
	empty(t, s)
}

// Ctrl+C in the middle leaves nothing behind either.
func TestBenchThatIsInterrupted(t *testing.T) {
	s := redistest.Own(t)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	ended := make(chan commandEnd, 1)
	go func() { ended <- command(ctx, nil, nil, "REDIS_URL="+s.URL(), "bench") }()
	redistest.Await(t, 20*time.Second, "the first jobs", func() bool {
		keys, err := s.Client().Keys(t.Context(), "punctual:{bench-*}:jobs").Result()
		return err == nil && len(keys) == 1
	})
	interrupt()
	if e := <-ended; e.code != exitInterrupted || e.stdout != "" || e.stderr != "punctual bench: interrupted\n" {
		t.Errorf("exit %d: %q %q", e.code, e.stdout, e.stderr)
	}
	empty(t, s)
}

func TestBenchWithoutRedis(t *testing.T) {
	e := command(t.Context(), nil, nil, "REDIS_URL=redis://127.0.0.1:1", "bench")
	if e.code != exitFailed || e.stdout != "" {
		t.Errorf("exit %d: %q", e.code, e.stdout)
	}
	tells(t, e.stderr, "127.0.0.1:1", "REDIS_URL")
}
