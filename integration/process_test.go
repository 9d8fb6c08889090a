package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/integration/programs"
	"github.com/punctualq/punctual/integration/redistest"
)

// secret signs the tokens of these tests; the processes get it as JWT_SECRET.
const secret = "a secret of the integration tests only"

// built are our programs, for all tests.
var built = programs.In("..", "./cmd/server", "./cmd/jobqueue", "./cmd/punctual", "./integration/hostile")

func TestMain(m *testing.M) {
	code := m.Run()
	built.Remove()
	os.Exit(code)
}

// process is one of our own binaries, or a `go run` of one.
type process struct {
	cmd    *exec.Cmd
	stdout programs.Output
	stderr programs.Output
	gone   chan struct{} // closed when it has exited
	addr   string        // of its HTTP server
}

// start runs a command with the settings of these tests and ends it with the test, by pid.
func start(t *testing.T, r *redistest.Server, settings []string, command ...string) *process {
	t.Helper()
	p := &process{gone: make(chan struct{}), addr: programs.FreeAddr(t)}
	p.cmd = exec.Command(command[0], command[1:]...)
	p.cmd.Env = append(os.Environ(), "APP_ENV=develop", "REDIS_URL="+r.URL(), "JWT_SECRET="+secret,
		"HTTP_ADDR="+p.addr, "WORKER_HTTP_ADDR="+p.addr, "LOG_FORMAT=json")
	p.cmd.Env = append(p.cmd.Env, settings...)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.WaitDelay = 5 * time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.gone)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
		_ = p.cmd.Process.Kill()
		<-p.gone
		if t.Failed() {
			t.Logf("%v\nstdout:\n%s\nstderr:\n%s", command, p.stdout.String(), p.stderr.String())
		}
	})
	return p
}

func startServer(t *testing.T, r *redistest.Server, settings ...string) *process {
	t.Helper()
	p := start(t, r, settings, built.Path(t, "server"))
	p.awaitHTTP(t, "/livez", http.StatusOK, 10*time.Second)
	return p
}

func startJobqueue(t *testing.T, r *redistest.Server, settings ...string) *process {
	t.Helper()
	p := start(t, r, settings, built.Path(t, "jobqueue"))
	p.awaitHTTP(t, "/readyz", http.StatusOK, 20*time.Second)
	return p
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("signal %v: %v", s, err)
	}
}

// awaitExit waits for the end of the process and returns its exit code.
func (p *process) awaitExit(t *testing.T, within time.Duration) int {
	t.Helper()
	select {
	case <-p.gone:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		t.Fatalf("pid %d still runs after %s", p.cmd.Process.Pid, within)
		return -1
	}
}

func (p *process) awaitLog(t *testing.T, within time.Duration, text string) {
	t.Helper()
	redistest.Await(t, within, fmt.Sprintf("%q in the log", text), func() bool { return strings.Contains(p.stderr.String(), text) })
}

func (p *process) awaitHTTP(t *testing.T, path string, status int, within time.Duration) {
	t.Helper()
	redistest.Await(t, within, fmt.Sprintf("%s to answer %d", path, status), func() bool { return p.get(path) == status })
}

// get returns the status of a GET, 0 if there is no answer.
func (p *process) get(path string) int {
	client := http.Client{Timeout: 2 * time.Second}
	res, err := client.Get("http://" + p.addr + path)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// answer is what the API says.
type answer struct {
	status int
	took   time.Duration
	JobID  string `json:"job_id"`
	Code   string `json:"code"`
}

// register posts a job over HTTP.
func (p *process) register(t *testing.T, body string) answer {
	t.Helper()
	token, err := api.NewToken([]byte(secret), api.TokenClaims{Subject: "test", Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.addr+"/api/dm-jobqueue/register", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	begin := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	a := answer{status: res.StatusCode, took: time.Since(begin)}
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil && !errors.Is(err, io.EOF) {
		t.Fatalf("answer to %s: %v", body, err)
	}
	return a
}

// mustRegister posts a job that must be taken, and returns its id.
func (p *process) mustRegister(t *testing.T, body string) string {
	t.Helper()
	a := p.register(t, body)
	if a.status != http.StatusCreated {
		t.Fatalf("register %s: %d %s", body, a.status, a.Code)
	}
	return a.JobID
}

// onEveryRedis runs a test with each kind of real Redis that works here: containers and processes.
func onEveryRedis(t *testing.T, test func(t *testing.T, r *redistest.Server)) {
	t.Parallel()
	for _, backend := range redistest.Backends(t) {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			test(t, redistest.OwnOn(t, backend))
		})
	}
}
