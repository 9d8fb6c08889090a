package faults

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Most of the time a kill comes soon; where only snapshots are kept it must be able to come long after the last one.
const soon, late = 1300 * time.Millisecond, 8 * time.Second

// postponedWrite is how long Redis puts off writing to its file while the disk is busy with the sync of the second before
// (flushAppendOnlyFile in its aof.c): it answers meanwhile, and a kill then costs what it has answered.
const postponedWrite = 2 * time.Second

func crashEverySecond(r *Run) {
	crash(r, "AOF everysec", r.Times(3, 100), soon, Rules{}, "--appendfsync", "everysec")
}

func crashAlways(r *Run) {
	crash(r, "AOF always", r.Times(3, 50), soon, Rules{}, "--appendfsync", "always")
}

// crashUnsaved: with snapshots alone what came after the last one is gone, with none everything.
func crashUnsaved(r *Run) {
	loses := Rules{MayLose: true}
	crash(r, "RDB alone (save 5 1)", r.Times(2, 20), r.For(soon, late), loses, "--appendonly", "no", "--save", "5 1")
	crash(r, "no persistence", r.Times(2, 20), soon, loses, "--appendonly", "no")
	promoted(r)
}

// crash kills Redis again and again under load. Beside the common load there are jobs that wait: each that was acknowledged
// since the last kill must be there after it.
func crash(r *Run, mode string, kills int, within time.Duration, rules Rules, args ...string) {
	l, putsOff := &losses{}, slices.Contains(args, "everysec")
	r.Scene(mode, Setup{Redis: args}, func(s *Scene) {
		s.Rules = rules
		server := s.Server()
		s.Worker()
		s.Worker()
		load := s.Load(server, 2, 20*time.Millisecond, Mixed)
		for range kills {
			parked := s.park(server)
			time.Sleep(300*time.Millisecond + chance(r, within)) // when it happens is chance
			parked.mark()
			s.Redis.Kill(s.T)
			if putsOff {
				s.killed = append(s.killed, time.Now().UnixMilli())
			}
			r.Injected()
			parked.stop()
			s.Redis.Start(s.T)
			l.count(s, s.Client, parked)
			r.Resumed(load.AwaitCreated(s.T, back))
		}
		load.Stop()
		l.publish(r, mode)
		r.Figure("201, "+mode+": p99", Quantile(load.Created(), 0.99), "ms", "")
		if !rules.MayLose && l.most() > 0 && !(putsOff && l.window <= postponedWrite) {
			s.Errorf("lost by each kill: %v of %d, acknowledged up to %v before it", l.lost, l.acked, l.window)
		}
		s.inTime(load)
	})
}

// chance is a duration below most, by the seed of the run.
func chance(r *Run, most time.Duration) time.Duration {
	return time.Duration(r.Rand.Int64N(int64(most)))
}

// losses is what faults of one kind have cost.
type losses struct {
	acked  int           // by all faults together
	lost   []float64     // by each
	window time.Duration // the longest time by which a job that was lost had been acknowledged
}

func (l *losses) most() float64 { return Quantile(l.lost, 1) }

func (l *losses) publish(r *Run, mode string) {
	goal := ""
	if mode == "AOF always" || strings.Contains(mode, "ENQUEUE_WAIT") {
		goal = "0"
	}
	r.Figure("acknowledged per fault, "+mode, float64(l.acked)/float64(len(l.lost)), "jobs", "")
	all := 0.0
	for _, n := range l.lost {
		all += n
	}
	r.Figure("lost in all, "+mode, all, "jobs", goal)
	r.Figure("lost per fault, "+mode+": p50", Quantile(l.lost, 0.5), "jobs", goal)
	r.Figure("lost per fault, "+mode+": max", l.most(), "jobs", goal)
	if l.window > 0 {
		r.Figure("oldest acknowledgement lost, "+mode, ms(l.window), "ms before the fault", "")
	}
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
func (s *Scene) park(server *Process) *parked { return s.parkFor(server, parkedFor) }

// parkFor is park of jobs that wait for another time.
func (s *Scene) parkFor(server *Process, wait time.Duration) *parked {
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
				if a := s.Post(server, Job{Message: "parked", Delay: int(wait.Seconds())}); a.Status == http.StatusCreated {
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
func (l *losses) count(s *Scene, client redis.UniversalClient, p *parked) {
	s.Helper()
	if len(p.ids) == 0 {
		s.Fatal("nothing was acknowledged before the kill")
	}
	records, err := client.HMGet(s.Context(), Key("jobs"), p.ids...).Result()
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
