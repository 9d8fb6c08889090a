package faults

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

// soakRows: all faults in one scene. make soak makes it last.
var soakRows = map[string]func(*Run){"R39": func(r *Run) { soak(r, r.For(20*time.Second, 5*time.Minute)) }}

// soak keeps a load going and injects faults at random, one every 5 to 30 s, until the time is up.
func soak(r *Run, length time.Duration) {
	timing, pause := Default, [2]time.Duration{5 * time.Second, 30 * time.Second}
	if length < 10*time.Minute {
		timing, pause = Fast, [2]time.Duration{500 * time.Millisecond, 2 * time.Second}
	}
	r.Scene("soak", Setup{Timing: timing, Redis: []string{"--appendfsync", "everysec", "--maxmemory", "2gb"}}, func(s *Scene) {
		n := newNemesis(s)
		load := s.Load(n.server, 4, 80*time.Millisecond, soakJob)
		watched := map[string]*Process{"worker": n.witness, "API": n.server}
		before := map[string]size{}
		deadline := time.Now().Add(length)
		for time.Now().Before(deadline) {
			wait := pause[0] + time.Duration(r.Rand.Int64N(int64(pause[1]-pause[0])))
			time.Sleep(min(wait, time.Until(deadline))) // the time between two faults
			n.inject()
			if len(before) == 0 { // by now every connection and buffer is there
				for name, p := range watched {
					before[name] = sizeOf(p)
				}
			}
		}
		load.Stop()
		for _, name := range slices.Sorted(maps.Keys(watched)) {
			after := sizeOf(watched[name])
			for i, what := range []string{"memory of the %s", "open files of the %s", "threads of the %s", "goroutines of the %s"} {
				unit := []string{"MiB", "", "", ""}[i]
				r.Figure(fmt.Sprintf(what, name)+" after the first fault", before[name][i], unit, "")
				r.Figure(fmt.Sprintf(what, name)+" at the end", after[i], unit, "")
			}
		}
		for _, name := range slices.Sorted(maps.Keys(n.injected)) {
			r.Figure("faults: "+name, float64(n.injected[name]), "", "")
		}
		answers := load.Answers()
		for _, name := range slices.Sorted(maps.Keys(answers)) {
			said := name
			if said == "" {
				said = "none"
			}
			r.Figure("answers: "+said, float64(answers[name]), "", "")
		}
	})
}

// soakJob is a mixed load: most print, some sleep, some fail once or twice and are retried.
func soakJob(n int) Job {
	switch n % 10 {
	case 0:
		return Sleep(time.Duration(n%7) * 300 * time.Millisecond)
	case 1:
		return Job{Type: "fail", Payload: map[string]int{"times": 1 + n%2}, Delay: n % 3}
	default:
		return Job{Message: "soak", Delay: n % 5}
	}
}

// nemesis injects faults.
type nemesis struct {
	s        *Scene
	server   *Process // never killed
	witness  *Process // a worker that is paused and cut off, but never killed
	workers  []*Process
	proxy    *redistest.Proxy // between the workers and Redis
	injected map[string]int
	faults   map[string]func()
}

func newNemesis(s *Scene) *nemesis {
	n := &nemesis{s: s, injected: map[string]int{}, proxy: redistest.NewProxy(s.T, s.Redis.Addr())}
	n.server = s.Server()
	n.witness = n.hire()
	n.workers = []*Process{n.hire(), n.hire()}
	n.faults = map[string]func(){
		"kill -9 of a worker":        func() { n.replace(syscall.SIGKILL) },
		"SIGTERM to a worker":        func() { n.replace(syscall.SIGTERM) },
		"SIGSTOP of a worker, long":  func() { n.freeze(s.Timing.TTL * 2) },
		"SIGSTOP of a worker, short": func() { n.freeze(s.Timing.TTL / 2) },
		"kill -9 of Redis": func() {
			s.Redis.Kill(s.T)
			s.killed = append(s.killed, time.Now().UnixMilli())
			n.hold(n.upTo(s.Timing.TTL))
			s.Redis.Start(s.T)
		},
		"Redis stopped in good order":        func() { s.Redis.Stop(s.T); n.hold(n.upTo(s.Timing.TTL)); s.Redis.Start(s.T) },
		"Redis hangs":                        func() { s.Redis.Pause(s.T); n.hold(n.upTo(s.Timing.TTL * 3 / 2)); s.Redis.Resume(s.T) },
		"SCRIPT FLUSH":                       func() { _ = s.Client.ScriptFlush(s.Context()).Err() },
		"all connections killed":             func() { _ = s.Client.ClientKillByFilter(s.Context(), "TYPE", "normal", "SKIPME", "yes").Err() },
		"network of the workers cut":         func() { n.proxy.Cut(); n.hold(n.upTo(s.Timing.TTL * 3 / 2)); n.proxy.Mend(s.T) },
		"replies of claims and settles lost": func() { n.proxy.SwallowReply([]byte("processing:"), 1+s.Run.Rand.IntN(3)) },
		"maxmemory reached":                  func() { n.full() },
	}
	return n
}

func (n *nemesis) hire() *Process {
	n.s.Helper()
	p := n.s.Start("jobqueue", "REDIS_URL="+n.proxy.URL(), "SHUTDOWN_GRACE=5s")
	return p
}

// inject does one fault, and returns when it is over. What it did to the living shows in the history.
func (n *nemesis) inject() {
	names := slices.Sorted(maps.Keys(n.faults))
	name := names[n.s.Run.Rand.IntN(len(names))]
	n.s.Logf("%s %s", time.Now().Format(time.TimeOnly), name)
	n.faults[name]()
	n.injected[name]++
	n.s.Run.Injected()
}

func (n *nemesis) upTo(most time.Duration) time.Duration {
	return time.Duration(n.s.Run.Rand.Int64N(int64(most)))
}

// hold lets a fault last.
func (n *nemesis) hold(d time.Duration) { time.Sleep(d) }

// replace ends a worker by a signal; another takes its place.
func (n *nemesis) replace(signal syscall.Signal) {
	i := n.s.Run.Rand.IntN(len(n.workers))
	n.workers[i].Signal(signal)
	n.workers[i].AwaitExit(40 * time.Second)
	n.workers[i] = n.hire()
}

func (n *nemesis) freeze(d time.Duration) {
	p := append(slices.Clone(n.workers), n.witness)[n.s.Run.Rand.IntN(len(n.workers)+1)]
	p.Signal(syscall.SIGSTOP)
	n.hold(d)
	p.Signal(syscall.SIGCONT)
}

// full leaves Redis no room for anything new for a while.
func (n *nemesis) full() {
	n.s.Redis.Config(n.s.T, "maxmemory", "1mb")
	n.hold(n.upTo(n.s.Timing.TTL))
	n.s.Redis.Config(n.s.T, "maxmemory", "2gb")
}

// size is resident memory (MiB), open files, threads and goroutines of a process.
type size [4]float64

var statusLines = regexp.MustCompile(`(?m)^(VmRSS|Threads):\s+(\d+)`)

var goroutines = regexp.MustCompile(`"goroutines":(\d+)`)

// sizeOf reads them from /proc and from the last heartbeat in its history; zeros where there is none.
func sizeOf(p *Process) (s size) {
	dir := filepath.Join("/proc", strconv.Itoa(p.Pid()))
	text, _ := os.ReadFile(filepath.Join(dir, "status"))
	for _, m := range statusLines.FindAllStringSubmatch(string(text), -1) {
		v, _ := strconv.ParseFloat(m[2], 64)
		if m[1] == "VmRSS" {
			s[0] = v / 1024
		} else {
			s[2] = v
		}
	}
	files, _ := os.ReadDir(filepath.Join(dir, "fd"))
	s[1] = float64(len(files))
	text, _ = os.ReadFile(p.history)
	if told := goroutines.FindAllSubmatch(text[max(0, len(text)-1<<20):], -1); len(told) > 0 {
		s[3], _ = strconv.ParseFloat(string(told[len(told)-1][1]), 64)
	}
	return s
}
