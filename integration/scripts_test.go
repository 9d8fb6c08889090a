package integration

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/integration/programs"
	"github.com/punctualq/punctual/integration/redistest"
)

// workbench is a copy of scripts/, so that its .redis/ is not the developer's, with an
// environment in which no Docker engine answers.
type workbench struct {
	t    *testing.T
	dir  string
	port string
	env  []string
}

func newWorkbench(t *testing.T) *workbench {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "scripts"), os.DirFS("../scripts")); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(programs.FreeAddr(t))
	w := &workbench{t: t, dir: dir, port: port}
	w.env = append(os.Environ(), "REDIS_PORT="+port, "DOCKER_HOST=unix://"+dir+"/no-engine.sock")
	return w
}

// script prepares scripts/<name>.sh of the copy.
func (w *workbench) script(name string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command(filepath.Join(w.dir, "scripts", name+".sh"), args...)
	cmd.Env = w.env
	out := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, out
}

// run runs a script and checks its exit status and that its output says all of want.
func (w *workbench) run(status int, name, arg string, want ...string) string {
	w.t.Helper()
	cmd, out := w.script(name, arg)
	if err := cmd.Run(); cmd.ProcessState == nil {
		w.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != status {
		w.t.Fatalf("%s.sh %s: exit status %d, want %d\n%s", name, arg, got, status, out)
	}
	for _, text := range want {
		if !strings.Contains(out.String(), text) {
			w.t.Fatalf("%s.sh %s does not say %q:\n%s", name, arg, text, out)
		}
	}
	return out.String()
}

func (w *workbench) client() *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + w.port})
	w.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (w *workbench) pid() int {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, ".redis", "redis.pid"))
	if err != nil {
		w.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		w.t.Fatal(err)
	}
	return pid
}

func needRedisServer(t *testing.T) {
	t.Helper()
	if !slices.Contains(redistest.Backends(t), redistest.Process) {
		t.Fatal("this test starts redis-server: install it")
	}
}

func TestStartRedisAsAProcess(t *testing.T) {
	needRedisServer(t)
	w := newWorkbench(t)
	w.run(3, "start-redis", "status", "does not run")
	t.Cleanup(func() { w.run(0, "start-redis", "stop") })
	w.run(0, "start-redis", "start", "redis-server process", "127.0.0.1:"+w.port)
	w.run(0, "start-redis", "status", fmt.Sprint("process ", w.pid()))

	c, first := w.client(), w.pid()
	for setting, want := range map[string]string{"appendonly": "yes", "maxmemory-policy": "noeviction", "bind": "127.0.0.1"} {
		if got := c.ConfigGet(t.Context(), setting).Val()[setting]; got != want {
			t.Errorf("%s is %q, want %q", setting, got, want)
		}
	}
	if err := c.Set(t.Context(), "kept", "stop", 0).Err(); err != nil {
		t.Fatal(err)
	}
	w.run(0, "start-redis", "start", "runs already")
	if w.pid() != first {
		t.Errorf("the second start replaced process %d by %d", first, w.pid())
	}

	w.run(0, "start-redis", "stop", "stopped")
	if conn, err := net.Dial("tcp", "127.0.0.1:"+w.port); err == nil {
		_ = conn.Close()
		t.Error("something still listens after stop")
	}
	w.run(3, "start-redis", "status")
	w.run(0, "start-redis", "stop", "does not run")
	w.run(0, "start-redis", "start")
	if got := c.Get(t.Context(), "kept").Val(); got != "stop" {
		t.Errorf("after stop and start the key holds %q", got)
	}

	if err := syscall.Kill(w.pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	redistest.Await(t, 5*time.Second, "status to see the crash", func() bool {
		cmd, _ := w.script("start-redis", "status")
		_ = cmd.Run()
		return cmd.ProcessState.ExitCode() == 3
	})
	w.run(0, "start-redis", "start")
	if got := c.Get(t.Context(), "kept").Val(); got != "stop" {
		t.Errorf("after a crash and start the key holds %q", got)
	}
}

func TestStartRedisNamesWhoHoldsThePort(t *testing.T) {
	w := newWorkbench(t)
	l, err := net.Listen("tcp", "127.0.0.1:"+w.port)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	said := w.run(1, "start-redis", "start", "port "+w.port+" is taken", "REDIS_PORT=", "REDIS_URL=")
	if _, err := exec.LookPath("ss"); err == nil && !strings.Contains(said, fmt.Sprintf("(pid %d)", os.Getpid())) {
		t.Errorf("it does not name this process (%d):\n%s", os.Getpid(), said)
	}
	w.run(3, "start-redis", "status")
}

func TestStopLeavesAForeignRedisAlone(t *testing.T) {
	needRedisServer(t)
	w := newWorkbench(t)
	foreign := redistest.OwnOn(t, redistest.Process)
	// A pid file that is older than the process that has got its pid meanwhile.
	if err := os.Mkdir(filepath.Join(w.dir, ".redis"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, ".redis", "redis.pid"), []byte(strconv.Itoa(foreign.Pid())), 0o644); err != nil {
		t.Fatal(err)
	}
	w.run(3, "start-redis", "status")
	w.run(0, "start-redis", "stop", "does not run")
	if err := foreign.Client().Ping(t.Context()).Err(); err != nil {
		t.Errorf("the foreign Redis: %v", err)
	}
}

func TestScriptsExplainThemselves(t *testing.T) {
	w := newWorkbench(t)
	for _, name := range []string{"start-redis", "start-redis-insight"} {
		for _, arg := range []string{"", "restart", "--help"} {
			w.run(2, name, arg, "usage: scripts/"+name+".sh")
		}
	}
}

func TestStartRedisWithNeitherDockerNorRedisServer(t *testing.T) {
	w := newWorkbench(t)
	tools := t.TempDir()
	for _, tool := range []string{"bash", "cat", "dirname", "env", "ss", "sed", "head", "tr"} {
		if path, err := exec.LookPath(tool); err == nil {
			if err := os.Symlink(path, filepath.Join(tools, tool)); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.env = append(w.env, "PATH="+tools)
	w.run(1, "start-redis", "start", "neither Docker", "nor redis-server", "apt-get install redis-server", "make run")
	w.run(1, "start-redis-insight", "start", "needs Docker")
}
