package faults

import (
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// workerRows: what happens to a worker process.
var workerRows = map[string]func(*Run){
	"R1": killNine, "R2": stopInTime, "R3": stopTooLate, "R4": stopTwice, "R5": frozenLong, "R6": frozenBriefly, "R7": starved, "R28": longRun,
}

// killNine kills several workers at a time, each with one running job. Timing and with it recovery are the default.
func killNine(r *Run) {
	const atOnce = 20
	for batch := range r.Times(1, 10) {
		r.Scene(fmt.Sprintf("batch %d", batch+1), Setup{Timing: Default}, func(s *Scene) {
			server := s.Server()
			var victims []*Process
			for range atOnce {
				victims = append(victims, s.Start("jobqueue", "WORKER_CONCURRENCY=1"))
			}
			for _, v := range victims {
				v.AwaitHTTP("/readyz", 200, 60*time.Second)
			}
			for range victims { // one each: they have one slot
				s.Register(server, Sleep(8*time.Second))
			}
			s.AwaitProcessing(atOnce, 10*time.Second)
			survivor := s.Worker("WORKER_CONCURRENCY=50")
			killed := map[string]time.Time{} // by the id of the job
			for id, worker := range s.Holders() {
				for _, v := range victims {
					if v.Holds(worker) {
						v.Kill()
						killed[id] = time.Now()
						s.Run.Injected()
					}
				}
			}
			if len(killed) != atOnce {
				s.Fatalf("%d jobs were running, want %d", len(killed), atOnce)
			}
			redistest.Await(s.T, s.Timing.Recovery(), "the survivor to run every job", func() bool {
				for id, worker := range s.Holders() {
					if at, waits := killed[id]; waits && survivor.Holds(worker) {
						s.Run.Recovered(time.Since(at))
						delete(killed, id)
					}
				}
				return len(killed) == 0
			})
		})
	}
}

// stopInTime: load, SIGTERM, and every handler ends in time.
func stopInTime(r *Run) {
	r.Scene("SIGTERM", Setup{}, func(s *Scene) {
		server := s.Server()
		load := s.Load(server, 4, 10*time.Millisecond, func(n int) Job { return Sleep(time.Duration(n%5) * 50 * time.Millisecond) })
		for range r.Times(5, 50) {
			w := s.Worker()
			redistest.Await(s.T, 10*time.Second, "the worker to have jobs", func() bool {
				for _, worker := range s.Holders() {
					if w.Holds(worker) {
						return true
					}
				}
				return false
			})
			begin := time.Now()
			w.Signal(syscall.SIGTERM)
			if code := w.AwaitExit(20 * time.Second); code != 0 {
				s.Errorf("exit code %d after SIGTERM, want 0", code)
			}
			r.Injected()
			r.Recovered(time.Since(begin))
		}
		load.Stop()
	})
}

// stopTooLate: a handler that heeds its context is released, without the attempt, and runs elsewhere at once.
func stopTooLate(r *Run) {
	r.Scene("the handler heeds its context", Setup{}, func(s *Scene) {
		server := s.Server()
		for range r.Times(2, 20) {
			w := s.Worker("SHUTDOWN_GRACE=300ms")
			id := s.Register(server, Sleep(3*time.Second).Retries(0))
			s.AwaitProcessing(1, 10*time.Second)
			other := s.Worker("SHUTDOWN_GRACE=20s")
			w.Signal(syscall.SIGTERM)
			begin := time.Now()
			r.Injected()
			redistest.Await(s.T, 5*time.Second, "the other worker to run the job", func() bool { return other.Holds(s.Holders()[id]) })
			r.Recovered(time.Since(begin) - 300*time.Millisecond)
			if got := s.Client.HGet(s.Context(), Key("attempts"), id).Val(); got != "1" {
				s.Errorf("attempts = %q after the release, want 1", got)
			}
			if code := w.AwaitExit(20 * time.Second); code != 0 {
				s.Errorf("exit code %d, want 0", code)
			}
			s.AwaitDrained(10 * time.Second)
			other.Signal(syscall.SIGTERM)
			other.AwaitExit(20 * time.Second)
		}
	})
}

// stopTwice: the second signal ends the process at once.
func stopTwice(r *Run) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		r.Scene(signal.String(), Setup{}, func(s *Scene) {
			server := s.Server()
			for range r.Times(1, 10) {
				w := s.Worker()
				id := s.Register(server, Sleep(8*time.Second)) // longer than it takes until the second signal, on a busy machine too
				s.AwaitProcessing(1, 10*time.Second)
				w.Signal(signal)
				w.AwaitLog(10*time.Second, "shutting down")
				time.Sleep(150 * time.Millisecond) // within 100 ms it counts as the same signal, for some shells send it twice
				begin := time.Now()
				w.Signal(signal)
				w.AwaitExit(3 * time.Second)
				r.Injected()
				r.Figure("exit after the second signal", ms(time.Since(begin)), "ms", "")
				other := s.Worker()
				redistest.Await(s.T, s.Timing.Recovery(), "the other worker to run the job", func() bool { return other.Holds(s.Holders()[id]) })
				r.Recovered(time.Since(begin))
				s.AwaitDrained(20 * time.Second)
				other.Signal(syscall.SIGTERM)
				other.AwaitExit(20 * time.Second)
			}
		})
	}
}

// frozenLong stops a worker for three TTLs.
func frozenLong(r *Run) {
	r.Scene("SIGSTOP for three TTLs", Setup{}, func(s *Scene) {
		server := s.Server()
		for range r.Times(2, 20) {
			frozen := s.Worker("LOG_LEVEL=debug")
			id := s.Register(server, Sleep(6*time.Second))
			s.AwaitProcessing(1, 10*time.Second)
			redistest.Await(s.T, 10*time.Second, "the handler to run", func() bool { return len(s.events(frozen, queue.OpStart, id)) > 0 })
			frozen.Signal(syscall.SIGSTOP)
			begin := time.Now()
			r.Injected()
			thaw := time.NewTimer(3 * s.Timing.TTL) // the length of the pause is the fault
			other := s.Worker()
			redistest.Await(s.T, s.Timing.Recovery(), "the other worker to run the job", func() bool { return other.Holds(s.Holders()[id]) })
			r.Recovered(time.Since(begin))
			<-thaw.C
			frozen.Signal(syscall.SIGCONT)
			frozen.AwaitLog(10*time.Second, `"outcome":"lost"`)
			frozen.AwaitHTTP("/readyz", 200, 10*time.Second)
			s.AwaitDrained(30 * time.Second)
			for _, p := range []*Process{frozen, other} {
				p.Signal(syscall.SIGTERM)
				p.AwaitExit(20 * time.Second)
			}
		}
	})
}

// frozenBriefly stops workers under load for less than the TTL: nothing may run twice.
func frozenBriefly(r *Run) {
	timing := Timing{time.Second, 5 * time.Second} // not faster: a busy machine may hold a worker up for some 100 ms more
	r.Scene("SIGSTOP for 0.6 TTL", Setup{Timing: timing}, func(s *Scene) {
		server := s.Server()
		workers := []*Process{s.Worker(), s.Worker()}
		load := s.Load(server, 2, 20*time.Millisecond, Mixed)
		for range r.Times(3, 50) {
			w := workers[r.Rand.IntN(len(workers))]
			w.Signal(syscall.SIGSTOP)
			pause := time.NewTimer(timing.TTL * 6 / 10) // the length of the pause is the fault
			<-pause.C
			w.Signal(syscall.SIGCONT)
			r.Injected()
			w.AwaitHTTP("/readyz", 200, 10*time.Second)
		}
		load.Stop()
		s.Never("reaped")
	})
}

// starved gives a worker one processor, and handlers that use it up.
func starved(r *Run) {
	r.Scene("GOMAXPROCS=1 and busy handlers", Setup{}, func(s *Scene) {
		server := s.Server()

		s.Worker("GOMAXPROCS=1")
		var busy sync.WaitGroup
		stop := make(chan struct{})
		for range 4 {
			busy.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
		load := s.Load(server, 4, 5*time.Millisecond, Mixed)
		time.Sleep(r.For(5*time.Second, 60*time.Second)) // how long it is starved is the fault
		r.Injected()
		close(stop)
		busy.Wait()
		load.Stop()
		s.Never("reaped")
	})
}

// longRun: a handler that takes ten TTLs keeps its job.
func longRun(r *Run) {
	r.Scene("a handler of ten TTLs", Setup{}, func(s *Scene) {
		server := s.Server()
		s.Worker()
		s.Worker()
		for range r.Times(5, 20) {
			s.Register(server, Sleep(10*s.Timing.TTL).Retries(0))
			r.Injected()
		}
		s.AwaitProcessing(r.Times(5, 20), 10*time.Second)
		s.AwaitDrained(30 * time.Second)
		s.Never("reaped")
	})
}

// Never says that a counter of the queue must be 0: nothing was ever reaped, say.
func (s *Scene) Never(counter string) {
	s.Helper()
	n, err := s.Client.HGet(s.Context(), Key("stats"), counter).Int()
	if err == nil && n > 0 {
		s.Errorf("%d jobs were %s, want none", n, counter)
	}
}
