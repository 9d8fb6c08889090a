package faults

import (
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// apiRows: what happens to the API process, and between it and its clients.
var apiRows = map[string]func(*Run){"R23": refusals, "R29": apiKilled, "R30": repeated, "R31": replyLost}

// told is what clients know of their requests, by a message that no other request has.
type told struct {
	mu      sync.Mutex
	acked   map[string]bool // answered 201
	unknown map[string]bool // not answered, or 503 outcome-unknown
	refused map[string]bool // any other answer: nothing was registered
}

func newTold() *told {
	return &told{acked: map[string]bool{}, unknown: map[string]bool{}, refused: map[string]bool{}}
}

func (k *told) note(message string, a Answer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case a.Status == http.StatusCreated:
		k.acked[message] = true
	case a.Status == 0 || a.Code == "outcome-unknown":
		k.unknown[message] = true
	default:
		k.refused[message] = true
	}
}

// check compares it with what ran, when everything is drained: a job that was acknowledged ran once, one of unknown outcome
// at most as often as it was sent, one that was refused never. It returns how many of the unknown ran.
func (k *told) check(s *Scene, ran map[string]int, sent int) (there int) {
	s.Helper()
	for message := range k.acked {
		if ran[message] < 1 || ran[message] > sent {
			s.Errorf("%q was registered and ran %d times", message, ran[message])
		}
	}
	for message := range k.unknown {
		if there += min(ran[message], 1); ran[message] > sent {
			s.Errorf("%q was sent %d times and ran %d times", message, sent, ran[message])
		}
	}
	for message := range k.refused {
		if ran[message] > 0 && !k.acked[message] && !k.unknown[message] {
			s.Errorf("%q was refused and ran", message)
		}
	}
	return there
}

// clients has many clients register all the time, each job with a message of its own, until stop is called.
func (k *told) clients(s *Scene, server *Process, name string, many int, pause time.Duration) (stop func()) {
	end := make(chan struct{})
	var posting sync.WaitGroup
	for c := range many {
		posting.Go(func() {
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-end:
					return
				case <-tick.C:
				}
				message := fmt.Sprintf("%s, client %d, job %d", name, c, n)
				k.note(message, s.Post(server, Said("%s", message)))
			}
		})
	}
	stop = sync.OnceFunc(func() { close(end); posting.Wait() })
	s.Cleanup(stop)
	return stop
}

// apiKilled kills the API at random moments under the load of many clients, who do not repeat what was not answered.
func apiKilled(r *Run) {
	r.Scene("kill -9 of the API", Setup{}, func(s *Scene) {
		worker, known := s.Worker("WORKER_CONCURRENCY=50"), newTold()
		for round := range r.Times(5, 60) {
			server := s.Server()
			stop := known.clients(s, server, fmt.Sprintf("round %d", round), 16, 4*time.Millisecond)
			time.Sleep(50*time.Millisecond + time.Duration(r.Rand.IntN(250))*time.Millisecond) // the moment is the fault's
			server.Signal(syscall.SIGKILL)
			r.Injected()
			<-server.Gone
			stop()
		}
		s.AwaitDrained(30 * time.Second)
		there := known.check(s, printed(worker), 1)
		if len(known.acked) == 0 || len(known.unknown) == 0 {
			s.Errorf("%d requests were answered 201 and %d not at all: want some of both", len(known.acked), len(known.unknown))
		}
		r.Figure("answered 201", float64(len(known.acked)), "", "each ran once")
		r.Figure("not answered", float64(len(known.unknown)), "", "each ran at most once")
		r.Figure("not answered, and ran", float64(there), "", "")
	})
}

// repeated: the answer of the API is cut off on its way, and the client, which has no key to repeat with, sends the request again.
func repeated(r *Run) {
	r.Scene("the client sends it again", Setup{}, func(s *Scene) {
		worker, server, known := s.Worker("WORKER_CONCURRENCY=50"), s.Server(), newTold()
		network := s.bad(server.Addr)
		network.Add("answer cut off", "limit_data", replies, 1, map[string]int{"bytes": 1})
		far := &Process{t: s.T, Addr: network.Addr()}
		for n := range r.Times(20, 500) {
			job := Said("request %d", n)
			first := s.Post(far, job)
			r.Injected()
			if first.Status != 0 {
				s.Fatalf("the answer came all the same: %+v", first)
			}
			known.note(job.Message, first)
			known.note(job.Message, s.Post(server, job))
		}
		s.AwaitDrained(30 * time.Second)
		ran, twice := printed(worker), 0
		known.check(s, ran, 2)
		for _, n := range ran {
			twice += n - 1
		}
		r.Figure("requests sent twice", float64(r.Times(20, 500)), "", "")
		r.Figure("of these ran twice", float64(twice), "", "≤ one a repetition")
	})
}

// replyLost loses the reply of Redis to a registration that has run: one by one, then all replies for a moment, under load.
func replyLost(r *Run) {
	r.Scene("one reply", Setup{}, func(s *Scene) {
		proxy := redistest.NewProxy(s.T, s.Redis.Addr())
		server, worker, known := s.Server("REDIS_URL="+proxy.URL()), s.Worker(), newTold()
		s.Register(server, Said("now Redis knows the script"))
		for n := range r.Times(5, 100) {
			job := Said("reply %d is lost", n)
			job.Delay = 3
			lost := proxy.SwallowReply([]byte(queue.ScriptSHAs()["enqueue"]), 1)
			a := s.Post(server, job)
			<-lost
			r.Injected()
			r.Refused(a.Took)
			known.note(job.Message, a)
			if a.Status != http.StatusServiceUnavailable || a.Code != "outcome-unknown" || a.JobID == "" || a.Took > time.Second {
				s.Errorf("answered %+v, want 503 outcome-unknown with a job id within 1 s", a)
			}
			if there, err := s.Client.HExists(s.Context(), Key("jobs"), a.JobID).Result(); err != nil || !there {
				s.Errorf("job %s is not there (%v)", a.JobID, err)
			}
			s.Register(server, Said("after reply %d", n)) // the next one is taken
		}
		s.AwaitDrained(30 * time.Second)
		if there := known.check(s, printed(worker), 1); there != len(known.unknown) {
			s.Errorf("%d of %d jobs whose reply was lost ran", there, len(known.unknown))
		}
	})
	r.Scene("all replies for a moment", Setup{}, func(s *Scene) {
		network := s.bad(s.Redis.Addr())
		server, worker, known := s.Server("REDIS_URL="+network.through(s.URL)), s.Worker("WORKER_CONCURRENCY=50"), newTold()
		stop := known.clients(s, server, "load", 8, 5*time.Millisecond)
		for range r.Times(4, 40) {
			network.Add("replies lost", "timeout", replies, 1, map[string]int{"timeout": 0})
			time.Sleep(100*time.Millisecond + time.Duration(r.Rand.IntN(900))*time.Millisecond) // how long is the fault's
			network.Remove("replies lost")
			begin := time.Now()
			r.Injected()
			redistest.Await(s.T, 5*time.Second, "a 201", func() bool { return s.Post(server, Mixed(0)).Status == http.StatusCreated })
			r.Resumed(time.Since(begin))
		}
		stop()
		s.AwaitDrained(30 * time.Second)
		there := known.check(s, printed(worker), 1)
		r.Figure("outcome unknown", float64(len(known.unknown)), "", "each ran at most once")
		r.Figure("outcome unknown, and ran", float64(there), "", "")
	})
}
