package faults

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// Timing of the heartbeats of a scene.
type Timing struct{ Interval, TTL time.Duration }

// The timing that users have, and one that is ten times as fast for rows whose outcome does not depend on it.
var (
	Default = Timing{2 * time.Second, 10 * time.Second}
	Fast    = Timing{200 * time.Millisecond, time.Second}
)

// Recovery is within which time the jobs of a dead worker run again, if a slot is free: the TTL, two ticks of somebody who
// lives (heartbeats come every interval ± 10 %), the jitter of the reaper (1 s), and what the machine takes. 17 s by default.
func (t Timing) Recovery() time.Duration { return t.TTL + 2*t.Interval + 3*time.Second }

// Setup of a scene. Zero values mean the defaults.
type Setup struct {
	Redis    []string // arguments of redis-server; append-only file on, appendfsync no
	RedisEnv []string // of redis-server, as NAME=value
	URL      string   // another Redis than one of the scene's own; then Client must look at it
	Client   redis.UniversalClient
	Timing   Timing   // default Fast
	Settings []string // of all processes, as NAME=value
}

// Scene is one Redis with an API process and workers, and everything that happened to them.
type Scene struct {
	*testing.T
	Run    *Run
	Redis  *redistest.Server // nil with Setup.URL
	URL    string            // what the processes have as REDIS_URL
	Client redis.UniversalClient
	Timing Timing
	Rules  Rules

	dir       string // of the histories
	kept      string // where those of a scene that fails go; not there before
	settings  []string
	processes []*Process
	own       int             // histories of the test process
	damaged   map[string]bool // ids that the play itself has damaged or made up
	killed    []int64         // when a Redis that syncs its file once a second was killed, Unix ms
	acked     ids
}

// Scene sets one up, plays it, and has the oracle look at it. The play must have stopped its faults when it returns, so that
// everything can be drained. Scenes of a row are played one after the other.
func (r *Run) Scene(name string, setup Setup, play func(*Scene)) {
	r.Helper()
	r.T.Run(name, func(t *testing.T) {
		s := &Scene{T: t, Run: r, URL: setup.URL, Client: setup.Client, Timing: setup.Timing, dir: t.TempDir(), settings: setup.Settings,
			kept: filepath.Join(os.TempDir(), "punctual-history-"+rand.Text()[:10]), damaged: map[string]bool{}}
		if s.Timing == (Timing{}) {
			s.Timing = Fast
		}
		if s.URL == "" {
			s.Redis = redistest.OwnEnv(t, setup.RedisEnv, setup.Redis...)
			s.URL, s.Client = s.Redis.URL(), s.Redis.Client()
		}
		play(s)
		s.check()
	})
}

// NotTried ends a scene that this machine cannot do.
func (s *Scene) NotTried(why string, args ...any) {
	s.Helper()
	func() {
		defer s.Run.Result.lock()()
		s.Run.Result.Why = append(s.Run.Result.Why, fmt.Sprintf(why, args...))
	}()
	s.Skipf(why, args...)
}

// env are the settings of one process: the scene's, then those given, which count more.
func (s *Scene) env(settings []string) []string {
	env := append([]string{"REDIS_URL=" + s.URL, "HEARTBEAT_INTERVAL=" + s.Timing.Interval.String(),
		"HEARTBEAT_TTL=" + s.Timing.TTL.String()}, s.settings...)
	return append(env, settings...)
}

// ownHistory is where the test process itself writes what it does by the Go API.
func (s *Scene) ownHistory() func(queue.Event) {
	s.Helper()
	s.own++
	f, err := os.Create(filepath.Join(s.dir, fmt.Sprintf("own-%d.jsonl", s.own)))
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = f.Close() })
	return queue.HistoryTo(f, fmt.Sprintf("own:%d:%d", os.Getpid(), s.own), func(err error) { s.Errorf("write the history: %v", err) })
}

// Start runs one of our programs without waiting for it.
func (s *Scene) Start(name string, settings ...string) *Process {
	s.Helper()
	return s.StartAs(name, filepath.Dir(built.Path(s.T, name)), settings...)
}

// StartAs is Start of a program that was built into dir.
func (s *Scene) StartAs(name, dir string, settings ...string) *Process {
	s.Helper()
	return s.startCommand(name, settings, filepath.Join(dir, name))
}

// startCommand is Start of one of our programs by a command line.
func (s *Scene) startCommand(name string, settings []string, command ...string) *Process {
	s.Helper()
	history := filepath.Join(s.dir, fmt.Sprintf("%s-%d.jsonl", name, len(s.processes)))
	p := start(s.T, append(s.env(settings), "PUNCTUAL_HISTORY="+history), name, command...)
	p.history = history
	s.processes = append(s.processes, p)
	return p
}

// Server starts an API process and waits until it listens.
func (s *Scene) Server(settings ...string) *Process {
	s.Helper()
	p := s.Start("server", append([]string{"LOG_LEVEL=warn"}, settings...)...) // a line a request helps nobody
	p.AwaitHTTP("/livez", 200, 20*time.Second)
	return p
}

// Worker starts a worker process and waits until it is registered.
func (s *Scene) Worker(settings ...string) *Process {
	s.Helper()
	p := s.Start("jobqueue", settings...)
	p.AwaitHTTP("/readyz", 200, 20*time.Second)
	return p
}

// Key is the name of a key of the queue default.
func Key(name string) string { return "punctual:{default}:" + name }

// Count is how many ids are in scheduled and dead and on processing lists. It fails while Redis is away.
func (s *Scene) Count() (scheduled, processing, dead int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	pipe := s.Client.Pipeline()
	waiting, buried, workers := pipe.ZCard(ctx, Key("scheduled")), pipe.ZCard(ctx, Key("dead")), pipe.ZRange(ctx, Key("workers"), 0, -1)
	if _, err := pipe.Exec(ctx); err != nil {
		return 0, 0, 0, err
	}
	for _, w := range workers.Val() {
		n, err := s.Client.LLen(ctx, Key("processing:"+w)).Result()
		if err != nil {
			return 0, 0, 0, err
		}
		processing += int(n)
	}
	return int(waiting.Val()), processing, int(buried.Val()), nil
}

// AwaitProcessing waits until n jobs are on processing lists.
func (s *Scene) AwaitProcessing(n int, within time.Duration) {
	s.Helper()
	redistest.Await(s.T, within, fmt.Sprintf("%d jobs to be processed", n), func() bool {
		_, processing, _, err := s.Count()
		return err == nil && processing == n
	})
}

// AwaitDrained waits until nothing is scheduled or processed.
func (s *Scene) AwaitDrained(within time.Duration) {
	s.Helper()
	redistest.Await(s.T, within, "the queue to be drained", func() bool {
		scheduled, processing, _, err := s.Count()
		return err == nil && scheduled == 0 && processing == 0
	})
}

// stopAll ends all processes in good order; those that were paused go on first.
func (s *Scene) stopAll() {
	for _, p := range s.processes {
		if p.Running() {
			_ = p.cmd.Process.Signal(syscall.SIGCONT)
			_ = p.cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	for _, p := range s.processes {
		select {
		case <-p.Gone:
		case <-time.After(40 * time.Second):
			s.Errorf("%s (pid %d) still runs 40 s after SIGTERM", p.name, p.Pid())
			_ = p.cmd.Process.Kill()
			<-p.Gone
		}
		for _, bad := range []string{"panic:", "fatal error:", "DATA RACE"} {
			if p.name != "hostile" && strings.Contains(p.Log(), bad) {
				s.Errorf("%s (pid %d) says %q", p.name, p.Pid(), bad)
			}
		}
	}
}

// keepHistory copies the histories of a failed scene to where they outlive the test.
func (s *Scene) keepHistory() {
	if err := os.CopyFS(s.kept, os.DirFS(s.dir)); err != nil {
		s.Logf("the histories cannot be kept: %v", err)
		return
	}
	s.Logf("histories kept in %s", s.kept)
}

// Holders tells which worker holds each job that is processed; nil while Redis is away.
func (s *Scene) Holders() map[string]string {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	workers, err := s.Client.ZRange(ctx, Key("workers"), 0, -1).Result()
	if err != nil {
		return nil
	}
	holders := map[string]string{}
	for _, w := range workers {
		elements, err := s.Client.LRange(ctx, Key("processing:"+w), 0, -1).Result()
		if err != nil {
			return nil
		}
		for _, e := range elements {
			_, id, _ := strings.Cut(e, ":")
			holders[id] = w
		}
	}
	return holders
}

// Holds tells whether a worker id is one of this process.
func (p *Process) Holds(worker string) bool {
	return strings.Contains(worker, fmt.Sprintf(":%d:", p.Pid()))
}
