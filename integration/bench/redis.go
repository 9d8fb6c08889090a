package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// server is a redis-server of this measurement alone: no persistence, on 127.0.0.1, gone when it is closed.
type server struct {
	*redis.Client
	url string
	dir string
	cmd *exec.Cmd
}

// slowest is how many slow commands a server remembers.
const slowest = 10_000

// startServer starts one on a free port.
func startServer(ctx context.Context) (*server, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, errors.New("redis-server is not on the PATH: install it (apt-get install redis-server, brew install redis)")
	}
	for tries := 0; ; tries++ {
		s, err := tryServer(ctx, path)
		if err == nil || tries == 4 || ctx.Err() != nil { // somebody may have taken the port
			return s, err
		}
	}
}

func tryServer(ctx context.Context, path string) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	dir, err := os.MkdirTemp("", "punctual-bench-")
	if err != nil {
		return nil, err
	}
	var said bytes.Buffer
	cmd := exec.Command(path, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
		"--maxclients", "2000", "--slowlog-log-slower-than", "1000", "--slowlog-max-len", strconv.Itoa(slowest), "--dir", dir)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = &said, &said, childAttributes()
	if err := cmd.Start(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	s := &server{url: "redis://" + addr, dir: dir, cmd: cmd,
		Client: redis.NewClient(&redis.Options{Addr: addr, Protocol: 2, DisableIdentity: true, PoolSize: 2, ReadTimeout: time.Minute})}
	for deadline := time.Now().Add(10 * time.Second); ; {
		if pid, err := s.info(ctx, "server", "process_id"); err == nil && int(pid) == cmd.Process.Pid {
			return s, nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			s.close()
			return nil, fmt.Errorf("redis-server does not start: %s", said.String())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *server) close() {
	_ = s.Client.Close()
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	_ = os.RemoveAll(s.dir)
}

// info reads one number of INFO.
func (s *server) info(ctx context.Context, section, name string) (float64, error) {
	text, err := s.Info(ctx, section).Result()
	if err != nil {
		return 0, err
	}
	v, ok := field(text, name)
	if !ok {
		return 0, fmt.Errorf("INFO %s has no %s", section, name)
	}
	return strconv.ParseFloat(v, 64)
}

func field(text, name string) (string, bool) {
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		if v, ok := strings.CutPrefix(lines.Text(), name+":"); ok {
			return strings.TrimSpace(v), true
		}
	}
	return "", false
}

// cpu is the seconds of CPU that Redis has used.
func (s *server) cpu(ctx context.Context) (float64, error) {
	text, err := s.Info(ctx, "cpu").Result()
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for _, name := range []string{"used_cpu_sys", "used_cpu_user"} {
		v, _ := field(text, name)
		x, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return 0, fmt.Errorf("INFO cpu: %s is %q", name, v)
		}
		sum += x
	}
	return sum, nil
}

// spent is the µs that Redis has spent in these commands.
func (s *server) spent(ctx context.Context, commands []string) (float64, error) {
	text, err := s.Info(ctx, "commandstats").Result()
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for _, name := range commands {
		if v, ok := field(text, "cmdstat_"+name); ok {
			_, v, _ = strings.Cut(v, "usec=")
			v, _, _ = strings.Cut(v, ",")
			x, err := strconv.ParseFloat(v, 64)
			if err != nil {
				return 0, fmt.Errorf("INFO commandstats: %s is %q", name, v)
			}
			sum += x
		}
	}
	return sum, nil
}

// blocked is how long scripts have held up everyone else: the 99th percentile in µs as INFO latencystats has it, and the
// longest in ms as SLOWLOG has it (0: none took 1 ms).
func (s *server) blocked(ctx context.Context) (p99 float64, longest float64, err error) {
	text, err := s.Info(ctx, "latencystats").Result()
	if err != nil {
		return 0, 0, err
	}
	if v, ok := field(text, "latency_percentiles_usec_evalsha"); ok {
		_, v, _ = strings.Cut(v, "p99=")
		v, _, _ = strings.Cut(v, ",")
		if p99, err = strconv.ParseFloat(v, 64); err != nil {
			return 0, 0, fmt.Errorf("INFO latencystats: p99 is %q", v)
		}
	}
	slow, err := s.SlowLogGet(ctx, slowest).Result()
	if err != nil {
		return 0, 0, err
	}
	for _, e := range slow {
		if len(e.Args) > 0 && strings.HasPrefix(strings.ToLower(e.Args[0]), "eval") {
			longest = max(longest, float64(e.Duration.Microseconds())/1000)
		}
	}
	return p99, longest, nil
}
