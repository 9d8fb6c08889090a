package redistest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Own is a real Redis for this test alone, started with extra redis-server arguments
// ("--maxmemory", "10mb"); append-only file on. It is gone when the test ends.
func Own(t testing.TB, args ...string) *Server {
	t.Helper()
	return OwnOn(t, Backends(t)[0], args...)
}

// OwnOn is Own on one of Backends.
func OwnOn(t testing.TB, backend string, args ...string) *Server {
	t.Helper()
	return own(t, backend, nil, func(int) []string { return args })
}

// OwnEnv is Own as a process, with something in its environment, as NAME=value: a library that is loaded before its own, say.
func OwnEnv(t testing.TB, env []string, args ...string) *Server {
	t.Helper()
	return own(t, Process, env, func(int) []string { return args })
}

// Cluster is a cluster of one node that holds all slots and says cluster_state:ok.
func Cluster(t testing.TB, args ...string) *Server {
	t.Helper()
	s := own(t, Backends(t)[0], nil, func(port int) []string {
		// A node in a container would announce an address that the host cannot dial.
		return append([]string{
			"--cluster-enabled", "yes",
			"--cluster-announce-ip", "127.0.0.1", "--cluster-announce-port", strconv.Itoa(port),
		}, args...)
	})
	ctx := t.Context()
	if err := s.client.ClusterAddSlotsRange(ctx, 0, 16383).Err(); err != nil {
		t.Fatalf("assign the slots: %v", err)
	}
	Await(t, operation, "cluster_state:ok", func() bool {
		return strings.Contains(s.client.ClusterInfo(ctx).Val(), "cluster_state:ok")
	})
	return s
}

func own(t testing.TB, backend string, env []string, args func(port int) []string) *Server {
	t.Helper()
	dir := t.TempDir()
	e, port, err := launch(func(port int) engine {
		if backend == Docker {
			return &container{port: port, args: args(port), keep: true}
		}
		return &process{port: port, args: args(port), dir: dir, env: env}
	})
	if err != nil {
		t.Fatalf("start Redis (%s): %v", backend, err)
	}
	t.Cleanup(e.remove)
	return newServer(t, e, backend, port, false)
}

// shared is the server behind Any.
var shared struct {
	once    sync.Once
	engine  engine
	backend string
	port    int
	err     error
}

// Any is the Redis that all tests of this binary share: a real one if it can be had, else
// the embedded one. Use a queue name of your own (Queue); it cannot be stopped or configured.
func Any(t testing.TB) *Server {
	t.Helper()
	real := realBackends(t)
	if len(real) > 0 && real[0] == Process && runtime.GOOS != "linux" {
		return Own(t) // nothing would end a shared process there
	}
	shared.once.Do(func() {
		switch {
		case len(real) == 0:
			shared.backend = embedded
			shared.engine, shared.port, shared.err = launchEmbedded()
		case real[0] == Docker:
			shared.backend = Docker
			shared.engine, shared.port, shared.err = launch(func(port int) engine { return &container{port: port} })
		default:
			shared.backend = Process
			shared.engine, shared.port, shared.err = launch(func(port int) engine { return &process{port: port} })
		}
	})
	if shared.err != nil {
		t.Fatalf("start the shared Redis (%s): %v", shared.backend, shared.err)
	}
	return newServer(t, shared.engine, shared.backend, shared.port, true)
}

// launch starts an engine on a free port, and on another one if somebody took it meanwhile.
func launch(make func(port int) engine) (engine, int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), operation)
	defer cancel()
	for {
		port, err := freePort()
		if err != nil {
			return nil, 0, err
		}
		e := make(port)
		if err = e.start(ctx); err == nil {
			return e, port, nil
		}
		e.remove()
		if ctx.Err() != nil || free(port) {
			return nil, 0, err // not the port's fault
		}
	}
}

// busAbove is how far above its port a node of a cluster has its bus.
const busAbove = 10000

// freePort finds a port that is, with the bus above it, below those that the system gives to outgoing connections: one of
// those could otherwise sit on the port of a stopped server, or a client could dial itself.
func freePort() (int, error) {
	for range 100 {
		if port := 12000 + rand.IntN(busAbove); free(port) {
			return port, nil
		}
	}
	return 0, errors.New("no free port between 12000 and 22000")
}

func free(port int) bool { return listenable(port) && listenable(port+busAbove) }

func listenable(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// answers is nil once the Redis at port has loaded its data; pid is what INFO says.
func answers(port int) (pid string, err error) {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("PING\r\nINFO server\r\n")); err != nil {
		return "", err
	}
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "-") {
			return "", fmt.Errorf("answered %s", lines.Text())
		}
		if pid, ok := strings.CutPrefix(lines.Text(), "process_id:"); ok {
			return pid, nil
		}
	}
	return "", errors.Join(errors.New("INFO names no process_id"), lines.Err())
}
