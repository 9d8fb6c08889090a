package faults

import (
	"strings"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

// takeover is one way by which a replica becomes the master.
type takeover struct {
	name string
	// begin is the fault; end, when a replica is the master, brings the old one back.
	begin, end func(*Scene, *redistest.Sentinels, *redistest.Server)
	full       bool
}

var takeovers = []takeover{
	{name: "master killed",
		begin: func(s *Scene, _ *redistest.Sentinels, old *redistest.Server) { old.Kill(s.T) },
		end:   func(s *Scene, _ *redistest.Sentinels, old *redistest.Server) { old.Start(s.T) }},
	{name: "ordered", full: true,
		begin: func(s *Scene, group *redistest.Sentinels, _ *redistest.Server) { group.Failover(s.T) },
		end:   func(*Scene, *redistest.Sentinels, *redistest.Server) {}},
	{name: "master stopped", full: true,
		begin: func(s *Scene, _ *redistest.Sentinels, old *redistest.Server) { old.Pause(s.T) },
		end:   func(s *Scene, _ *redistest.Sentinels, old *redistest.Server) { old.Resume(s.T) }},
	{name: "master cut off with its clients", full: true,
		begin: func(s *Scene, group *redistest.Sentinels, old *redistest.Server) { group.CutOff(s.T, old) },
		end:   func(s *Scene, group *redistest.Sentinels, old *redistest.Server) { group.Rejoin(s.T, old) }},
}

// followWithin is how long sentinels may take to have the other replica follow a new master: with min-replicas-to-write that
// is what a 201 waits for. How long it took is published.
const followWithin = 30 * time.Second

// failoverWait is how long the jobs wait by which losses are counted: longer than the sentinels leave an old master alone.
const failoverWait = 25 * time.Second

// sentinelFailover changes the master under load in every way. Replication does not wait: what the old master had answered
// and not passed on is lost, and counted here.
func sentinelFailover(r *Run) {
	sentinelScene(r, "Sentinel", r.Times(1, 3))
	if r.Scale == Full {
		sentinelScene(r, "Sentinel, min-replicas-to-write 1", 2, "--min-replicas-to-write", "1", "--min-replicas-max-lag", "1")
	}
}

func sentinelScene(r *Run, mode string, times int, args ...string) {
	group := redistest.NewSentinels(r.T, 2, append(args, redistest.Watched()...)...)
	group.PrepareSplit(r.T)
	r.Scene(mode, Setup{URL: group.URL(), Client: group.Client(r.T)}, func(s *Scene) {
		s.Rules = Rules{MayLose: true}
		server := s.Server()
		s.Worker()
		s.Worker()
		load := s.Load(server, 2, 20*time.Millisecond, Mixed)
		for _, way := range takeovers {
			if way.full && r.Scale != Full {
				continue
			}
			l, kind := &losses{}, mode+", "+way.name
			var gaps []float64
			for range times {
				gaps = append(gaps, ms(s.takeOver(group, way, server, load, l)))
			}
			l.publish(r, kind)
			r.Figure("longest without a 201, "+kind, Quantile(gaps, 1), "ms", "")
		}
		load.Stop()
		s.inTime(load)
	})
}

// takeOver does it once and returns the longest time without a 201.
func (s *Scene) takeOver(group *redistest.Sentinels, way takeover, server *Process, load *Load, l *losses) time.Duration {
	s.Helper()
	old := group.Master(s.T)
	wait := failoverWait
	if !way.full {
		wait = parkedFor
	}
	parked := s.parkFor(server, wait)
	time.Sleep(300*time.Millisecond + chance(s.Run, soon)) // when it happens is chance
	parked.mark()
	way.begin(s, group, old)
	s.Run.Injected()
	redistest.Await(s.T, 20*time.Second, "another master", func() bool { m := group.Master(s.T); return m != nil && m != old })
	fresh := group.Master(s.T)
	load.AwaitCreated(s.T, followWithin) // with min-replicas-to-write once the other replica follows
	if way.full {                        // the old one may be written to until it is told, some 8 s later
		way.end(s, group, old)
		s.awaitFollower(old, fresh)
		load.AwaitCreated(s.T, followWithin)
	}
	parked.stop()
	l.count(s, fresh.Client(), parked)
	if !way.full {
		way.end(s, group, old)
		s.awaitFollower(old, fresh)
	}
	gap := parked.unavailable()
	s.Run.Resumed(gap)
	return gap
}

// awaitFollower waits until a server is a replica of another.
func (s *Scene) awaitFollower(replica, of *redistest.Server) {
	s.Helper()
	_, port, _ := strings.Cut(of.Addr(), ":")
	redistest.Await(s.T, 90*time.Second, "the old master to follow the new one", func() bool {
		text := replica.Client().Info(s.Context(), "replication").Val()
		return strings.Contains(text, "master_port:"+port+"\r") && strings.Contains(text, "master_link_status:up")
	})
}
