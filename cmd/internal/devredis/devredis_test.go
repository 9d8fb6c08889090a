package devredis

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/integration/redistest"
)

// asHelper makes this test binary a process that starts a Redis, names its address, and waits to be killed.
const asHelper = "PUNCTUAL_TEST_DEVREDIS_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(asHelper) != "" {
		s, err := Start(context.Background())
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(s.Addr)
		select {}
	}
	os.Exit(m.Run())
}

// ask sends one command and returns the first line of the reply.
func ask(addr, command string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return "", err
	}
	words := strings.Fields(command)
	request := fmt.Sprintf("*%d\r\n", len(words))
	for _, w := range words {
		request += fmt.Sprintf("$%d\r\n%s\r\n", len(w), w)
	}
	if _, err := conn.Write([]byte(request)); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}

func mustAsk(t *testing.T, s *Server, command, want string) {
	t.Helper()
	if got, err := ask(s.Addr, command); err != nil || got != want {
		t.Errorf("%s: %q, %v; want %s", command, got, err, want)
	}
}

// groupOf is the process group of a private redis-server.
func groupOf(t *testing.T, s *Server) int {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.Addr})
	defer c.Close()
	info, err := c.Info(t.Context(), "server").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(info, "process_id:")
	digits, _, _ := strings.Cut(rest, "\r\n")
	pid, err := strconv.Atoi(digits)
	if err != nil {
		t.Fatal(err)
	}
	group, err := syscall.Getpgid(pid)
	if err != nil {
		t.Fatal(err)
	}
	return group
}

func gone(s *Server) func() bool {
	return func() bool { _, err := ask(s.Addr, "PING"); return err != nil }
}

// needRedisServer ends a test where there is none to be started, as package redistest would.
func needRedisServer(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		redistest.Backends(t) // skips, or fails in CI, where there is no Redis at all
		t.Skip("needs redis-server on the PATH")
	}
}

// begin starts a Redis whose temporary folder is in a folder of the test's own.
func begin(t *testing.T) *Server {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	s, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func assertClean(t *testing.T) {
	t.Helper()
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("it left %v behind (%v)", left, err)
	}
}

func TestPrivateServer(t *testing.T) {
	needRedisServer(t)
	s := begin(t)
	if s.Embedded || s.URL() != "redis://"+s.Addr+"/0" {
		t.Errorf("got %+v, want a redis-server", s)
	}
	mustAsk(t, s, "SET k v", "+OK")
	assertClean(t)
	if child, own := groupOf(t, s), syscall.Getpgrp(); child != own {
		t.Errorf("it is in process group %d, not in this one, %d: what ends the group would leave it behind", child, own)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Watch(ctx); err != nil {
		t.Errorf("Watch of a context that ended: %v, want nil", err)
	}
	s.Stop()
	if !gone(s)() {
		t.Error("it still answers after Stop")
	}
	assertClean(t)
}

func TestWatchTellsThatItDied(t *testing.T) {
	needRedisServer(t)
	s := begin(t)
	watched := make(chan error, 1)
	go func() { watched <- s.Watch(t.Context()) }()
	_, _ = ask(s.Addr, "SHUTDOWN NOSAVE") // it answers by going away
	select {
	case err := <-watched:
		if err == nil || !strings.Contains(err.Error(), s.Addr) {
			t.Errorf("got %v, want an error that names %s", err, s.Addr)
		}
	case <-time.After(10 * time.Second):
		t.Error("it ended, and Watch did not tell")
	}
	s.Stop()
	assertClean(t)
}

func TestEmbedded(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	s := begin(t)
	if !s.Embedded || !strings.Contains(s.Why, "no redis-server") {
		t.Errorf("got %+v, want the embedded one, and why", s)
	}
	mustAsk(t, s, "SET k v PX 50", "+OK")
	redistest.Await(t, 5*time.Second, "a TTL to run out by itself", func() bool {
		got, err := ask(s.Addr, "EXISTS k")
		return err == nil && got == ":0"
	})
	s.Stop()
	if !gone(s)() {
		t.Error("it still answers after Stop")
	}
	assertClean(t)
}

// TestBrokenServer: a redis-server that does not start is told of, and replaced by the embedded one.
func TestBrokenServer(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho cannot start on a Monday\nexit 3\n"
	if err := os.WriteFile(filepath.Join(dir, "redis-server"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	s := begin(t)
	defer s.Stop()
	if !s.Embedded || !strings.Contains(s.Why, "cannot start on a Monday") {
		t.Errorf("got %+v, want the embedded one, and what the other said", s)
	}
	assertClean(t)
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "redis-server"), []byte("#!/bin/sh\nexec /bin/sleep 60\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if s, err := Start(ctx); err == nil {
		t.Errorf("got %+v, %v; want an error", s, err)
	}
	assertClean(t)
}

// TestEndsWithItsProcess: kill -9 of the process that started it takes the redis-server along, and leaves nothing.
func TestEndsWithItsProcess(t *testing.T) {
	needRedisServer(t)
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends a child with its parent")
	}
	helper := exec.Command(os.Args[0])
	t.Setenv("TMPDIR", t.TempDir())
	helper.Env = append(os.Environ(), asHelper+"=1")
	out, err := helper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	s := &Server{Addr: strings.TrimSpace(line)}
	if err != nil || gone(s)() {
		t.Errorf("the helper said %q (%v), and nothing answers there", line, err)
	}
	if err := helper.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = helper.Wait() // its error is the signal
	redistest.Await(t, 5*time.Second, "the redis-server to end", gone(s))
	assertClean(t)
}
