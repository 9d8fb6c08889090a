package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// ordered is a job of the hostile worker; ms and with are its order.
func ordered(deed string, ms, with int) Job {
	return Job{Type: deed, Payload: map[string]int{"ms": ms, "with": with}}
}

// poison hands in a job that kills its process each time it runs, among neighbours, to a worker that is started anew each time.
func poison(r *Run) {
	const neighbours, retries = 20, 2
	deeds := []string{"exit", "memory"}
	if r.Scale == Full {
		deeds = []string{"exit", "segv", "memory", "goroutine", "fatal"}
	}
	most, lost, finished, all := 0, 0, 0, 0
	for _, deed := range deeds {
		for n := range r.Times(1, 5) {
			r.Scene(fmt.Sprintf("%s %d", deed, n+1), Setup{Settings: []string{"RETRY_BASE=50ms", "RETRY_CAP=50ms"}}, func(s *Scene) {
				server := s.Server()
				near := make([]string, neighbours)
				for i := range near {
					near[i] = s.Register(server, ordered("beside", 1000, 0))
				}
				id := s.Register(server, ordered(deed, 0, 5).Retries(retries))
				crashes, lostBy := s.untilDead(id, near)
				done := s.stat("done")
				most, finished, all = max(most, crashes), finished+done, all+neighbours
				for _, n := range lostBy {
					lost += n
				}
				if crashes < 1 || crashes > retries+1 || done != neighbours {
					s.Errorf("%d crashes and %d of %d neighbours done, want at most %d crashes and all done", crashes, done, neighbours, retries+1)
				}
				if failures := s.failures(id); len(failures) != retries+1 || !strings.Contains(failures[0].Error, "worker lost") {
					s.Errorf("the failures of the poison are %+v, want %d, and that its workers were lost", failures, retries+1)
				}
			})
		}
	}
	r.Figure("crashes until the job is dead, at most", float64(most), "", "≤ 3")
	r.Figure("neighbours done", 100*float64(finished)/float64(max(1, all)), "%", "100 %")
	r.Figure("attempts lost by each neighbour", float64(lost)/float64(max(1, all)), "", "")
}

// untilDead keeps a hostile worker running, as a service manager would, until a job is dead and the queue is drained. It
// returns how often the worker died, and how many attempts each of the neighbours lost.
func (s *Scene) untilDead(id string, neighbours []string) (crashes int, lost []int) {
	s.Helper()
	lost = make([]int, len(neighbours))
	hostile := func() *Process { return s.Start("hostile", "WORKER_CONCURRENCY=21") }
	w, died := hostile(), time.Time{}
	redistest.Await(s.T, time.Minute, "the poison to be dead and its neighbours to be done", func() bool {
		if !w.Running() {
			crashes++
			s.Run.Injected()
			w, died = hostile(), time.Now()
		}
		if !died.IsZero() && w.Holds(s.Holders()[id]) {
			s.Run.Recovered(time.Since(died))
			died = time.Time{}
		}
		for i, v := range s.Client.HMGet(s.Context(), Key("attempts"), neighbours...).Val() {
			n := 0
			_, _ = fmt.Sscan(fmt.Sprint(v), &n)
			lost[i] = max(lost[i], n-1)
		}
		scheduled, processing, dead, err := s.Count()
		return err == nil && scheduled+processing == 0 && dead == 1
	})
	return crashes, lost
}

// stat is a counter of the queue.
func (s *Scene) stat(name string) int {
	n, _ := s.Client.HGet(s.Context(), Key("stats"), name).Int()
	return n
}

// failures are the last failures of a job, the newest first.
func (s *Scene) failures(id string) (all []queue.Failure) {
	_ = json.Unmarshal([]byte(s.Client.HGet(s.Context(), Key("errors"), id).Val()), &all)
	return all
}

// harmless are the deeds that must cost a slot nothing, with what is kept of their errors.
var harmless = map[string]string{
	"panic": "handler panicked: as it was told to", "panic-nil": "panic called with nil argument", "panic-error": "that cannot be printed",
	"error-panics": "that cannot be printed", "error-exits": "ended its goroutine while it was read", "goexit": "runtime.Goexit",
}

// misbehaved has handlers do whatever does not kill their process, and proves that no slot is lost by it.
func misbehaved(r *Run) {
	const slots = 5
	r.Scene("one process, every deed", Setup{Settings: []string{"RETRY_BASE=50ms", "RETRY_CAP=50ms", "STUCK_AFTER=100ms"}}, func(s *Scene) {
		server := s.Server()
		w := s.Start("hostile", fmt.Sprintf("WORKER_CONCURRENCY=%d", slots))
		w.AwaitHTTP("/readyz", http.StatusOK, 20*time.Second)
		s.meet(server, slots)
		before := w.inside()
		for range r.Times(1, 20) {
			bad := map[string]string{} // id → deed
			for deed := range harmless {
				for range 2 * slots {
					bad[s.Register(server, ordered(deed, 0, 0).Retries(1))] = deed
				}
			}
			for _, deed := range []string{"ignore", "deadlock"} {
				for range slots {
					s.Register(server, ordered(deed, 400, 0))
				}
			}
			s.Register(server, ordered("close-stdout", 0, 0).Retries(0))
			r.Injected()
			s.AwaitDrained(time.Minute)
			for id, deed := range bad {
				attempts, failures := s.Client.HGet(s.Context(), Key("attempts"), id).Val(), s.failures(id)
				if attempts != "2" || len(failures) != 2 || !strings.Contains(failures[0].Error, harmless[deed]) {
					s.Errorf("%s ended after %s attempts with %+v, want dead after 2 with %q", deed, attempts, failures, harmless[deed])
				}
			}
			s.meet(server, slots)
		}
		after := before
		redistest.Await(s.T, 10*time.Second, "as many goroutines as before", func() bool {
			after = w.inside()
			return after.Goroutines <= before.Goroutines
		})
		if after.PID != before.PID || len(after.Stats) != 1 || after.Stats[0].Slots != slots || after.Stats[0].Running != 0 {
			s.Errorf("before %+v, after %+v: want the same process with all slots free", before, after)
		}
		r.Figure("goroutines before", float64(before.Goroutines), "", "")
		r.Figure("goroutines after", float64(after.Goroutines), "", "no more than before")
	})
}

// meet has as many handlers wait for each other as the worker has slots: they only end if none is lost.
func (s *Scene) meet(server *Process, slots int) {
	s.Helper()
	done := s.stat("done")
	for range 3 * slots {
		s.Register(server, Job{Type: "meet"}.Retries(0))
	}
	s.AwaitDrained(30 * time.Second)
	if n := s.stat("done") - done; n != 3*slots {
		s.Errorf("%d of %d jobs are done: %d handlers did not run at once", n, 3*slots, slots)
	}
}

// inside is what a hostile worker tells of itself.
func (p *Process) inside() (d struct {
	PID, Goroutines int
	Stats           []struct{ Slots, Running int }
}) {
	p.t.Helper()
	res, err := http.Get("http://" + p.Addr + "/debug")
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&d); err != nil {
		p.t.Fatal(err)
	}
	return d
}
