package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

// wrongClock is what redis-server must load to have its clock shifted by what a file says. The C library comes along, so that
// its malloc is used: jemalloc asks for the time before libfaketime can tell it.
func wrongClock(r *Run) (preload string) {
	for _, machine := range []string{"x86_64", "aarch64"} {
		fake, libc := "/usr/lib/"+machine+"-linux-gnu/faketime/libfaketime.so.1", "/lib/"+machine+"-linux-gnu/libc.so.6"
		if _, err := os.Stat(fake); err != nil {
			continue
		}
		if _, err := os.Stat(libc); err == nil {
			return fake + ":" + libc
		}
	}
	r.NotTried("needs libfaketime of Debian: install the package faketime")
	return ""
}

// clockSteps has the clock of Redis jump. The jobs' clock is that of Redis, so they jump with it; but nobody alive may be
// taken for dead, and the dead must not outlive their TTL by the jump.
func clockSteps(r *Run) {
	preload := wrongClock(r)
	for _, play := range []struct {
		name string
		play func(s *Scene, step func(string))
	}{{"an hour ahead", clockAhead}, {"an hour back", clockBack}} {
		file := filepath.Join(r.TempDir(), "clock")
		step := func(offset string) {
			next := file + ".next"
			if err := os.WriteFile(next, []byte(offset+"\n"), 0o644); err != nil {
				r.Fatal(err)
			}
			if err := os.Rename(next, file); err != nil { // it may be read at any moment
				r.Fatal(err)
			}
		}
		step("+0")
		env := []string{"LD_PRELOAD=" + preload, "FAKETIME_TIMESTAMP_FILE=" + file, "FAKETIME_NO_CACHE=1",
			"FAKETIME_DONT_FAKE_MONOTONIC=1"}
		r.Scene(play.name, Setup{RedisEnv: env}, func(s *Scene) {
			s.Rules = Rules{ClockSteps: true}
			play.play(s, step)
		})
	}
}

// offset is by how much the clock of Redis differs from ours.
func (s *Scene) offset() time.Duration {
	s.Helper()
	now, err := s.Client.Time(s.Context()).Result()
	if err != nil {
		s.Fatal(err)
	}
	return time.Until(now)
}

func clockAhead(s *Scene, step func(string)) {
	server := s.Server()
	s.Worker()
	s.Worker()
	load := s.Load(server, 2, 20*time.Millisecond, Mixed)
	for n := range s.Run.Times(1, 10) {
		for range 5 {
			s.Register(server, Sleep(3*s.Timing.TTL).Retries(0))
		}
		s.Register(server, Job{Message: "due in half an hour", Delay: 1800})
		s.Register(server, Job{Message: "due in half an hour", Delay: 1800})
		hours := time.Duration(n+1) * time.Hour
		step(fmt.Sprintf("+%dh", n+1))
		s.Run.Injected()
		redistest.Await(s.T, 5*time.Second, "the clock of Redis to jump", func() bool { return s.offset() > hours-time.Minute })
		redistest.Await(s.T, 10*time.Second, "what has become due to run", func() bool {
			n, err := s.Client.ZCount(s.Context(), Key("scheduled"), "-inf", "+inf").Result()
			return err == nil && n < 20
		})
		time.Sleep(2 * s.Timing.TTL) // in which somebody would be reaped
	}
	load.Stop()
	s.AwaitDrained(20 * time.Second)
	s.Run.Figure("jobs taken from living workers, clock an hour ahead", s.counter("reaped"), "", "0")
	for _, counter := range []string{"reaped", "retried", "dead"} {
		s.Never(counter)
	}
}

func clockBack(s *Scene, step func(string)) {
	step("+10h")
	server := s.Server()
	for n := range s.Run.Times(2, 10) {
		victim := s.Worker("WORKER_CONCURRENCY=1")
		held := s.Register(server, Sleep(4*s.Timing.TTL))
		s.AwaitProcessing(1, 10*time.Second)
		survivor := s.Worker()
		long := s.Register(server, Sleep(4*s.Timing.TTL).Retries(0)) // for the survivor, who lives and must keep it
		s.AwaitProcessing(2, 10*time.Second)
		victim.Kill()
		step(fmt.Sprintf("+%dh", 9-n))
		s.Run.Injected()
		begin, reaped := time.Now(), s.counter("reaped")
		redistest.Await(s.T, s.Timing.Recovery(), "the survivor to run what the dead one held", func() bool {
			return survivor.Holds(s.Holders()[held])
		})
		s.Run.Recovered(time.Since(begin))
		if holder := s.Holders()[long]; holder != "" && !survivor.Holds(holder) {
			s.Errorf("the survivor has lost its job to %s", holder)
		}
		s.AwaitDrained(30 * time.Second)
		if n := s.counter("reaped") - reaped; n != 1 {
			s.Errorf("%.0f jobs were reaped, want the one of the dead worker", n)
		}
		s.end(survivor)
	}
}
