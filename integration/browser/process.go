package browser

import (
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/programs"
	"github.com/punctualq/punctual/integration/redistest"
)

// secret signs the tokens of these tests; the processes get it as JWT_SECRET.
const secret = "a secret of the browser tests and of nobody else"

// patience bounds every wait. It is long, since other tests have the processors too; nothing waits for it to pass.
const patience = time.Minute

// built are our programs, for all tests.
var built = programs.In("../..", "./cmd/server", "./cmd/jobqueue", "./integration/hostile")

// process is one of our own programs.
type process struct {
	addr string // of its HTTP server
	cmd  *exec.Cmd
	out  programs.Output
	gone chan struct{} // closed when it has exited
}

// start runs a program and ends it with the test, by pid.
func start(t testing.TB, env []string, command ...string) *process {
	t.Helper()
	p := &process{gone: make(chan struct{}), addr: programs.FreeAddr(t)}
	p.cmd = exec.Command(command[0], command[1:]...)
	p.cmd.Env = append(os.Environ(), "APP_ENV=develop", "JWT_SECRET="+secret, "HTTP_ADDR="+p.addr, "WORKER_HTTP_ADDR="+p.addr, "LOG_FORMAT=json")
	p.cmd.Env = append(p.cmd.Env, env...) // of two the last counts
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.WaitDelay = 5 * time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.gone)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM) // a server that is killed cannot tell its browsers
		_ = p.cmd.Process.Kill()
		<-p.gone
		if t.Failed() {
			t.Logf("%v, the end of what it printed:\n%s", command, programs.Tail(p.out.String(), 30))
		}
	})
	return p
}

// awaitLive waits until the process answers.
func (p *process) awaitLive(t testing.TB) {
	t.Helper()
	client := http.Client{Timeout: 2 * time.Second}
	redistest.Await(t, patience, "/livez to answer", func() bool {
		if p.exited() {
			t.Fatalf("%v has exited:\n%s", p.cmd.Args, programs.Tail(p.out.String(), 30))
		}
		res, err := client.Get("http://" + p.addr + "/livez")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

func (p *process) exited() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}
