package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/integration/redistest"
)

const sigterm = syscall.SIGTERM

// hang makes Redis hang for longer than the TTL while jobs run. All heartbeat keys run out meanwhile, though everyone lives.
func hang(r *Run) {
	timing, length := Fast, 1500*time.Millisecond
	if r.Scale == Full {
		timing, length = Default, 12*time.Second
	}
	ways := []struct {
		name string
		hang func(*Scene, time.Duration) // returns when Redis goes on
	}{
		{"SIGSTOP", func(s *Scene, d time.Duration) {
			s.Redis.Pause(s.T)
			time.Sleep(d) // the length of the outage is the fault
			s.Redis.Resume(s.T)
		}},
		{"DEBUG SLEEP", func(s *Scene, d time.Duration) { s.command(d+5*time.Second, "DEBUG", "SLEEP", d.Seconds()) }},
		{"CLIENT PAUSE", func(s *Scene, d time.Duration) {
			s.command(time.Second, "CLIENT", "PAUSE", d.Milliseconds(), "ALL")
			s.command(d+5*time.Second, "PING") // is answered when the pause is over
		}},
	}
	for _, way := range ways {
		r.Scene(way.name, Setup{Timing: timing, Redis: []string{"--enable-debug-command", "local"}}, func(s *Scene) {
			server := s.Server()
			s.Worker()
			s.Worker()
			load := s.Load(server, 4, 20*time.Millisecond, Mixed)
			for range r.Times(2, 4) {
				var long []string
				for range 10 {
					long = append(long, s.Register(server, Sleep(length+timing.Interval).Retries(0)))
				}
				redistest.Await(s.T, 10*time.Second, "the long jobs to run", func() bool {
					holders := s.Holders()
					for _, id := range long {
						if holders[id] == "" {
							return false
						}
					}
					return true
				})
				way.hang(s, length)
				r.Injected()
				r.Resumed(load.AwaitCreated(s.T, back))
				redistest.Await(s.T, length+20*time.Second, "the long jobs to end", func() bool {
					holders := s.Holders()
					for _, id := range long {
						if holders == nil || holders[id] != "" {
							return false
						}
					}
					return true
				})
			}
			load.Stop()
			if answers := load.Answers(); total(answers) == answers["Created"] {
				s.Errorf("nobody noticed that Redis hung: %v", answers)
			}
			s.inTime(load)
			s.AwaitDrained(20 * time.Second)
			for _, counter := range []string{"reaped", "retried", "dead"} {
				s.Never(counter)
			}
			r.Figure("jobs taken from living workers, "+way.name, s.counter("reaped"), "", "0")
		})
	}
}

// counter reads a counter of the queue; 0 if nothing was counted.
func (s *Scene) counter(name string) float64 {
	n, _ := s.Client.HGet(s.Context(), Key("stats"), name).Float64()
	return n
}

// command sends one command that may take long, once: the client of the scene would send it again.
func (s *Scene) command(within time.Duration, args ...any) {
	s.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.Redis.Addr(), MaxRetries: -1, ReadTimeout: within, DisableIdentity: true})
	defer c.Close()
	if err := c.Do(s.Context(), args...).Err(); err != nil {
		s.Fatalf("%v: %v", args, err)
	}
}

// awayLong starts workers before Redis, and takes Redis away for long once they work.
func awayLong(r *Run) {
	length := r.For(8*time.Second, 3*time.Minute)
	r.Scene("Redis away", Setup{}, func(s *Scene) {
		s.Redis.Stop(s.T)
		var workers []*Process
		for range 3 {
			w := s.Start("jobqueue")
			w.AwaitHTTP("/livez", 200, 20*time.Second)
			workers = append(workers, w)
		}
		for _, w := range workers {
			w.AwaitLog(5*time.Second, "Redis cannot be reached")
		}
		r.Injected()
		s.returns(workers)
		server := s.Server()
		s.Register(server, Job{Message: "first"})
		s.AwaitDrained(10 * time.Second)

		before := weigh(workers[0])
		logged := strings.Count(workers[0].Log(), "\n")
		s.Redis.Stop(s.T)
		r.Injected()
		time.Sleep(length) // the length of the outage is the fault
		after := weigh(workers[0])
		lines := strings.Count(workers[0].Log(), "\n") - logged
		if most := 3 + int(length/(30*time.Second)); lines > most {
			s.Errorf("%d lines of log in an outage of %s, want at most %d", lines, length, most)
		}
		if after.files > before.files+2 || after.threads > before.threads+8 || after.resident > before.resident+16<<20 {
			s.Errorf("a worker grew from %+v to %+v", before, after)
		}
		r.Figure("log lines of a worker in "+length.String(), float64(lines), "", "one warning, then one line in 30 s")
		r.Figure("memory gained by a worker", float64(after.resident-before.resident)/(1<<20), "MiB", "< 16")
		r.Figure("files gained by a worker", float64(after.files-before.files), "", "≤ 2")
		r.Figure("goroutines of a worker while Redis is away", float64(s.goroutines(workers[2])), "", "< 60")
		s.returns(workers[:2])
		load := s.Load(server, 2, 20*time.Millisecond, Mixed)
		r.Resumed(load.AwaitCreated(s.T, back))
		load.Stop()
		s.AwaitDrained(10 * time.Second)
		s.Never("reaped")
	})
}

// returns starts Redis again and waits for the workers.
func (s *Scene) returns(workers []*Process) {
	s.Helper()
	s.Redis.Start(s.T)
	begin := time.Now()
	for _, w := range workers {
		w.AwaitHTTP("/readyz", 200, back+500*time.Millisecond) // and what a poll takes
		s.Run.Recovered(time.Since(begin))
	}
}

// weight is what a process takes.
type weight struct {
	files, threads int
	resident       int64 // bytes
}

func weigh(p *Process) (w weight) {
	dir := fmt.Sprintf("/proc/%d/", p.Pid())
	count := func(folder string) int {
		entries, err := os.ReadDir(filepath.Join(dir, folder))
		if err != nil {
			p.t.Fatal(err)
		}
		return len(entries)
	}
	w.files, w.threads = count("fd"), count("task")
	statm, err := os.ReadFile(dir + "statm")
	if err != nil {
		p.t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	w.resident = pages * int64(os.Getpagesize())
	return w
}

// goroutines ends a worker by SIGQUIT, which makes it print them all.
func (s *Scene) goroutines(p *Process) int {
	p.Signal(syscall.SIGQUIT)
	p.AwaitExit(10 * time.Second)
	n := strings.Count(p.Log(), "\ngoroutine ")
	if n == 0 || n >= 60 {
		s.Errorf("%d goroutines, want some, but fewer than 60", n)
	}
	return n
}
