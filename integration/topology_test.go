package integration

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
	"github.com/punctualq/punctual/worker"
)

// load hands in jobs without a pause and runs them, while something is done to Redis.
type load struct {
	t       *testing.T
	queue   string
	client  *queue.Client
	ran     diary
	end     chan struct{}
	done    sync.WaitGroup
	mu      sync.Mutex
	acked   []string
	unknown atomic.Int32
	refused atomic.Int32
}

// startLoad begins with a worker of 10 slots and 3 callers, each with one job at a time.
func startLoad(t *testing.T, url, name string) *load {
	t.Helper()
	l := &load{t: t, queue: name, client: open(t, url), end: make(chan struct{})}
	startWorker(t, url, name, worker.Config{Concurrency: 10, Timing: queue.Timing{Interval: 200 * time.Millisecond, TTL: time.Minute}},
		func(_ context.Context, job worker.Job) error { l.ran.note(job, 0); return nil })
	for range 3 {
		l.done.Go(l.callAgainAndAgain)
	}
	t.Cleanup(l.stop)
	l.flows("from the start")
	return l
}

func (l *load) callAgainAndAgain() {
	for {
		select {
		case <-l.end:
			return
		default:
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		done, err := l.client.Enqueue(ctx, queue.NewJob{Queue: l.queue})
		cancel()
		switch {
		case err == nil:
			l.mu.Lock()
			l.acked = append(l.acked, done.ID)
			l.mu.Unlock()
		case errors.Is(err, queue.ErrOutcomeUnknown):
			l.unknown.Add(1)
		case errors.Is(err, queue.ErrUnavailable):
			l.refused.Add(1)
		default:
			l.t.Errorf("enqueue: %v", err)
		}
	}
}

// flows waits until 20 more jobs are taken, and 20 more run.
func (l *load) flows(when string) {
	l.t.Helper()
	taken, run := l.count(), len(l.ran.all())
	redistest.Await(l.t, 20*time.Second, "jobs to be taken and run "+when, func() bool {
		return l.count() >= taken+20 && len(l.ran.all()) >= run+20
	})
}

func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked)
}

func (l *load) stop() {
	select {
	case <-l.end:
	default:
		close(l.end)
	}
	l.done.Wait()
}

// drain ends the load, waits until the queue is empty on the server that has it by then, and returns how many jobs were
// taken and did not run.
func (l *load) drain(s *redistest.Server) (lost int) {
	l.t.Helper()
	l.stop()
	redistest.Await(l.t, 20*time.Second, "the queue to be empty", func() bool {
		n, err := s.Client().HLen(l.t.Context(), "punctual:{"+l.queue+"}:jobs").Result()
		return err == nil && n == 0
	})
	redistest.AssertConserved(l.t, s.Client(), l.queue)
	ran, twice := map[string]int{}, 0
	for _, r := range l.ran.all() {
		if ran[r.ID]++; ran[r.ID] == 2 {
			twice++
		}
	}
	for _, id := range l.acked {
		if ran[id] == 0 {
			lost++
		}
	}
	l.t.Logf("%d jobs taken, %d lost, %d run twice, %d of unknown outcome, %d refused", len(l.acked), lost, twice, l.unknown.Load(), l.refused.Load())
	return lost
}

func (l *load) ready() {
	l.t.Helper()
	redistest.Await(l.t, 10*time.Second, "no problem", func() bool {
		ctx, cancel := context.WithTimeout(l.t.Context(), time.Second)
		defer cancel()
		return len(l.client.Health(ctx)) == 0
	})
}

// TestSentinelFailover: the master changes in good order, then it is killed, then it comes back as a replica.
func TestSentinelFailover(t *testing.T) {
	s := redistest.NewSentinels(t, 2)
	l := startLoad(t, s.URL(), redistest.Queue(t))
	l.ready()
	old := s.Servers[0]
	s.Failover(t)
	redistest.Await(t, 20*time.Second, "another master", func() bool { m := s.Master(t); return m != nil && m != old })
	l.flows("after the failover")
	l.ready()

	killed := s.Master(t)
	killed.Kill(t)
	redistest.Await(t, 20*time.Second, "a third master", func() bool { m := s.Master(t); return m != nil && m != killed })
	l.flows("after the master was killed")
	killed.Start(t)
	redistest.Await(t, 20*time.Second, "the killed one to be a replica", func() bool { return redistest.Role(t, killed) == "slave" })
	l.flows("after the old master came back")
	l.ready()
	// Replication does not wait: what the master had answered and not yet passed on when it died is gone.
	if lost := l.drain(s.Master(t)); lost > 50 {
		t.Errorf("%d jobs lost: more than can have been on their way to the replica", lost)
	}
}

// TestClusterSlotMoved: the slot of a busy queue goes to another node and back, key by key.
func TestClusterSlotMoved(t *testing.T) {
	n := redistest.NewCluster(t, 3, 0)
	home, away := n.Servers[0], n.Servers[1]
	l := startLoad(t, n.URL(), n.QueueOn(t, home))
	other := startLoad(t, n.URL(), n.QueueOn(t, n.Servers[2]))
	for _, to := range []*redistest.Server{away, home} {
		n.Move(t, l.queue, to, func() { other.flows("of a queue that does not move") })
		l.flows("after its slot was moved")
	}
	l.ready()
	for _, word := range []string{"MOVED", "ASK", "TRYAGAIN"} {
		if count := n.Errors(t, word); count == 0 {
			t.Errorf("no node answered %s: the test shows nothing", word)
		} else {
			t.Logf("%d times %s", count, word)
		}
	}
	for name, l := range map[*redistest.Server]*load{home: l, n.Servers[2]: other} {
		if lost := l.drain(name); lost > 0 {
			t.Errorf("%d jobs lost", lost)
		}
	}
	if other.refused.Load()+other.unknown.Load() > 0 {
		t.Error("a queue that did not move was refused")
	}
}

// TestClusterFailover: a replica takes over in good order; then it is killed and the first takes over again.
func TestClusterFailover(t *testing.T) {
	n := redistest.NewCluster(t, 3, 1)
	master, replica := n.Servers[0], n.Servers[3]
	l := startLoad(t, n.URL(), n.QueueOn(t, master))
	other := startLoad(t, n.URL(), n.QueueOn(t, n.Servers[1]))
	if err := replica.Client().ClusterFailover(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	redistest.Await(t, 10*time.Second, "the replica to be the master", func() bool { return redistest.Role(t, replica) == "master" })
	l.flows("after the failover")
	l.ready()
	if lost := l.lostSoFar(); lost > 0 {
		t.Errorf("%d jobs lost by a failover in good order", lost)
	}
	redistest.AwaitReplica(t, master)

	replica.Kill(t)
	redistest.Await(t, 20*time.Second, "the first to be the master again", func() bool { return redistest.Role(t, master) == "master" })
	l.flows("after the node was killed")
	replica.Start(t)
	redistest.AwaitReplica(t, replica)
	l.flows("after the killed node came back")
	l.ready()
	if lost := l.drain(master); lost > 50 {
		t.Errorf("%d jobs lost: more than can have been on their way to the replica", lost)
	}
	if lost := other.drain(n.Servers[1]); lost > 0 {
		t.Errorf("%d jobs lost of a queue on another node", lost)
	}
}

// lostSoFar waits until every job that is taken by now has run, and counts those that have not within 5 s.
func (l *load) lostSoFar() (lost int) {
	l.mu.Lock()
	acked := append([]string(nil), l.acked...)
	l.mu.Unlock()
	deadline := time.Now().Add(5 * time.Second)
	for {
		ran := map[string]bool{}
		for _, r := range l.ran.all() {
			ran[r.ID] = true
		}
		lost = 0
		for _, id := range acked {
			if !ran[id] {
				lost++
			}
		}
		if lost == 0 || time.Now().After(deadline) {
			return lost
		}
		time.Sleep(10 * time.Millisecond)
	}
}
