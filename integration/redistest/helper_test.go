package redistest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// TestHelperHold is no test of its own: other tests run it in a second test binary, where it
// starts a Redis, prints its address and waits to be killed.
func TestHelperHold(t *testing.T) {
	var s *Server
	switch os.Getenv("REDISTEST_HOLD") {
	case "":
		t.Skip("only for tests that start it")
	case "any":
		s = Any(t)
	case "own":
		s = Own(t)
	}
	fmt.Printf("address %s\n", s.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func selfCommand(test string, env ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.v")
	cmd.Env = append(os.Environ(), env...)
	return cmd
}

// self starts this test binary again and gives the addresses that it prints. It is killed
// when the test ends.
func self(t *testing.T, test string, env ...string) (*exec.Cmd, <-chan string) {
	t.Helper()
	cmd := selfCommand(test, env...)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	addresses := make(chan string)
	go func() {
		defer close(addresses)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if addr, ok := strings.CutPrefix(lines.Text(), "address "); ok {
				addresses <- addr
			}
		}
	}()
	return cmd, addresses
}

// recorder is a testing.TB that keeps what it is told instead of failing the test.
type recorder struct {
	testing.TB
	said []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// failure runs do, which is expected to fail its test, and gives what it said.
func failure(t *testing.T, do func(testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(r)
	}()
	<-done
	if len(r.said) == 0 {
		t.Fatal("it did not fail")
	}
	return strings.Join(r.said, "\n")
}
