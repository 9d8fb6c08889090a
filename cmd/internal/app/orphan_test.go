package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

const (
	temporary = "/tmp/go-build2202987190/b001/exe/main"
	cached    = "/home/me/.cache/go-build/49/495a6147768172c5cb3d5c7b421e41bf991a08ed3d4398a431abdc091a632af8-d/main"
)

// TestOrphan: what a process is told whose parent ends after 10 s, and which ends itself after a minute.
func TestOrphan(t *testing.T) {
	for _, c := range []struct {
		name, executable, command string
		orphan                    bool
	}{
		{"go run", temporary, "go", true},
		{"go run, from its cache", cached, "go", true},
		{"go run under another wrapper", temporary, "dlv", false},
		{"service manager", "/usr/bin/jobqueue", "systemd", false},
		{"nohup in a shell", "/home/me/jobqueue", "bash", false},
		{"a program named go starts an installed one", "/usr/bin/jobqueue", "go", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var parent atomic.Int64
				parent.Store(70)
				time.AfterFunc(10*time.Second, func() { parent.Store(1) })
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				begin := time.Now()
				err := family{executable: c.executable, every: parentPoll, parent: func() int { return int(parent.Load()) },
					command: func(pid int) string {
						if pid != 70 {
							t.Errorf("asked for process %d, want the parent, 70", pid)
						}
						return c.command
					}}.orphaned(ctx)
				if errors.Is(err, errOrphan) != c.orphan {
					t.Errorf("got %v, want an orphan: %v", err, c.orphan)
				}
				if took := time.Since(begin) - 10*time.Second; c.orphan && (took < 0 || took > parentPoll) {
					t.Errorf("noticed after %s, want at most %s", took, parentPoll)
				}
			})
		})
	}
}

// TestOrphanThatWasSlow: the parent is gone before anybody asked for its name.
func TestOrphanThatWasSlow(t *testing.T) {
	parents := []int{70, 1, 1}
	f := family{executable: temporary, every: parentPoll, command: func(int) string { return "" },
		parent: func() int { p := parents[0]; parents = parents[1:]; return p }}
	if err := f.orphaned(t.Context()); !errors.Is(err, errOrphan) {
		t.Errorf("got %v, want %v", err, errOrphan)
	}
}

func TestThisProcessIsNotOfGoRun(t *testing.T) {
	if err := thisProcess().orphaned(t.Context()); err != nil {
		t.Error(err)
	}
	if got := commandOf(os.Getpid()); !strings.HasPrefix(got, "app") { // app.test, perhaps cut off
		t.Errorf("this process is called %q, want app.test", got)
	}
}

// TestKilledGoRun kills a real go run and waits for its child to end by itself: the child holds the pipe open.
func TestKilledGoRun(t *testing.T) {
	for _, run := range []string{"perhaps from a temporary folder", "from the build cache"} {
		t.Run(run, func(t *testing.T) {
			cmd := exec.Command("go", "run", "../../punctual/main.go", "dev")
			cmd.Env = append(os.Environ(), "APP_ENV=develop", "HTTP_ADDR=127.0.0.1:0", "REDIS_URL=", "JWT_SECRET=", "QUEUES=", "SHUTDOWN_GRACE=1s")
			pipe, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer pipe.Close()
			cmd.Stderr = write
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			write.Close()
			if err := pipe.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil { // it may be compiled first
				t.Fatal(err)
			}
			told, buffer := []byte{}, make([]byte, 4096)
			for !bytes.Contains(told, []byte("Registered job")) {
				n, err := pipe.Read(buffer)
				if told = append(told, buffer[:n]...); err != nil {
					_ = cmd.Process.Kill()
					t.Fatalf("%v before it was up; it said\n%s", err, told)
				}
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			killed := time.Now()
			_ = cmd.Wait() // its error is the signal
			if err := pipe.SetReadDeadline(killed.Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(pipe)
			if err != nil {
				t.Fatalf("the child of a killed go run still runs (%v); it said\n%s%s", err, told, rest)
			}
			if took := time.Since(killed); took > 5*time.Second {
				t.Errorf("it took %s, want at most 5s", took)
			}
			if !strings.Contains(string(rest), errOrphan.Error()) || !strings.Contains(string(rest), "Stopped.") {
				t.Errorf("it said\n%s\nwant why it stopped, and that it did so in order", rest)
			}
		})
	}
}
