// Package redistest gives tests a Redis: a container, a redis-server process,
// or, where neither can be had, the embedded one (miniredis).
//
// How to use this package:
//
//   - Any(t) is one server that all tests of a test binary share, each under a
//     queue name of its own (Queue(t)). Use it unless the test needs more.
//   - Own(t, args...) is a real Redis for this test alone, with extra
//     redis-server arguments; it can be paused, stopped, killed and started
//     again. Cluster(t) is the same with cluster mode on. Where there is no
//     real Redis such a test is skipped, and with CI=true it fails.
//   - Backends(t) with OwnOn(t, backend, args...) runs one test on every kind
//     of real Redis that works here.
//   - Embedded(t) is always miniredis.
//   - NewProxy(t, addr) stands between a client and a server and loses what it
//     is told to lose. AssertConserved(t, client, queue) checks the conservation
//     rule. Await waits for a condition, so no test sleeps.
//
// PUNCTUAL_TEST_REDIS=auto|docker|process|embedded chooses, auto by default.
// PUNCTUAL_TEST_REDIS_SERVER names the redis-server or valkey-server program, PUNCTUAL_TEST_REDIS_IMAGE the image.
// NewSentinels(t, replicas) and NewCluster(t, masters, replicas) are groups of processes, each node a Server.
// No server outlives the test binary, even one that is killed. Nothing here
// ever touches a Redis that it did not start.
package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// The back ends, as Server.Backend and PUNCTUAL_TEST_REDIS name them.
const (
	Docker    = "docker"
	Process   = "process"
	embedded  = "embedded"
	operation = 2 * time.Minute // bound of one start, stop, pause, ...
)

// engine is one way to run one Redis on a fixed port of 127.0.0.1.
// start returns once Redis answers; stop and kill once it is gone.
type engine interface {
	start(ctx context.Context) error
	stop(ctx context.Context) error
	kill(ctx context.Context) error
	pause(ctx context.Context) error
	resume(ctx context.Context) error
	remove() // ends it in whatever state it is, and leaves nothing behind
	pid() int
}

// Server is a Redis as one test sees it.
type Server struct {
	engine  engine
	backend string
	port    int
	shared  bool
	client  *redis.Client
}

func newServer(t testing.TB, e engine, backend string, port int, shared bool) *Server {
	s := &Server{engine: e, backend: backend, port: port, shared: shared}
	s.client = redis.NewClient(&redis.Options{
		Addr:                     s.Addr(),
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	t.Cleanup(func() { _ = s.client.Close() })
	return s
}

// Addr is host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL is what REDIS_URL takes.
func (s *Server) URL() string { return "redis://" + s.Addr() + "/0" }

// Client is a plain client for looking at keys; it is closed when the test ends.
func (s *Server) Client() *redis.Client { return s.client }

// Backend is docker, process or embedded.
func (s *Server) Backend() string { return s.backend }

// Pid is the process id of a redis-server process, 0 for the other back ends.
func (s *Server) Pid() int { return s.engine.pid() }

// Pause makes Redis hang: connections stay open, nothing is answered.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	s.operate(t, "pause", s.engine.pause)
}

// Resume ends Pause.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	s.operate(t, "resume", s.engine.resume)
}

// Stop shuts Redis down in good order. Its data and its port are kept for Start.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.operate(t, "stop", s.engine.stop)
}

// Kill ends Redis with SIGKILL. What it had answered is on disk: Start finds it.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.operate(t, "kill", s.engine.kill)
}

// Start starts a stopped or killed Redis again, on the same port with the same data.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.operate(t, "start", s.engine.start)
}

// Config is CONFIG SET.
func (s *Server) Config(t testing.TB, key, value string) {
	t.Helper()
	s.operate(t, "configure", func(ctx context.Context) error {
		return s.client.ConfigSet(ctx, key, value).Err()
	})
}

func (s *Server) operate(t testing.TB, verb string, do func(context.Context) error) {
	t.Helper()
	if s.shared {
		t.Fatalf("cannot %s the Redis that all tests share: use redistest.Own(t)", verb)
	}
	ctx, cancel := context.WithTimeout(context.Background(), operation)
	defer cancel()
	if err := do(ctx); err != nil {
		t.Fatalf("%s Redis (%s, %s): %v", verb, s.backend, s.Addr(), err)
	}
}

// Await polls cond until it holds and fails the test if that takes longer than within.
// Call it from the goroutine of the test.
func Await(t testing.TB, within time.Duration, what string, cond func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	err := poll(ctx, func() error {
		if cond() {
			return nil
		}
		return errors.New("not yet")
	})
	if err != nil {
		t.Fatalf("awaited in vain for %s: %s", within, what)
	}
}

// permanent is an error that makes poll give up.
type permanent struct{ error }

// poll repeats try every few milliseconds until it answers nil or ctx ends.
func poll(ctx context.Context, try func() error) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil || errors.As(err, new(permanent)) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (last: %w)", ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// tail is the end of a log.
func tail(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}
