package faults

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/faults/history"
	"github.com/punctualq/punctual/integration/programs"
	"github.com/punctualq/punctual/integration/redistest"
)

// secret signs the tokens of the fault tests; the processes get it as JWT_SECRET.
const secret = "a secret of the fault tests and of nobody else"

// built are our programs, for all rows.
var built = programs.In("../..", "./cmd/server", "./cmd/jobqueue", "./cmd/punctual", "./integration/hostile")

// Process is one of our own programs.
type Process struct {
	Addr string        // of its HTTP server
	Gone chan struct{} // closed when it has exited

	t       testing.TB
	name    string
	history string           // its file
	asleep  []history.Asleep // when it was stopped; without its name
	cmd     *exec.Cmd
	stdout  programs.Output
	stderr  programs.Output
}

// start runs a program and ends it with the test, by pid.
func start(t testing.TB, env []string, name string, command ...string) *Process {
	t.Helper()
	p := &Process{t: t, name: name, Gone: make(chan struct{}), Addr: programs.FreeAddr(t)}
	p.cmd = exec.Command(command[0], command[1:]...)
	p.cmd.Env = append(os.Environ(), "APP_ENV=develop", "JWT_SECRET="+secret, "HTTP_ADDR="+p.Addr, "WORKER_HTTP_ADDR="+p.Addr,
		"LOG_FORMAT=json")
	p.cmd.Env = append(p.cmd.Env, env...) // of two the last counts
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.WaitDelay = 5 * time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.Gone)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		_ = p.cmd.Process.Kill()
		<-p.Gone
		if t.Failed() {
			t.Logf("%s (pid %d), the end of its stderr:\n%s", name, p.Pid(), programs.Tail(p.Log(), 40))
		}
	})
	return p
}

// Pid is its process id: workers have it in their id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Log is what it wrote to stderr so far.
func (p *Process) Log() string { return p.stderr.String() }

// Stdout is what its jobs printed so far.
func (p *Process) Stdout() string { return p.stdout.String() }

// Running tells whether it has not exited.
func (p *Process) Running() bool {
	select {
	case <-p.Gone:
		return false
	default:
		return true
	}
}

// Signal sends it a signal.
func (p *Process) Signal(s syscall.Signal) {
	p.t.Helper()
	switch last := len(p.asleep) - 1; {
	case s == syscall.SIGSTOP:
		p.asleep = append(p.asleep, history.Asleep{From: history.Now(), To: math.MaxInt64})
	case s == syscall.SIGCONT && last >= 0:
		defer func() { p.asleep[last].To = history.Now() }()
	}
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %v to %s: %v", s, p.name, err)
	}
}

// Kill is kill -9; it returns when the process is gone.
func (p *Process) Kill() {
	p.t.Helper()
	p.Signal(syscall.SIGKILL)
	<-p.Gone
}

// AwaitExit waits for its end and returns the exit code.
func (p *Process) AwaitExit(within time.Duration) int {
	p.t.Helper()
	select {
	case <-p.Gone:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		p.t.Fatalf("%s (pid %d) still runs after %s", p.name, p.Pid(), within)
		return -1
	}
}

// AwaitLog waits for a text in its log.
func (p *Process) AwaitLog(within time.Duration, text string) {
	p.t.Helper()
	redistest.Await(p.t, within, fmt.Sprintf("%q in the log of %s", text, p.name), func() bool { return strings.Contains(p.Log(), text) })
}

// AwaitHTTP waits until a GET of path has the status.
func (p *Process) AwaitHTTP(path string, status int, within time.Duration) {
	p.t.Helper()
	redistest.Await(p.t, within, fmt.Sprintf("%s of %s to answer %d", path, p.name, status), func() bool { return p.Get(path) == status })
}

// Get returns the status of a GET, 0 if there is no answer.
func (p *Process) Get(path string) int {
	client := http.Client{Timeout: 2 * time.Second}
	res, err := client.Get("http://" + p.Addr + path)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}
