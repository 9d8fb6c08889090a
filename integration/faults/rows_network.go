package faults

import (
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// networkRows: what happens to the network between a worker and Redis.
var networkRows = map[string]func(*Run){"R8": partitions, "R9": flapping}

// partitions cuts a worker off, in a network namespace: packets are dropped, and nobody is told.
func partitions(r *Run) {
	timing := Timing{400 * time.Millisecond, 2 * time.Second}
	if r.Scale == Full {
		timing = Timing{time.Second, 5 * time.Second}
	}
	r.Scene("longer than the TTL, LEASE_DOUBT=cancel", Setup{Timing: timing}, func(s *Scene) {
		s.Rules.LeaseDoubtCancel = true
		s.cutLong(r.Times(1, 4), "cancel", 2*timing.TTL, func(victim, other *Process, id string) {
			cancelled := s.awaitEvent(victim, queue.OpCancel, id)
			started := s.awaitEvent(other, queue.OpStart, id)
			margin := time.Duration(started.MonoNS - cancelled.MonoNS)
			r.Figure("fence margin: from the end of the context to the second start", ms(margin), "ms", "≥ one interval: "+timing.Interval.String())
			if margin < timing.Interval*3/4 { // the machine is busy
				s.Errorf("the context ended %s before the second start, want one interval: %s", margin, timing.Interval)
			}
		})
	})
	r.Scene("longer than the TTL, LEASE_DOUBT=continue", Setup{Timing: timing}, func(s *Scene) {
		s.cutLong(r.Times(1, 3), "continue", timing.TTL+3*timing.Interval, func(victim, other *Process, id string) {
			s.awaitEvent(victim, queue.OpEnd, id) // its result cannot be told yet
			if s.events(victim, queue.OpCancel, id) != nil {
				s.Errorf("the context of the handler has ended")
			}
		})
	})
	r.Scene("shorter than the TTL", Setup{Timing: Timing{time.Second, 5 * time.Second}}, shortCuts)
	r.Scene("replies only", Setup{Timing: Timing{400 * time.Millisecond, 2 * time.Second}}, lostReplies)
}

// cutLong cuts a worker off that runs a job of some length, until another one has it; then meanwhile is called, and the network is mended.
func (s *Scene) cutLong(times int, doubt string, length time.Duration, meanwhile func(victim, other *Process, id string)) {
	n := s.namespace()
	server := s.Server()
	for range times {
		victim := s.workerIn(n, "LEASE_DOUBT="+doubt, "LOG_LEVEL=debug")
		id := s.Register(server, Sleep(length))
		s.awaitEvent(victim, queue.OpStart, id)
		other := s.Worker("LEASE_DOUBT=" + doubt)
		n.Drop(s.Redis.Addr(), true)
		begin := time.Now()
		s.Run.Injected()
		redistest.Await(s.T, s.Timing.Recovery(), "the other worker to run the job", func() bool { return other.Holds(s.Holders()[id]) })
		s.Run.Recovered(time.Since(begin))
		meanwhile(victim, other, id)
		n.Mend()
		victim.AwaitLog(10*time.Second, `"outcome":"lost"`)
		victim.AwaitHTTP("/readyz", 200, 10*time.Second)
		s.AwaitDrained(30 * time.Second)
		for _, p := range []*Process{victim, other} {
			p.Signal(syscall.SIGTERM)
			p.AwaitExit(20 * time.Second)
		}
	}
}

// shortCuts cuts a worker off under load for half a TTL, in both directions and from replies only: nothing may come of it.
func shortCuts(s *Scene) {
	n := s.namespace()
	server := s.Server()
	victim := s.workerIn(n)
	s.Worker()
	load := s.Load(server, 2, 20*time.Millisecond, Mixed)
	for cut := range s.Run.Times(2, 16) {
		n.Drop(s.Redis.Addr(), cut%2 == 0)
		time.Sleep(s.Timing.TTL / 2) // how long it lasts is the fault
		n.Mend()
		s.Run.Injected()
		victim.AwaitHTTP("/readyz", 200, 10*time.Second)
	}
	load.Stop()
	s.AwaitDrained(30 * time.Second)
	s.Never("reaped")
	if times := strings.Count(victim.Log(), `"worker registered"`); times != 1 {
		s.Errorf("the worker registered %d times, want once", times)
	}
}

// lostReplies throws away what Redis answers, for less than a TTL: what was claimed with it must not stay on the list of the worker.
func lostReplies(s *Scene) {
	network := s.bad(s.Redis.Addr())
	server := s.Server()
	worker := s.Worker("REDIS_URL=" + network.through(s.URL))
	load := s.Load(server, 4, 10*time.Millisecond, Mixed)
	for range s.Run.Times(5, 60) {
		network.Add("replies lost", "timeout", replies, 1, map[string]int{"timeout": 0})
		time.Sleep(100*time.Millisecond + time.Duration(s.Run.Rand.IntN(600))*time.Millisecond) // how long it lasts is the fault
		network.Remove("replies lost")
		begin := time.Now()
		s.Run.Injected()
		ran := len(worker.Stdout())
		redistest.Await(s.T, s.Timing.TTL, "the worker to run jobs again", func() bool { return len(worker.Stdout()) > ran })
		s.Run.Recovered(time.Since(begin))
		redistest.AssertConserved(s.T, s.Redis.Client(), "default")
	}
	load.Stop()
	s.AwaitDrained(30 * time.Second) // by this worker alone: what is on its list is known to it
	s.Never("reaped")
}

// namespace makes one from which the Redis of the scene can be reached.
func (s *Scene) namespace() *namespace {
	s.Helper()
	n, why := newNamespace(s.T)
	if why != nil {
		s.NotTried("no network namespace can be made here: %v", why)
	}
	s.Redis.Config(s.T, "protected-mode", "no")
	s.Redis.Config(s.T, "bind", "127.0.0.1 "+n.here)
	return n
}

// workerIn is Worker in a namespace.
func (s *Scene) workerIn(n *namespace, settings ...string) *Process {
	s.Helper()
	addr := net.JoinHostPort(n.inside, "8081")
	host, _, _ := net.SplitHostPort(s.Redis.Addr())
	settings = append(settings, "WORKER_HTTP_ADDR="+addr, "REDIS_URL="+strings.Replace(s.URL, host, n.here, 1))
	p := s.startCommand("jobqueue", settings, n.wrap(built.Path(s.T, "jobqueue"))...)
	p.Addr = addr
	p.AwaitHTTP("/readyz", 200, 20*time.Second)
	return p
}

// awaitEvent waits until the history of a process tells of a job, and returns the first time.
func (s *Scene) awaitEvent(p *Process, op queue.Op, id string) queue.Event {
	s.Helper()
	var found []queue.Event
	redistest.Await(s.T, 3*s.Timing.TTL+5*time.Second, string(op)+" of job "+id, func() bool {
		found = s.events(p, op, id)
		return len(found) > 0
	})
	return found[0]
}
