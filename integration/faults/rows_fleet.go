package faults

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// fleetRows: all processes at once, their clocks and their versions.
var fleetRows = map[string]func(*Run){"R24": clientClocks, "R35": versions, "R37": storm, "R38": allGone,
	"R39": func(r *Run) { soak(r, r.For(20*time.Second, 5*time.Minute)) }}

// clientClocks runs API and worker with a clock that is an hour off, and with one that steps while they run.
func clientClocks(r *Run) {
	dir := skewedPrograms(r)
	for _, skew := range []string{"3600", "-3600", "3600 after 3s", "-3600 after 3s"} {
		r.Scene("clock "+skew, Setup{}, func(s *Scene) {
			offset, after, _ := strings.Cut(skew, " after ")
			clock := []string{"PUNCTUAL_TEST_CLOCK_OFFSET=" + offset, "PUNCTUAL_TEST_CLOCK_AFTER=" + strings.TrimSuffix(after, "s")}
			server := s.StartAs("server", dir, clock...)
			server.AwaitHTTP("/livez", http.StatusOK, 20*time.Second)
			s.StartAs("jobqueue", dir, clock...).AwaitHTTP("/readyz", http.StatusOK, 20*time.Second)
			s.Worker() // and one whose clock is right
			r.Injected()
			load := s.Load(server, 2, 20*time.Millisecond, Mixed)
			time.Sleep(r.For(8*time.Second, 30*time.Second)) // how long the clocks are off is the fault
			load.Stop()
			if n := load.Answers()[http.StatusText(http.StatusCreated)]; n == 0 || len(load.Answers()) > 1 {
				s.Errorf("answers: %v, want only 201", load.Answers())
			}
			s.AwaitDrained(10 * time.Second)
			s.Never("reaped")
			s.Never("retried")
		})
	}
}

// versions has the last released state and this one work on the same queue, then takes the new one away again.
func versions(r *Run) {
	old := oldPrograms(r)
	r.Scene("old and new", Setup{}, func(s *Scene) {
		oldServer, newServer := s.StartAs("server", old), s.Server()
		oldServer.AwaitHTTP("/livez", http.StatusOK, 20*time.Second)
		oldWorker, newWorker := s.StartAs("jobqueue", old), s.Worker()
		loads := []*Load{s.Load(oldServer, 2, 20*time.Millisecond, soakJob), s.Load(newServer, 2, 20*time.Millisecond, soakJob)}
		r.Injected()
		time.Sleep(r.For(5*time.Second, time.Minute)) // how long they live side by side is the fault
		oldWorker.Signal(syscall.SIGTERM)             // rolled out
		oldWorker.AwaitExit(40 * time.Second)
		time.Sleep(r.For(2*time.Second, 20*time.Second))
		s.StartAs("jobqueue", old).AwaitHTTP("/readyz", http.StatusOK, 20*time.Second) // and rolled back
		newWorker.Signal(syscall.SIGTERM)
		newWorker.AwaitExit(40 * time.Second)
		r.Injected()
		time.Sleep(r.For(2*time.Second, 20*time.Second))
		for i, l := range loads {
			l.Stop()
			if a := l.Answers(); len(a) > 1 || a[http.StatusText(http.StatusCreated)] == 0 {
				s.Errorf("answers of server %d: %v, want only 201", i, a)
			}
		}
		s.Never("reaped")
		s.Never("corrupt")
	})
}

// storm has very many clients come back at the instant at which Redis does.
func storm(r *Run) {
	clients := r.Times(100, 500)
	r.Scene(fmt.Sprintf("%d clients", clients), Setup{}, func(s *Scene) {
		s.Worker()
		s.Worker()
		all := make([]*queue.Client, clients)
		told := s.ownHistory()
		for i := range all {
			q, err := queue.Open(s.Context(), s.URL, queue.Options{History: told})
			if err != nil {
				s.Fatal(err)
			}
			defer q.Close()
			all[i] = q
		}
		healthy := func() {
			var waiting sync.WaitGroup
			for _, q := range all {
				waiting.Go(func() {
					for s.Context().Err() == nil {
						if _, err := q.Enqueue(s.Context(), queue.NewJob{Type: "message"}); err == nil {
							return
						}
					}
				})
			}
			waiting.Wait()
		}
		healthy()
		for range r.Times(1, 5) {
			s.Redis.Kill(s.T)
			r.Injected()
			back := make(chan time.Time, 1)
			go func() {
				healthy()
				back <- time.Now()
			}()
			time.Sleep(500 * time.Millisecond) // how long Redis is away is the fault
			s.Redis.Start(s.T)
			begin := time.Now()
			r.Resumed((<-back).Sub(begin))
		}
		info := s.Client.Info(s.Context(), "clients", "stats").Val()
		if strings.Contains(info, "rejected_connections:") && !strings.Contains(info, "rejected_connections:0\r") {
			s.Errorf("Redis rejected connections:\n%s", info)
		}
	})
}

// allGone kills everything. What may stay is what the next worker needs.
func allGone(r *Run) {
	for i := range r.Times(1, 10) {
		r.Scene(fmt.Sprintf("round %d", i+1), Setup{}, func(s *Scene) {
			server := s.Server()
			workers := []*Process{s.Worker(), s.Worker()}
			for range 6 {
				s.Register(server, Sleep(time.Second))
			}
			s.AwaitProcessing(6, 10*time.Second)
			for _, p := range append(workers, server) {
				p.Kill()
			}
			r.Injected()
			redistest.Await(s.T, 2*s.Timing.TTL, "the heartbeats to run out", func() bool {
				keys, err := s.Client.Keys(s.Context(), Key("heartbeat:*")).Result()
				return err == nil && len(keys) == 0
			})
			if n := s.Client.ZCard(s.Context(), Key("workers")).Val(); n != 2 {
				s.Errorf("%d workers in the registry, want 2: it is how their lists are found", n)
			}
			begin := time.Now()
			next := s.Worker()
			redistest.Await(s.T, s.Timing.Recovery(), "the next worker to hold all jobs", func() bool {
				held := 0
				for _, worker := range s.Holders() {
					if next.Holds(worker) {
						held++
					}
				}
				done, _ := s.Client.HGet(s.Context(), Key("stats"), "done").Int()
				return held+done == 6
			})
			r.Recovered(time.Since(begin))
		})
	}
}
