package faults

import (
	"slices"
	"strings"
	"time"

	"github.com/punctualq/punctual/integration/faults/history"
	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// staleReplica lets a replica fall behind, loses the master, and has the replica take over: everything since is undone.
func staleReplica(r *Run) {
	group := redistest.NewSentinels(r.T, 1)
	r.Scene("stale replica", Setup{URL: group.URL(), Client: group.Client(r.T)}, func(s *Scene) {
		s.Rules = Rules{MayLose: true}
		server := s.Server()
		s.Worker("WORKER_CONCURRENCY=30")
		s.Worker("WORKER_CONCURRENCY=30")
		for i := range r.Times(1, 5) {
			old, fresh := s.rollBack(group, server)
			if old.Start(s.T); i+1 < r.Times(1, 5) {
				s.awaitFollower(old, fresh)
			}
		}
	})
}

// undone are jobs of one rollback, by what the lost master did with them that the replica never heard of.
type undone struct {
	nothing, claimed, settled, registered []string
}

// rollBack does it once and returns the lost master and the new one.
func (s *Scene) rollBack(group *redistest.Sentinels, server *Process) (old, replica *redistest.Server) {
	s.Helper()
	old, replica = group.Master(s.T), group.Servers[0]
	if replica == old {
		replica = group.Servers[1]
	}
	var jobs undone
	register := func(into *[]string, job Job) {
		for range 5 {
			*into = append(*into, s.Register(server, job.Retries(5)))
		}
	}
	later := func(d time.Duration, seconds int) Job { j := Sleep(d); j.Delay = seconds; return j }
	register(&jobs.settled, Sleep(3*time.Second))
	register(&jobs.nothing, Sleep(9*time.Second))
	register(&jobs.claimed, later(9*time.Second, 3))
	s.awaitHeld(func(h map[string]string) bool { return holdsAll(h, jobs.settled) && holdsAll(h, jobs.nothing) })
	if n, err := old.Client().Wait(s.Context(), 1, 5*time.Second).Result(); err != nil || n != 1 {
		s.Fatalf("%d replicas have everything: %v", n, err)
	}

	replica.Pause(s.T) // before its connection ends, so that it makes no other
	if err := old.Client().ClientKillByFilter(s.Context(), "TYPE", "replica").Err(); err != nil {
		s.Fatal(err)
	}
	s.awaitHeld(func(h map[string]string) bool { return holdsAll(h, jobs.claimed) && holdsNone(h, jobs.settled) })
	register(&jobs.registered, Job{Message: "rolled back", Delay: 3})
	old.Kill(s.T)
	s.Run.Injected()
	server.AwaitHTTP("/readyz", 503, 5*time.Second) // by now nobody waits for an answer of the old master
	undoneAt := history.Now()
	replica.Resume(s.T)
	begin := time.Now()
	redistest.Await(s.T, 20*time.Second, "the stale replica to be the master", func() bool { return group.Master(s.T) == replica })
	redistest.Await(s.T, back, "a 201", func() bool { return s.Post(server, Job{Message: "after"}).Status == 201 })
	s.Run.Recovered(time.Since(begin))
	records, err := replica.Client().HMGet(s.Context(), Key("jobs"), jobs.registered...).Result()
	if err != nil {
		s.Fatal(err)
	}
	if slices.ContainsFunc(records, func(r any) bool { return r != nil }) {
		s.Error("the replica knows a job that was registered while it was cut off: it was not stale")
	}
	s.AwaitDrained(60 * time.Second)
	redistest.Await(s.T, 10*time.Second, "the workers to note what Redis has answered of each job", func() bool {
		accepted, _, _ := s.results(undoneAt)
		return !slices.ContainsFunc(slices.Concat(jobs.nothing, jobs.claimed, jobs.settled), func(id string) bool { return accepted[id] == 0 })
	})
	s.onceEach(jobs, undoneAt)
	return old, replica
}

// results are those that were answered since: how many were accepted of each job, the elements of which two were, and how many were
// late.
func (s *Scene) results(since int64) (accepted map[string]int, twice []string, lost int) {
	s.Helper()
	h, err := history.Load(s.dir)
	if err != nil {
		s.Fatal(err)
	}
	accepted, elements := map[string]int{}, map[string]int{}
	for _, e := range h.Events {
		switch {
		case e.Op != queue.OpSettle || e.Res != queue.ResOK:
		case e.MonoNS < since: // undone, or of a job that none of this is about
		case e.Outcome == queue.OutcomeLost:
			lost++
		default:
			if elements[e.Element]++; elements[e.Element] == 2 {
				twice = append(twice, e.Element)
			}
			_, id, _ := strings.Cut(e.Element, ":")
			accepted[id]++
		}
	}
	return accepted, twice, lost
}

// onceEach checks that of all results that were reported after a rollback one counted for each job.
func (s *Scene) onceEach(jobs undone, since int64) {
	s.Helper()
	accepted, twice, lost := s.results(since)
	for _, element := range twice {
		s.Errorf("two results of element %s were accepted", element)
	}
	for what, ids := range map[string][]string{"was not touched": jobs.nothing, "had been claimed": jobs.claimed, "had been settled": jobs.settled} {
		for _, id := range ids {
			if accepted[id] != 1 {
				s.Errorf("%d results were accepted of %s, which %s before the rollback; want 1", accepted[id], id, what)
			}
		}
	}
	for _, id := range jobs.registered {
		if accepted[id] != 0 {
			s.Errorf("a result was accepted of %s, which is gone", id)
		}
	}
	s.Run.Figure("registrations rolled back", float64(len(jobs.registered)), "jobs", "")
	s.Run.Figure("late results refused", float64(lost), "", "")
	if lost < len(jobs.claimed) {
		s.Errorf("%d late results were refused, want those of the %d claims that were undone", lost, len(jobs.claimed))
	}
}

func (s *Scene) awaitHeld(enough func(map[string]string) bool) {
	s.Helper()
	redistest.Await(s.T, 15*time.Second, "workers to hold these jobs and no others", func() bool {
		holders := s.Holders()
		return holders != nil && enough(holders)
	})
}

func holdsAll(holders map[string]string, ids []string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { return holders[id] == "" })
}

func holdsNone(holders map[string]string, ids []string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { return holders[id] != "" })
}
