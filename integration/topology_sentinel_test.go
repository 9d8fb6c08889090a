package integration

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// noticed is how long after the sentinels name another master something may still be acknowledged by the old one: a second, and
// another for a busy machine. By itself the old one goes on for 8 s.
const noticed = 2 * time.Second

// TestSentinelOldMasterIsLeft: after a failover in good order the old master takes writes for some seconds more, and all of them are
// lost when it becomes a replica.
func TestSentinelOldMasterIsLeft(t *testing.T) {
	s := redistest.NewSentinels(t, 2)
	old, name := s.Servers[0], redistest.Queue(t)
	client := open(t, s.URL())
	acked := handIn(t, client, name)
	waited := waitForToken(t, client, name, old)
	redistest.Await(t, 20*time.Second, "jobs to be taken", func() bool { return acked.count() > 100 })

	began := time.Now()
	s.Failover(t)
	redistest.Await(t, 20*time.Second, "another master", func() bool { m := s.Master(t); return m != nil && m != old })
	named := time.Now()
	if role := waited(); role != "master" {
		t.Errorf("the blocking pop ended when the old master was a %q: it was not left", role)
	}
	redistest.Await(t, 30*time.Second, "the old master to be a replica", func() bool { return redistest.Role(t, old) == "slave" })
	after := acked.count()
	redistest.Await(t, 20*time.Second, "jobs to be taken by the new one", func() bool { return acked.count() > after+100 })
	all := acked.stop()

	kept, err := s.Master(t).Client().HKeys(t.Context(), "punctual:{"+name+"}:jobs").Result()
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, id := range kept {
		there[id] = true
	}
	lost, last := 0, time.Time{}
	for id, at := range all {
		if !there[id] {
			lost++
			if at.After(last) {
				last = at
			}
		}
	}
	t.Logf("%d jobs acknowledged, %d lost, the last of them %s after another master was named (%s after the order)", len(all), lost,
		last.Sub(named).Round(time.Millisecond), last.Sub(began).Round(time.Millisecond))
	if last.After(named.Add(noticed)) {
		t.Errorf("jobs went to the old master until %s after another was named", last.Sub(named))
	}
}

// acks are the jobs that were acknowledged, and when.
type acks struct {
	mu   sync.Mutex
	at   map[string]time.Time
	end  context.CancelFunc
	done sync.WaitGroup
}

// handIn hands in jobs that nobody runs, by 3 callers without a pause.
func handIn(t *testing.T, client *queue.Client, name string) *acks {
	ctx, cancel := context.WithCancel(context.Background())
	a := &acks{at: map[string]time.Time{}, end: cancel}
	for range 3 {
		a.done.Go(func() {
			for ctx.Err() == nil {
				one, cancel := context.WithTimeout(context.Background(), time.Second)
				job, err := client.Enqueue(one, queue.NewJob{Queue: name, Delay: time.Hour})
				cancel()
				switch {
				case err == nil:
					a.mu.Lock()
					a.at[job.ID] = time.Now()
					a.mu.Unlock()
				case !errors.Is(err, queue.ErrOutcomeUnknown) && !errors.Is(err, queue.ErrUnavailable):
					t.Errorf("enqueue: %v", err)
				}
			}
		})
	}
	t.Cleanup(func() { a.stop() })
	return a
}

func (a *acks) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.at)
}

func (a *acks) stop() map[string]time.Time {
	a.end()
	a.done.Wait()
	return a.at
}

// waitForToken waits as a worker does that has nothing to do, with its heartbeats. The function it returns tells which role the server
// had when the wait ended.
func waitForToken(t *testing.T, client *queue.Client, name string, server *redistest.Server) (ended func() string) {
	t.Helper()
	link, err := client.Link(name)
	if err != nil {
		t.Fatal(err)
	}
	me, timing := queue.WorkerInfo{ID: "w"}, queue.Timing{Interval: 200 * time.Millisecond, TTL: time.Minute}
	if _, err := link.Heartbeat(t.Context(), me, timing, true); err != nil {
		t.Fatal(err)
	}
	role := make(chan string, 1)
	go func() {
		for err := error(nil); err == nil; { // a token is no end
			_, err = link.Wait(context.Background(), time.Minute)
		}
		role <- redistest.Role(t, server)
	}()
	t.Cleanup(func() { _ = link.Close() })
	return func() string {
		t.Helper()
		for {
			_, _ = link.Heartbeat(t.Context(), me, timing, false)
			select {
			case r := <-role:
				return r
			case <-time.After(timing.Interval):
			case <-t.Context().Done():
				return ""
			}
		}
	}
}
