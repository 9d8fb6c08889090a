package integration

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

// TestKillOfGoRun: `kill <PID>` of a `go run` leaves its child alive, for go run does not pass SIGTERM on. The child
// notices and shuts down in order: no orphan goes on with old code.
func TestKillOfGoRun(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r *redistest.Server) {
		for _, what := range []string{"jobqueue", "server"} {
			t.Run(what, func(t *testing.T) {
				p := start(t, r, []string{"SHUTDOWN_GRACE=1s"}, "go", "run", "../cmd/"+what+"/main.go")
				p.awaitHTTP(t, "/readyz", http.StatusOK, 2*time.Minute) // it is compiled first
				p.signal(t, syscall.SIGTERM)
				redistest.Await(t, 5*time.Second, "the child of go run to be gone", func() bool { return p.get("/livez") == 0 })
				p.awaitLog(t, time.Second, "go run")
				if keys := keysLike(t, r.Client(), "punctual:*:heartbeat:*"); len(keys) > 0 {
					t.Errorf("it left without deregistering: %v", keys)
				}
				redistest.AssertConserved(t, r.Client(), "default")
			})
		}
	})
}

// TestOtherParentsAreNoGoRun: a process whose parent goes away, but was no go run, stays (nohup, a service manager).
func TestOtherParentsAreNoGoRun(t *testing.T) {
	t.Parallel()
	r := redistest.Own(t)
	p := start(t, r, nil, "sh", "-c", built.Path(t, "jobqueue")+` & echo $! >&2; wait`)
	p.awaitHTTP(t, "/readyz", http.StatusOK, 20*time.Second)
	line, _, _ := strings.Cut(p.stderr.String(), "\n")
	child, err := os.FindProcess(int(mustInt(strings.TrimSpace(line))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Signal(syscall.SIGKILL) })
	p.signal(t, syscall.SIGKILL) // the shell only
	watch := time.NewTimer(3 * time.Second)
	<-watch.C // longer than it takes to notice a go run that is gone
	if status := p.get("/readyz"); status != http.StatusOK {
		t.Errorf("readyz = %d after the parent shell was killed, want 200", status)
	}
	if err := child.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	redistest.Await(t, 10*time.Second, "it to stop when told", func() bool { return p.get("/livez") == 0 })
}
