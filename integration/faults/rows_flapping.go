package faults

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

// weather is what a network can be like for a while.
var weather = []func(*bad){
	func(b *bad) { b.Add("slow", "latency", replies, 1, map[string]int{"latency": 300, "jitter": 300}) },
	func(b *bad) { b.Add("resets", "reset_peer", replies, 0.5, map[string]int{"timeout": 100}) },
	func(b *bad) {
		b.Add("sliced", "slicer", requests, 1, map[string]int{"average_size": 64, "size_variation": 32, "delay": 500})
	},
	func(b *bad) { b.Add("narrow", "bandwidth", replies, 1, map[string]int{"rate": 64}) },
	func(b *bad) {
		b.Add("slow", "latency", requests, 1, map[string]int{"latency": 300, "jitter": 300})
		b.Add("resets", "reset_peer", replies, 0.1, map[string]int{"timeout": 500})
		b.Add("sliced", "slicer", replies, 1, map[string]int{"average_size": 64, "size_variation": 32, "delay": 500})
	},
}

// flapping changes the network between all processes and Redis all the time. Latencies of real networks need the default timing.
func flapping(r *Run) {
	r.Scene("latency, resets, slices, bandwidth", Setup{Timing: Default}, func(s *Scene) {
		network := s.bad(s.Redis.Addr())
		through := "REDIS_URL=" + network.through(s.URL)
		server, worker, known := s.Server(through), s.Worker(through), newTold()
		stop := known.clients(s, server, "load", 4, 50*time.Millisecond)
		begin, length := time.Now(), r.For(10*time.Second, 3*time.Minute)
		connections, busy := s.connections(), s.cpu(worker)
		for n := 0; time.Since(begin) < length; n++ {
			weather[n%len(weather)](network)
			time.Sleep(time.Second + time.Duration(r.Rand.IntN(1000))*time.Millisecond) // how long it lasts is the fault
			r.Injected()
			network.Clear()
		}
		took := time.Since(begin).Seconds()
		stop()
		reconnects := float64(s.connections()-connections) / took
		r.Figure("reconnects", reconnects, "/s", "≤ 20 /s")
		if reconnects > 20 {
			s.Errorf("%.0f connections a second", reconnects)
		}
		cores := (s.cpu(worker) - busy).Seconds() / took
		r.Figure("CPU of the worker", cores, "cores", "< 0.5")
		if cores >= 0.5 {
			s.Errorf("the worker used %.2f cores", cores)
		}
		redistest.Await(s.T, 5*time.Second, "a 201", func() bool { return s.Post(server, Mixed(0)).Status == 201 })
		s.AwaitDrained(60 * time.Second)
		ran, twice := printed(worker), 0
		known.check(s, ran, 2)
		for message, n := range ran {
			if message != "load" {
				twice += n - 1
			}
		}
		r.Figure("registered", float64(len(known.acked)), "", "each ran")
		r.Figure("outcome unknown", float64(len(known.unknown)), "", "")
		r.Figure("ran twice", 100*float64(twice)/float64(max(1, len(ran))), "%", "")
	})
}

// connections is how many Redis has taken so far.
func (s *Scene) connections() int {
	s.Helper()
	for row := range strings.Lines(s.Client.Info(s.Context(), "stats").Val()) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(row), "total_connections_received:"); ok {
			if n, err := strconv.Atoi(text); err == nil {
				return n
			}
		}
	}
	s.Fatal("INFO tells no total_connections_received")
	return 0
}

// cpu is the processor time that a process has used so far.
func (s *Scene) cpu(p *Process) time.Duration {
	s.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid()))
	if err != nil {
		s.NotTried("the CPU time of a process cannot be read here: %v", err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	ticks := 0
	for _, field := range fields[11:13] { // utime and stime, in 1/100 s
		n, err := strconv.Atoi(field)
		if err != nil {
			s.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
