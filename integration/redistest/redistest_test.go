package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// onEveryBackend runs a test on each real back end that works here.
func onEveryBackend(t *testing.T, test func(t *testing.T, backend string)) {
	for _, backend := range Backends(t) {
		t.Run(backend, func(t *testing.T) { test(t, backend) })
	}
}

// ping asks on a connection of its own, so that no pool remembers an outage.
func ping(s *Server) error {
	c := redis.NewClient(&redis.Options{Addr: s.Addr(), MaxRetries: -1, DialTimeout: time.Second, ReadTimeout: 200 * time.Millisecond})
	defer c.Close()
	return c.Ping(context.Background()).Err()
}

func TestDataAndPortOutliveStopAndKill(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, backend string) {
		s := OwnOn(t, backend)
		ends := []struct {
			how string
			end func(testing.TB)
		}{{"stop", s.Stop}, {"kill", s.Kill}}
		for _, e := range ends {
			if err := s.Client().Set(t.Context(), e.how, "kept", 0).Err(); err != nil {
				t.Fatal(err)
			}
			e.end(t)
			if err := ping(s); err == nil {
				t.Fatalf("it still answers after %s", e.how)
			}
			s.Start(t)
			if got := s.Client().Get(t.Context(), e.how).Val(); got != "kept" {
				t.Errorf("after %s and start the key holds %q", e.how, got)
			}
		}
	})
}

func TestPausedRedisHangsUntilItIsResumed(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, backend string) {
		s := OwnOn(t, backend)
		s.Pause(t)
		var timeout net.Error
		if err := ping(s); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("a paused Redis gave %v, not a time-out", err)
		}
		s.Resume(t)
		Await(t, 5*time.Second, "an answer after resume", func() bool { return ping(s) == nil })
	})
}

func TestOwnTakesArgumentsAndConfig(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, backend string) {
		s := OwnOn(t, backend, "--maxmemory", "7mb")
		if got := s.Client().ConfigGet(t.Context(), "maxmemory").Val()["maxmemory"]; got != "7340032" {
			t.Errorf("maxmemory is %q", got)
		}
		s.Config(t, "maxmemory", "0")
		if got := s.Client().ConfigGet(t.Context(), "maxmemory").Val()["maxmemory"]; got != "0" {
			t.Errorf("after Config, maxmemory is %q", got)
		}
		if s.Backend() != backend || (s.Pid() != 0) != (backend == Process) {
			t.Errorf("it says backend %q, pid %d", s.Backend(), s.Pid())
		}
		options, err := redis.ParseURL(s.URL())
		if err != nil || options.Addr != s.Addr() {
			t.Errorf("URL %q leads to %v, %v", s.URL(), options, err)
		}
	})
}

func TestOwnIsGoneWhenItsTestEnds(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, backend string) {
		var s *Server
		t.Run("inner", func(t *testing.T) { s = OwnOn(t, backend) })
		if s == nil {
			t.Fatal("no server was started")
		}
		if err := ping(s); err == nil {
			t.Errorf("%s still answers", s.Addr())
		}
		if err := s.Client().Ping(t.Context()).Err(); !errors.Is(err, redis.ErrClosed) {
			t.Errorf("its client is not closed: %v", err)
		}
	})
}

func TestABadArgumentIsReportedWithTheLog(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, backend string) {
		got := failure(t, func(t testing.TB) { OwnOn(t, backend, "--no-such-option", "1") })
		if !strings.Contains(got, "no-such-option") {
			t.Errorf("the failure does not show what Redis said: %s", got)
		}
	})
}

func TestAnyIsOneServerThatCannotBeStopped(t *testing.T) {
	a, b := Any(t), Any(t)
	if a.Addr() != b.Addr() {
		t.Errorf("two servers: %s and %s", a.Addr(), b.Addr())
	}
	if err := a.Client().Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
	if got := failure(t, a.Stop); !strings.Contains(got, "use redistest.Own") {
		t.Errorf("Stop said %q", got)
	}
	if err := ping(a); err != nil {
		t.Errorf("after the refused Stop: %v", err)
	}
}

func TestEmbeddedTTLsRunWithTheClock(t *testing.T) {
	s := Embedded(t)
	c := s.Client()
	c.Set(t.Context(), "kept", "yes", 0)
	if err := c.Set(t.Context(), "short", "yes", 20*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	Await(t, 5*time.Second, "the end of a key with a TTL", func() bool { return c.Exists(t.Context(), "short").Val() == 0 })
	s.Stop(t)
	if err := ping(s); err == nil {
		t.Error("it answers after Stop")
	}
	s.Start(t)
	if got := c.Get(t.Context(), "kept").Val(); got != "yes" {
		t.Errorf("after Start the key holds %q", got)
	}
	if got := failure(t, s.Pause); !strings.Contains(got, "redistest.Own") {
		t.Errorf("Pause said %q", got)
	}
}

func TestClusterServesEverySlot(t *testing.T) {
	s := Cluster(t)
	c := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{s.Addr()}})
	defer c.Close()
	for i := range 20 { // twenty keys without a hash tag lie in about twenty slots
		key := fmt.Sprint("key", i)
		if err := c.Set(t.Context(), key, i, 0).Err(); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
	}
	if err := s.Client().MGet(t.Context(), "key1", "key2").Err(); err == nil || !strings.Contains(err.Error(), "CROSSSLOT") {
		t.Errorf("keys of two slots in one command gave %v", err)
	}
}

func TestQueueNamesAreValidAndUnique(t *testing.T) {
	valid, seen := regexp.MustCompile(`^[a-z0-9_-]{1,64}$`), map[string]bool{}
	t.Run("Ünusual name/with a LONG tail "+strings.Repeat("x", 100), func(t *testing.T) {
		for range 3 {
			name := Queue(t)
			if !valid.MatchString(name) || seen[name] {
				t.Errorf("queue name %q", name)
			}
			seen[name] = true
		}
	})
}

func TestAPortTakenMeanwhileIsReplaced(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		skip(t)
	}
	tries := 0
	e, port, err := launch(func(port int) engine {
		if tries++; tries == 1 {
			l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
		}
		return &process{port: port, dir: t.TempDir()}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.remove)
	if _, err := answers(port); err != nil || tries != 2 {
		t.Errorf("after %d tries: %v", tries, err)
	}
}

// The kernel ties the parent-death signal to a thread: ours must not be that of the test.
func TestAProcessOutlivesTheThreadThatAskedForIt(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		skip(t)
	}
	var e engine
	var port int
	var err error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // never unlocked, so the thread ends with the goroutine
		e, port, err = launch(func(port int) engine { return &process{port: port} })
	}()
	<-ended
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.remove)
	for range 20 { // twenty round trips are time enough for a signal to arrive
		if _, err := answers(port); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNothingOutlivesAKilledTestBinary(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, backend string) {
		for _, kind := range []string{"any", "own"} {
			cmd, lines := self(t, "TestHelperHold", "PUNCTUAL_TEST_REDIS="+backend, "REDISTEST_HOLD="+kind)
			addr := <-lines
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatalf("%s: the helper's Redis at %q: %v", kind, addr, err)
			}
			_ = conn.Close()
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			Await(t, 20*time.Second, kind+" to be gone", func() bool {
				conn, err := net.Dial("tcp", addr)
				if err == nil {
					_ = conn.Close()
				}
				return err != nil
			})
		}
	})
}

func TestSkipIsOneLineAndAFailureInCI(t *testing.T) {
	noted := filepath.Join(t.TempDir(), "skipped")
	env := []string{"PUNCTUAL_TEST_REDIS=embedded", "REDISTEST_HOLD=own", "PUNCTUAL_TEST_SKIPPED=" + noted}
	out, err := selfCommand("TestHelperHold", append(env, "CI=")...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "needs a real Redis: TestHelperHold\n") {
		t.Errorf("without CI: %v\n%s", err, out)
	}
	if names, err := os.ReadFile(noted); err != nil || string(names) != "TestHelperHold\n" {
		t.Errorf("noted %q, %v", names, err)
	}
	out, err = selfCommand("TestHelperHold", append(env, "CI=true")...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "needs a real Redis: TestHelperHold") {
		t.Errorf("with CI=true: %v\n%s", err, out)
	}
}

func TestChoice(t *testing.T) {
	works, fails := func() error { return nil }, func() error { return errors.New("not here") }
	cases := []struct {
		mode            string
		docker, process func() error
		want            string
		refused         bool
	}{
		{"", works, works, "[docker process]", false},
		{"auto", works, fails, "[docker]", false},
		{"auto", fails, works, "[process]", false},
		{"auto", fails, fails, "[]", false},
		{"docker", works, works, "[docker process]", false},
		{"docker", fails, works, "[]", true},
		{"process", works, works, "[process]", false},
		{"process", works, fails, "[]", true},
		{"embedded", works, works, "[]", false},
		{"dcoker", works, works, "[]", true},
	}
	for _, c := range cases {
		got := choose(c.mode, c.docker, c.process)
		if fmt.Sprint(got.real) != c.want || (got.err != nil) != c.refused {
			t.Errorf("mode %q: %v, %v; want %s, refused %t", c.mode, got.real, got.err, c.want, c.refused)
		}
	}
}
