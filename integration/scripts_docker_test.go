package integration

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

// standIn is a docker command that records its arguments and behaves by the files beside it:
// "pullable" if images can be had, running-<name> for each container that runs.
const standIn = `#!/bin/sh
here=$(dirname "$0")
echo "$*" >>"$here/calls"
for last; do :; done
case "$1 $2" in
"context inspect") echo unix:///stand-in.sock ;;
"version "*) ;;
"image inspect") [ -e "$here/pulled" ] ;;
"pull "*) [ -e "$here/pullable" ] && touch "$here/pulled" ;;
"inspect "*) [ -e "$here/running-$last" ] && echo true ;;
"network inspect") exit 1 ;;
"run "*) touch "$here/running-$4" ;;
"stop "*) rm "$here/running-$2" ;;
"rm "*) ;;
"network create") ;;
"port "*) echo 127.0.0.1:$REDIS_PORT ;;
*) exit 125 ;;
esac
`

// withDocker puts the stand-in on the PATH of a workbench and gives its folder.
func withDocker(t *testing.T, w *workbench, pullable bool) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(standIn), 0o755); err != nil {
		t.Fatal(err)
	}
	if pullable {
		touch(t, dir, "pullable")
	}
	w.env = append(w.env, "PATH="+dir+":"+os.Getenv("PATH"))
	return dir
}

func touch(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

// calls lists the recorded calls of one docker command.
func calls(t *testing.T, dir, command string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "calls"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool {
		return !strings.HasPrefix(line, command+" ")
	})
}

func expectCalls(t *testing.T, dir, command string, want ...string) {
	t.Helper()
	if got := calls(t, dir, command); !slices.Equal(got, want) {
		t.Errorf("docker %s was called with\n  %s\nwant\n  %s", command, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// answerPong listens where the container would, and answers as Redis does.
func answerPong(t *testing.T, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("+PONG\r\n"))
			_ = conn.Close()
		}
	}()
}

func TestStartRedisAsAContainer(t *testing.T) {
	w := newWorkbench(t)
	docker := withDocker(t, w, true)
	cmd, out := w.script("start-redis", "start")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	redistest.Await(t, 20*time.Second, "docker run", func() bool { return len(calls(t, docker, "run")) > 0 })
	answerPong(t, w.port) // only now: start must wait for Redis to answer
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if want := "Redis started: container punctual-redis on 127.0.0.1:" + w.port; !strings.Contains(out.String(), want) {
		t.Errorf("it does not say %q:\n%s", want, out)
	}
	run := fmt.Sprintf("run --detach --name punctual-redis --network punctual"+
		" --publish 127.0.0.1:%s:6379 --volume punctual-redis:/data redis:7-alpine"+
		" redis-server --dir /data --protected-mode no --appendonly yes --maxmemory-policy noeviction", w.port)
	w.run(0, "start-redis", "start", "runs already")
	w.run(0, "start-redis", "status", "container punctual-redis")
	expectCalls(t, docker, "run", run)
	expectCalls(t, docker, "pull", "pull --quiet redis:7-alpine")
	expectCalls(t, docker, "network", "network inspect punctual", "network create punctual")

	w.run(0, "start-redis", "stop", "stopped")
	expectCalls(t, docker, "stop", "stop punctual-redis")
	w.run(3, "start-redis", "status", "does not run")
}

func TestStartRedisTakesAnEngineWithoutTheImageForNone(t *testing.T) {
	needRedisServer(t)
	w := newWorkbench(t)
	docker := withDocker(t, w, false)
	t.Cleanup(func() { w.run(0, "start-redis", "stop") })
	w.run(0, "start-redis", "start", "redis-server process")
	expectCalls(t, docker, "pull", "pull --quiet redis:7-alpine")
	expectCalls(t, docker, "run")
}

func TestRedisInsightFindsTheContainerOfStartRedis(t *testing.T) {
	w := newWorkbench(t)
	docker := withDocker(t, w, true)
	touch(t, docker, "running-punctual-redis")
	w.run(0, "start-redis-insight", "start", "http://localhost:8001")
	w.run(0, "start-redis-insight", "start", "runs already")
	expectCalls(t, docker, "run", "run --detach --name punctual-redis-insight --network punctual"+
		" --publish 127.0.0.1:8001:5540 --volume punctual-redis-insight:/data --env RI_REDIS_ALIAS=punctual"+
		" --env RI_REDIS_HOST=punctual-redis --env RI_REDIS_PORT=6379 redis/redisinsight:latest")
	w.run(0, "start-redis-insight", "stop", "stopped")
	w.run(0, "start-redis-insight", "stop", "does not run")
	expectCalls(t, docker, "stop", "stop punctual-redis-insight") // and not the Redis
}

func TestRedisInsightLooksForAProcessOnTheHost(t *testing.T) {
	w := newWorkbench(t)
	docker := withDocker(t, w, true)
	w.run(0, "start-redis-insight", "start", "127.0.0.1 only")
	expectCalls(t, docker, "run", "run --detach --name punctual-redis-insight --network punctual"+
		" --publish 127.0.0.1:8001:5540 --volume punctual-redis-insight:/data --env RI_REDIS_ALIAS=punctual"+
		" --env RI_REDIS_HOST=host.docker.internal --env RI_REDIS_PORT="+w.port+
		" --add-host host.docker.internal:host-gateway redis/redisinsight:latest")
}

func TestRedisInsightWithoutItsImage(t *testing.T) {
	w := newWorkbench(t)
	docker := withDocker(t, w, false)
	w.run(1, "start-redis-insight", "start", "needs Docker", "redis/redisinsight:latest")
	expectCalls(t, docker, "run")
}
