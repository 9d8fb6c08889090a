package integration

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/programs"
	"github.com/punctualq/punctual/integration/redistest"
)

// standInGo takes the place of go in the first stage: no image of it can be pulled in a test. It builds nothing, but wants to be
// called as a static build is, with the sources there, and gives the programs that this test has built.
const standInGo = `#!/bin/sh
set -eu
case "$1 ${2:-}" in
"mod download") [ -e go.mod ] && [ -e go.sum ] ;;
"build -trimpath")
	[ "$CGO_ENABLED" = 0 ] && [ -e queue/client.go ] && [ -e queue/lua/claim.lua ] && [ ! -e integration ] && [ ! -e queue/client_test.go ]
	mkdir /out
	for last; do
		case $last in ./cmd/*) [ -e "$last/main.go" ] && cp "/built/${last#./cmd/}" /out/ ;; esac
	done
	;;
*) exit 64 ;;
esac
`

// docker runs a docker command that must succeed.
func docker(t *testing.T, stdin []byte, args ...string) string {
	t.Helper()
	cmd := exec.Command("docker", args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// image builds scripts/deploy/Dockerfile, all of it but for the compiler, and returns the name of what came out.
func image(t *testing.T) string {
	t.Helper()
	busybox, err := exec.LookPath("busybox")
	if err != nil || exec.Command("docker", "version").Run() != nil {
		t.Skip("the image is not built: there is no Docker engine or no busybox here")
	}
	var base bytes.Buffer
	w := tar.NewWriter(&base)
	put := func(name string, text []byte) {
		t.Helper()
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	put("bin/go", []byte(standInGo))
	put("etc/ssl/certs/ca-certificates.crt", []byte("certificates\n"))
	static := t.TempDir() // nothing else is in the image
	compile := exec.Command("go", "build", "-o", static, "../cmd/server", "../cmd/jobqueue", "../cmd/punctual")
	compile.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for name, file := range map[string]string{"bin/sh": busybox, "bin/mkdir": busybox, "bin/cp": busybox,
		"built/server": static + "/server", "built/jobqueue": static + "/jobqueue", "built/punctual": static + "/punctual"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		put(name, text)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("punctual-test-%d", os.Getpid())
	t.Cleanup(func() { docker(t, nil, "rmi", "--force", name, name+"-build", name+"-base") })
	docker(t, base.Bytes(), "import", "-", name+"-base")
	build := []string{"build", "--file", deploy + "Dockerfile", "--build-arg", "GOLANG=" + name + "-base", "--build-arg", "VERSION=v9"}
	docker(t, nil, append(build, "--target", "build", "--tag", name+"-build", repository)...)
	docker(t, nil, append(build, "--tag", name, repository)...)
	return name
}

var imageToo = flag.Bool("image", false, "TestImage as well: it compiles all once more, without C")

// TestImage: the image has the programs alone, and they run as nobody with a file system that they cannot write.
func TestImage(t *testing.T) {
	if !*imageToo {
		t.Skip("only with -args -image")
	}
	needRedisServer(t)
	name := image(t)
	var config struct {
		User, Env    any
		Cmd          []string
		Labels       map[string]string
		Healthcheck  struct{ Test []string }
		ExposedPorts map[string]any
	}
	if err := json.Unmarshal([]byte(docker(t, nil, "image", "inspect", "--format", "{{json .Config}}", name)), &config); err != nil {
		t.Fatal(err)
	}
	if config.User != "65532:65532" || config.Cmd[0] != "server" || config.Labels["org.opencontainers.image.version"] != "v9" ||
		strings.Join(config.Healthcheck.Test, " ") != "CMD punctual probe http://127.0.0.1:8080/livez" {
		t.Errorf("the image says %+v", config)
	}
	r := redistest.OwnOn(t, redistest.Process)
	server := runImage(t, name, r, "server", "HTTP_ADDR", "JWT_SECRET="+secret, "SHUTDOWN_DRAIN=0s")
	runImage(t, name, r, "jobqueue", "WORKER_HTTP_ADDR")
	redistest.Await(t, 10*time.Second, "a worker to register", func() bool {
		keys, err := r.Client().Keys(t.Context(), "punctual:*:heartbeat:*").Result()
		return err == nil && len(keys) == 1
	})
	if docker(t, nil, "stop", "--time", "20", server); docker(t, nil, "inspect", "--format", "{{.State.ExitCode}}", server) != "0" {
		t.Errorf("the API did not end well:\n%s", docker(t, nil, "logs", server))
	}
	wrong := exec.Command("docker", "run", "--rm", name) // no secret
	if out, err := wrong.CombinedOutput(); wrong.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "JWT_SECRET is not set") {
		t.Errorf("without a secret: %v\n%s", err, out)
	}
}

// runImage starts a program of the image and returns its container when it is ready, by its own word and by that of the probe
// inside.
func runImage(t *testing.T, name string, r *redistest.Server, program, address string, settings ...string) string {
	t.Helper()
	p := &process{addr: programs.FreeAddr(t)}
	args := []string{"run", "--detach", "--network", "host", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"}
	for _, s := range append(settings, "REDIS_URL="+r.URL(), address+"="+p.addr) {
		args = append(args, "--env", s)
	}
	container := docker(t, nil, append(args, name, program)...)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s:\n%s", program, docker(t, nil, "logs", container))
		}
		docker(t, nil, "rm", "--force", container)
	})
	p.awaitHTTP(t, "/readyz", http.StatusOK, 20*time.Second)
	if said := docker(t, nil, "exec", container, "punctual", "probe", "http://"+p.addr+"/readyz"); said != `{"status":"ready"}` {
		t.Errorf("the probe in the container of %s says %s", program, said)
	}
	return container
}
