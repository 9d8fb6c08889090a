package faults

import (
	"fmt"
	"sync"
	"time"
)

func crashEverySecond(r *Run) {
	s := crash(r, "everysec", r.Times(3, 100), Rules{}, "--appendfsync", "everysec")
	r.Figure("lost in one kill at most, everysec", s.most(), "jobs", "0")
}

func crashAlways(r *Run) {
	s := crash(r, "always", r.Times(3, 50), Rules{}, "--appendfsync", "always")
	r.Figure("lost in one kill at most, always", s.most(), "jobs", "0")
	r.Figure("201 p50, always", Quantile(s.created, 0.5), "ms", "")
	r.Figure("201 p99, always", Quantile(s.created, 0.99), "ms", "")
}

// crashUnsaved: with snapshots alone what came after the last one is gone, with none everything.
func crashUnsaved(r *Run) {
	loses := Rules{MayLose: true, MayDuplicate: true}
	rdb := crash(r, "RDB", r.Times(2, 20), loses, "--appendonly", "no", "--save", "5 1")
	rdb.publish(r, "RDB alone (save 5 1)")
	none := crash(r, "no persistence", r.Times(2, 20), loses, "--appendonly", "no")
	none.publish(r, "no persistence")
}

// losses is what kills of Redis have cost.
type losses struct {
	acked   int
	lost    []float64     // of each kill
	window  time.Duration // the longest time by which a job that was lost had been acknowledged
	created []float64     // ms, of the 201s
}

func (l *losses) most() float64 { return Quantile(l.lost, 1) }

func (l *losses) publish(r *Run, mode string) {
	r.Figure(fmt.Sprintf("lost per kill, %s: p50", mode), Quantile(l.lost, 0.5), "jobs", "")
	r.Figure(fmt.Sprintf("lost per kill, %s: most", mode), l.most(), "jobs", "")
	r.Figure(fmt.Sprintf("oldest acknowledgement lost, %s", mode), ms(l.window), "ms before the kill", "")
}

// crash kills Redis again and again under load. Beside the common load there are jobs that wait: each that was acknowledged
// since the last kill must be there after it.
func crash(r *Run, mode string, kills int, rules Rules, args ...string) *losses {
	l := &losses{}
	r.Scene(mode, Setup{Redis: args}, func(s *Scene) {
		s.Rules = rules
		server := s.Server()
		s.Worker()
		s.Worker()
		load := s.Load(server, 2, 20*time.Millisecond, Mixed)
		for range kills {
			parked := s.park(server)
			time.Sleep(300*time.Millisecond + time.Duration(r.Rand.IntN(1000))*time.Millisecond) // when it happens is chance
			parked.mark()
			s.Redis.Kill(s.T)
			r.Injected()
			parked.stop()
			s.Redis.Start(s.T)
			l.count(s, parked)
			r.Resumed(load.AwaitCreated(s.T, back))
		}
		load.Stop()
		l.created = load.Created()
		if !rules.MayLose && l.most() > 0 {
			s.Errorf("lost by each kill: %v of %d, want none", l.lost, l.acked)
		}
		s.inTime(load)
	})
	return l
}

// parkedFor is how long the jobs wait by which losses are counted: longer than a kill and the return of Redis take, and
// short enough to be drained after the last one.
const parkedFor = 12 * time.Second

// parked is jobs that wait, with the time of their acknowledgement.
type parked struct {
	ends   func()
	mu     sync.Mutex
	ids    []string
	at     []time.Time
	killed time.Time
}

// park registers jobs as fast as a few callers can until stop.
func (s *Scene) park(server *Process) *parked {
	p := &parked{}
	stop := make(chan struct{})
	var posting sync.WaitGroup
	p.ends = sync.OnceFunc(func() { close(stop); posting.Wait() })
	for range 4 {
		posting.Go(func() {
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
				}
				if a := s.Post(server, Job{Message: "parked", Delay: int(parkedFor.Seconds())}); a.Status == 201 {
					p.mu.Lock()
					p.ids, p.at = append(p.ids, a.JobID), append(p.at, time.Now())
					p.mu.Unlock()
				}
			}
		})
	}
	s.Cleanup(p.ends)
	return p
}

// mark notes that the fault comes now.
func (p *parked) mark() { p.mu.Lock(); p.killed = time.Now(); p.mu.Unlock() }

// stop ends the load and returns when the last answer is there.
func (p *parked) stop() { p.ends() }

// count looks which of the parked jobs are gone.
func (l *losses) count(s *Scene, p *parked) {
	s.Helper()
	if len(p.ids) == 0 {
		s.Fatal("nothing was acknowledged before the kill")
	}
	records, err := s.Client.HMGet(s.Context(), Key("jobs"), p.ids...).Result()
	if err != nil {
		s.Fatal(err)
	}
	lost := 0
	for i, record := range records {
		if record == nil {
			lost++
			l.window = max(l.window, p.killed.Sub(p.at[i]))
		}
	}
	l.acked += len(p.ids)
	l.lost = append(l.lost, float64(lost))
}
