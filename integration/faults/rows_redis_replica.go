package faults

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

// promoted kills a primary under load and looks what its replica, promoted in its place, does not have. The primary has
// kept everything on disk: it comes back for the rest of the play, so only the figures are about the replica.
func promoted(r *Run) {
	replicas(r, "replica promoted", "0")
	replicas(r, "replica promoted, min-replicas-to-write 1", "1")
	replicas(r, "replica promoted, ENQUEUE_WAIT=1", "0", "ENQUEUE_WAIT=1")
}

func replicas(r *Run, mode, least string, settings ...string) {
	l := &losses{}
	setup := Setup{Redis: []string{"--repl-diskless-sync-delay", "0", "--min-replicas-max-lag", "1"}, Settings: settings}
	r.Scene(mode, setup, func(s *Scene) {
		server := s.Server()
		s.Worker()
		host, port, _ := net.SplitHostPort(s.Redis.Addr())
		for range r.Times(2, 20) {
			replica := redistest.OwnOn(s.T, redistest.Process, "--appendonly", "no", "--replicaof", host+" "+port)
			redistest.Await(s.T, 20*time.Second, "the replica to follow", func() bool {
				text, err := replica.Client().Info(s.Context(), "replication").Result()
				return err == nil && strings.Contains(text, "master_link_status:up")
			})
			s.Redis.Config(s.T, "min-replicas-to-write", least)
			redistest.Await(s.T, 10*time.Second, "a 201 with a replica", func() bool { return s.Post(server, Job{}).Status == http.StatusCreated })
			parked := s.park(server)
			time.Sleep(300*time.Millisecond + chance(r, soon)) // when it happens is chance
			parked.mark()
			s.Redis.Kill(s.T)
			r.Injected()
			parked.stop()
			if err := replica.Client().SlaveOf(s.Context(), "NO", "ONE").Err(); err != nil {
				s.Fatal(err)
			}
			l.count(s, replica.Client(), parked)
			replica.Kill(s.T)
			s.Redis.Start(s.T)
		}
		l.publish(r, mode)
		if slices.Contains(settings, "ENQUEUE_WAIT=1") && l.most() > 0 {
			s.Errorf("the replica lacks %v of %d jobs that it had confirmed, want none", l.lost, l.acked)
		}
		if l.window > time.Second {
			s.Errorf("the replica lacks what was acknowledged %s before, want at most 1 s", l.window)
		}
	})
}
