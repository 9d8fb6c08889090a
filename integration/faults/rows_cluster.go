package faults

import (
	"fmt"
	"strings"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

// votePause is twice the node timeout. The nodes vote about one master no more often than that, so a replica that is told to take
// over sooner waits for votes in vain, for 5 s, with the clients of its master paused.
const votePause = 2 * time.Second

// clusterChanges moves the slot of the queue, and the node that serves it, under load.
func clusterChanges(r *Run) {
	clusterScene(r, "in good order", Rules{}, func(s *Scene, n *redistest.Nodes, server *Process, load *Load) {
		home := n.Owner(s.T, "default")
		for range r.Times(1, 5) {
			for _, to := range []*redistest.Server{n.Servers[0], home} {
				s.moveSlot(n, to, load)
			}
		}
		pair := [2]*redistest.Server{home, replicaOf(s, n, home)}
		for range r.Times(1, 5) {
			time.Sleep(votePause)
			s.parkAcross(server, load, pair[1], "Cluster, CLUSTER FAILOVER", true, func() {
				if err := pair[1].Client().ClusterFailover(s.Context()).Err(); err != nil {
					s.Fatal(err)
				}
				awaitRole(s, pair[1], "master")
			})
			redistest.AwaitReplica(s.T, pair[0])
			pair[0], pair[1] = pair[1], pair[0]
		}
	})
	clusterScene(r, "node killed", Rules{MayLose: true}, func(s *Scene, n *redistest.Nodes, server *Process, load *Load) {
		pair := [2]*redistest.Server{n.Owner(s.T, "default")}
		pair[1] = replicaOf(s, n, pair[0])
		for range r.Times(1, 5) {
			time.Sleep(votePause)
			s.parkAcross(server, load, pair[1], "Cluster, node killed", false, func() {
				pair[0].Kill(s.T)
				awaitRole(s, pair[1], "master")
			})
			pair[0].Start(s.T)
			awaitRole(s, pair[0], "slave")
			redistest.AwaitReplica(s.T, pair[0])
			pair[0], pair[1] = pair[1], pair[0]
		}
	})
}

func clusterScene(r *Run, name string, rules Rules, play func(*Scene, *redistest.Nodes, *Process, *Load)) {
	n := redistest.NewCluster(r.T, 3, 2) // the queue default lies on the second
	r.Scene(name, Setup{URL: n.URL(), Client: n.Client(r.T)}, func(s *Scene) {
		s.Rules = rules
		server := s.Server()
		s.Worker()
		s.Worker()
		load := s.Load(server, 4, 20*time.Millisecond, Mixed)
		load.AwaitCreated(s.T, back)
		play(s, n, server, load)
		load.Stop()
		s.inTime(load)
	})
}

// moveSlot moves the slot of the queue key by key; for a while after each key some are here and some there.
func (s *Scene) moveSlot(n *redistest.Nodes, to *redistest.Server, load *Load) {
	s.Helper()
	begin := time.Now()
	n.Move(s.T, "default", to, func() { time.Sleep(30 * time.Millisecond) }) // how long keys are in two places is the fault
	s.Run.Injected()
	s.Run.Figure("time that a slot took to move", ms(time.Since(begin)), "ms", "")
	s.Run.Resumed(load.AwaitCreated(s.T, back))
}

// parkAcross has a fault while jobs are registered, by which another server gets them, and counts which of them it cost.
func (s *Scene) parkAcross(server *Process, load *Load, heir *redistest.Server, mode string, graceful bool, fault func()) {
	s.Helper()
	parked := s.park(server)
	time.Sleep(300*time.Millisecond + chance(s.Run, soon)) // when it happens is chance
	parked.mark()
	fault()
	s.Run.Injected()
	load.AwaitCreated(s.T, back)
	parked.stop()
	l := &losses{}
	l.count(s, heir.Client(), parked)
	goal := ""
	if graceful {
		goal = "0"
		if l.most() > 0 {
			s.Errorf("%v jobs lost by a change in good order, want none", l.lost)
		}
	}
	gap := parked.unavailable()
	s.Run.Resumed(gap)
	s.Run.Figure("lost, "+mode, l.most(), fmt.Sprintf("jobs of %d", l.acked), goal)
	s.Run.Figure("longest without a 201, "+mode, ms(gap), "ms", "")
}

// replicaOf is the replica of a node.
func replicaOf(s *Scene, n *redistest.Nodes, master *redistest.Server) *redistest.Server {
	s.Helper()
	for _, one := range n.Servers {
		role, _ := one.Client().Do(s.Context(), "ROLE").Slice()
		if len(role) > 2 && role[0] == "slave" && strings.HasSuffix(master.Addr(), fmt.Sprint(":", role[2])) {
			return one
		}
	}
	s.Fatalf("%s has no replica", master.Addr())
	return nil
}

func awaitRole(s *Scene, server *redistest.Server, role string) {
	s.Helper()
	redistest.Await(s.T, 20*time.Second, server.Addr()+" to be "+role, func() bool { return redistest.Role(s.T, server) == role })
}
