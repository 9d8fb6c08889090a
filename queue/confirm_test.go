package queue_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// follower is a replica of s that is up to date.
func follower(t testing.TB, s *redistest.Server) *redistest.Server {
	t.Helper()
	host, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	replica := redistest.OwnOn(t, redistest.Process, "--appendonly", "no", "--replicaof", host+" "+port)
	awaitOnline(t, s)
	return replica
}

// awaitOnline waits until a replica has confirmed something: until then it does not count.
func awaitOnline(t testing.TB, s *redistest.Server) {
	t.Helper()
	redistest.Await(t, bound, "a replica to be online", func() bool {
		return strings.Contains(s.Client().Info(t.Context(), "replication").Val(), "state=online")
	})
}

func primary(t testing.TB, args ...string) *redistest.Server {
	t.Helper()
	return redistest.OwnOn(t, redistest.Process, append([]string{"--repl-diskless-sync-delay", "0"}, args...)...)
}

// soonDone is a caller who waits for as long as the API does.
func soonDone(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 800*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// expectNotDurable: the job is there, and its caller is told that it may be lost.
func expectNotDurable(r *rig, id string, err error, says string) {
	r.Helper()
	if !errors.Is(err, queue.ErrNotDurable) || !errors.Is(err, queue.ErrOutcomeUnknown) || !strings.Contains(err.Error(), says) {
		r.Errorf("%s: %v, want ErrNotDurable that says %q", id, err, says)
	}
	equal(r, "state of "+id, r.get(id).State, queue.Scheduled)
}

func TestAnEnqueueWaitsForReplicas(t *testing.T) {
	s := primary(t)
	r := rigOn(t, s, queue.Options{Timeout: bound, EnqueueWait: 1})
	_, err := r.client.Enqueue(soonDone(t), queue.NewJob{ID: "nobody", Queue: r.name, Delay: time.Hour})
	expectNotDurable(r, "nobody", err, "by 0 of 1 replicas")

	replica := follower(t, s)
	for _, id := range []string{"a", "b"} {
		done, err := r.client.Enqueue(t.Context(), queue.NewJob{ID: id, Queue: r.name, Delay: time.Hour})
		equal(t, "error", err, nil)
		equal(t, "due is told", done.Due.IsZero(), false)
		equal(t, id+" is on the replica", replica.Client().HExists(t.Context(), r.key("jobs"), id).Val(), true)
	}
	_, err = r.client.Enqueue(t.Context(), queue.NewJob{ID: "nobody", Queue: r.name})
	equal(t, "exists, and is confirmed", err, queue.ErrExists)

	replica.Pause(t)
	_, err = r.client.Enqueue(soonDone(t), queue.NewJob{ID: "c", Queue: r.name, Delay: time.Hour})
	expectNotDurable(r, "c", err, "by 0 of 1 replicas")
	replica.Resume(t)
	_, err = r.client.Enqueue(t.Context(), queue.NewJob{ID: "d", Queue: r.name, Delay: time.Hour})
	equal(t, "when the replica is back", err, nil)

	r = rigOn(t, s, queue.Options{Timeout: bound, EnqueueWait: 2})
	_, err = r.client.Enqueue(soonDone(t), queue.NewJob{ID: "e", Queue: r.name, Delay: time.Hour})
	expectNotDurable(r, "e", err, "by 1 of 2 replicas")
}

// Another connection, another process even, has written the job, and nobody knows whether that was confirmed. Since Redis
// 7.2 a WAIT is only about what its own connection has written.
func TestWhatExistsIsConfirmedToo(t *testing.T) {
	s := primary(t)
	replica := follower(t, s)
	r := rigOn(t, s, queue.Options{Timeout: bound, EnqueueWait: 1})
	other := rigOn(t, s, queue.Options{Timeout: bound})
	_, err := r.client.Enqueue(t.Context(), queue.NewJob{ID: "first", Queue: r.name, Delay: time.Hour})
	equal(t, "error", err, nil)
	replica.Pause(t)
	_, err = other.client.Enqueue(t.Context(), queue.NewJob{ID: "x", Queue: r.name, Delay: time.Hour})
	equal(t, "who does not wait", err, nil)
	_, err = r.client.Enqueue(soonDone(t), queue.NewJob{ID: "x", Queue: r.name, Delay: time.Hour})
	expectNotDurable(r, "x", err, "by 0 of 1 replicas")
	done, err := r.client.EnqueueMany(soonDone(t), []queue.NewJob{{ID: "x", Queue: r.name}, {ID: "y", Queue: r.name, Delay: time.Hour}})
	if len(done) != 2 || !errors.Is(done[0].Err, queue.ErrNotDurable) || !errors.Is(done[1].Err, queue.ErrNotDurable) || err == nil {
		t.Errorf("%+v, %v: want neither to be confirmed", done, err)
	}
	replica.Resume(t)
	_, err = r.client.Enqueue(t.Context(), queue.NewJob{ID: "x", Queue: r.name})
	equal(t, "once it is confirmed", err, queue.ErrExists)
}

// Those who share a batch, and those who send their own, each get their answer before their deadline.
func TestManyWhoWaitInVain(t *testing.T) {
	s := primary(t)
	replica := follower(t, s)
	r := rigOn(t, s, queue.Options{Timeout: bound, EnqueueWait: 1})
	enqueue := func(ctx context.Context) error {
		_, err := r.client.Enqueue(ctx, queue.NewJob{Queue: r.name, Delay: time.Hour})
		return err
	}
	equal(t, "error", enqueue(t.Context()), nil)
	replica.Pause(t)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			err := enqueue(soonDone(t))
			if !errors.Is(err, queue.ErrOutcomeUnknown) && !errors.Is(err, queue.ErrUnavailable) {
				t.Errorf("%v, want that it is not confirmed, or was not sent", err)
			}
		})
	}
	all.Wait()
	replica.Resume(t)
	for range 50 {
		all.Go(func() {
			if err := enqueue(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestAnEnqueueWaitsOnEachNodeOfACluster(t *testing.T) {
	c := redistest.NewCluster(t, 3, 3)
	q, err := queue.Open(t.Context(), c.URL(), queue.Options{Timeout: bound, EnqueueWait: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	for _, server := range c.Servers {
		if redistest.Role(t, server) == "master" {
			awaitOnline(t, server)
		}
	}
	var jobs []queue.NewJob
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		jobs = append(jobs, queue.NewJob{ID: "x", Queue: name, Delay: time.Hour})
	}
	done, err := q.EnqueueMany(t.Context(), jobs)
	equal(t, "error", err, nil)
	done, err = q.EnqueueMany(t.Context(), jobs)
	equal(t, "error", err, nil)
	for _, one := range done {
		equal(t, "again", one.Err, queue.ErrExists)
	}
	for _, server := range c.Servers {
		if redistest.Role(t, server) == "slave" {
			server.Pause(t)
			defer server.Resume(t)
		}
	}
	for _, job := range jobs {
		job.ID = "y"
		_, err := q.Enqueue(soonDone(t), job)
		equal(t, job.Queue, errors.Is(err, queue.ErrNotDurable), true)
	}
}

// A server that cannot wait is refused before anything is written, and the reason says what to do.
func TestAServerThatCannotConfirm(t *testing.T) {
	s := redistest.Own(t, "--appendfsync", "always")
	knows := strings.Contains(s.Client().Info(t.Context(), "server").Val(), "redis_version:8") ||
		s.Client().Do(t.Context(), "COMMAND", "INFO", "WAITAOF").Val().([]any)[0] != nil
	r := rigOn(t, s, queue.Options{Timeout: bound, EnqueueWait: queue.WaitAOF})
	if knows {
		done, err := r.client.Enqueue(t.Context(), queue.NewJob{ID: "a", Queue: r.name, Delay: time.Hour})
		equal(t, "error", err, nil)
		equal(t, "due is told", done.Due.IsZero(), false)
		_, err = r.client.Enqueue(t.Context(), queue.NewJob{ID: "a", Queue: r.name})
		equal(t, "again", err, queue.ErrExists)
		s.Config(t, "appendonly", "no")
		_, err = r.client.Enqueue(t.Context(), queue.NewJob{ID: "b", Queue: r.name, Delay: time.Hour})
		expectNotDurable(r, "b", err, "appendonly")
	}
	for range 2 {
		before := r.everything()
		_, err := r.client.Enqueue(t.Context(), queue.NewJob{Queue: r.name, Delay: time.Hour})
		if !errors.Is(err, queue.ErrUnavailable) || errors.Is(err, queue.ErrOutcomeUnknown) ||
			!strings.Contains(err.Error(), "ENQUEUE_WAIT=aof needs Redis 7.2 or newer with appendonly yes") {
			t.Errorf("%v, want that it is refused with the reason", err)
		}
		r.unchanged(before)
		equal(t, "health", codes(r.client.Health(t.Context())), "redis-cannot-confirm")
	}
	if knows {
		s.Config(t, "appendonly", "yes")
		_, err := r.client.Enqueue(t.Context(), queue.NewJob{Queue: r.name, Delay: time.Hour})
		equal(t, "once it can", err, nil)
		equal(t, "health", codes(r.client.Health(t.Context())), "")
	}
}

// Who may do the least may not WAIT: it is asked for beforehand.
func TestAUserWhoMayNotWait(t *testing.T) {
	s := redistest.Own(t)
	r := rigAs(t, s, least("")...)
	waits, err := queue.Open(t.Context(), "redis://someone:secret@"+s.Addr(), queue.Options{Timeout: bound, EnqueueWait: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer waits.Close()
	before := r.everything()
	_, err = waits.Enqueue(soonDone(t), queue.NewJob{ID: "a", Queue: r.name, Delay: time.Hour})
	if !errors.Is(err, queue.ErrUnavailable) || !strings.Contains(err.Error(), "ENQUEUE_WAIT=1") {
		t.Errorf("%v, want that it is refused with the reason", err)
	}
	r.unchanged(before)
	s.Client().Do(t.Context(), "ACL", "SETUSER", "someone", "+wait")
	_, err = waits.Enqueue(soonDone(t), queue.NewJob{ID: "a", Queue: r.name, Delay: time.Hour})
	expectNotDurable(r, "a", err, "by 0 of 1 replicas")
}
