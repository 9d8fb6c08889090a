package faults

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

// bulky is a job that takes a few KB of Redis for two seconds.
func bulky(int) Job { return Job{Message: strings.Repeat("x", 4<<10), Delay: 2} }

// full fills Redis by registrations, then takes away even the memory that it has in use: workers must still come, go, work
// and be reaped.
func full(r *Run) {
	for n := range r.Times(1, 5) {
		r.Scene(fmt.Sprintf("maxmemory %d", n+1), Setup{}, fullOnce)
	}
}

func fullOnce(s *Scene) {
	server, victim := s.Server(), s.Worker("WORKER_CONCURRENCY=1")
	held := s.Register(server, Sleep(8*time.Second))
	s.AwaitProcessing(1, 10*time.Second)
	workers := []*Process{s.Worker(), s.Worker()}
	s.Redis.Config(s.T, "maxmemory", fmt.Sprint(s.used()+(2<<20)))
	load := s.Load(server, 4, 5*time.Millisecond, bulky)
	redistest.Await(s.T, 20*time.Second, "Redis to be full", func() bool { return load.Answers()["storage-full"] >= 20 })
	s.Run.Injected()
	load.AwaitCreated(s.T, 10*time.Second) // it drains, so there is room again

	s.Redis.Config(s.T, "maxmemory", "1mb") // less than an empty one takes: now it stays full
	s.Run.Injected()
	if !victim.Holds(s.Holders()[held]) {
		s.Fatal("the victim has ended its job before it was killed")
	}
	victim.Kill()
	killed := time.Now()
	s.Worker("WORKER_CONCURRENCY=1") // one can start, too
	begin, done := time.Now(), s.counter("done")
	redistest.Await(s.T, s.Timing.Recovery(), "another worker to run what the victim held", func() bool {
		worker := s.Holders()[held]
		return worker != "" && !victim.Holds(worker)
	})
	s.Run.Recovered(time.Since(killed))
	s.Run.Figure("done while full", (s.counter("done")-done)/time.Since(begin).Seconds(), "jobs/s", "")
	s.AwaitDrained(20 * time.Second)
	if s.counter("done") == done {
		s.Error("nothing was done while Redis was full")
	}
	if a := s.Post(server, Job{}); a.Code != "storage-full" {
		s.Errorf("a registration at a full Redis is answered %d %s, want storage-full", a.Status, a.Code)
	}
	for _, w := range workers {
		w.AwaitHTTP("/readyz", http.StatusOK, time.Second)
		if strings.Contains(w.Log(), "cannot be reached") {
			s.Errorf("pid %d took a full Redis for one that is away", w.Pid())
		}
	}
	if reaped := s.counter("reaped"); reaped != 1 {
		s.Errorf("%.0f jobs were reaped, want the one of the victim", reaped)
	}
	s.Redis.Config(s.T, "maxmemory", "0")
	s.Run.Resumed(load.AwaitCreated(s.T, back))
	load.Stop()
	s.inTime(load)
}

// used is the memory that Redis uses.
func (s *Scene) used() (bytes int64) {
	s.Helper()
	text, err := s.Client.Info(s.Context(), "memory").Result()
	if err != nil {
		s.Fatal(err)
	}
	_, rest, _ := strings.Cut(text, "used_memory:")
	if _, err := fmt.Sscan(rest, &bytes); err != nil {
		s.Fatal(err)
	}
	return bytes
}
