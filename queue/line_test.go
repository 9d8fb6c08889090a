package queue_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// hung is a server that accepts and never answers.
func hung(t *testing.T) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range conns {
			_ = c.Close()
		}
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
		}
	}()
	return "redis://" + l.Addr().String()
}

func open(t *testing.T, url string, timeout time.Duration) *queue.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond) // Open does not need Redis to be there
	defer cancel()
	c, err := queue.Open(ctx, url, queue.Options{Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func expectUnavailable(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, queue.ErrUnavailable) || errors.Is(err, queue.ErrOutcomeUnknown) {
		t.Errorf("%s: %v, want that redis is unavailable", what, err)
	}
}

func expectUnknown(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, queue.ErrOutcomeUnknown) || errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("%s: %v, want an unknown outcome", what, err)
	}
}

func TestNothingListens(t *testing.T) {
	p := redistest.NewProxy(t, "127.0.0.1:1")
	p.Cut()
	c := open(t, p.URL(), bound)
	done, err := c.Enqueue(t.Context(), queue.NewJob{})
	expectUnavailable(t, "enqueue", err)
	equal(t, "the id is told all the same", done.ID != "", true)
	_, err = c.Get(t.Context(), "q", "a")
	expectUnavailable(t, "get", err)
}

// The connection is there, the handshake is not answered: the job was not sent, and the caller must be told so.
func TestHangInTheHandshake(t *testing.T) {
	c := open(t, hung(t), 100*time.Millisecond)
	for range 2 { // the set of queue names, which goes before the first job of a queue, is no job
		_, err := c.Enqueue(t.Context(), queue.NewJob{})
		expectUnavailable(t, "enqueue", err)
	}
}

// The same where the connection is lost after the client has got to know the queue: it goes straight for the job then.
func TestHangInTheHandshakeOfALaterConnection(t *testing.T) {
	s := redistest.Own(t)
	c := open(t, s.URL(), 200*time.Millisecond)
	redistest.Await(t, bound, "a first job", func() bool {
		_, err := c.Enqueue(t.Context(), queue.NewJob{})
		return err == nil
	})
	s.Client().Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	s.Pause(t) // it accepts, and does not answer
	_, err := c.Enqueue(t.Context(), queue.NewJob{})
	s.Resume(t)
	expectUnavailable(t, "enqueue", err)
}

// While Redis hangs only what was on its way when it began to is of unknown outcome. Who comes later, with whatever
// deadline, waits for a connection and is told that nothing was sent; and indeed nothing is there afterwards.
func TestOnlyWhatWasSentIsUnknown(t *testing.T) {
	s := redistest.Own(t)
	c := open(t, s.URL(), bound)
	if _, err := c.Enqueue(t.Context(), queue.NewJob{}); err != nil {
		t.Fatal(err)
	}
	s.Pause(t)
	first, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := c.Enqueue(first, queue.NewJob{})
	expectUnknown(t, "the first", err)
	var all sync.WaitGroup
	ids := make([]string, 20)
	for i := range ids {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(100+20*i)*time.Millisecond)
			defer cancel()
			e, err := c.Enqueue(ctx, queue.NewJob{})
			ids[i] = e.ID
			expectUnavailable(t, "a later one", err)
		})
	}
	all.Wait()
	s.Resume(t)
	for _, id := range ids {
		if n := s.Client().HExists(t.Context(), "punctual:{default}:jobs", id).Val(); n {
			t.Errorf("job %s is there, though nothing was sent", id)
		}
	}
}

func TestSwallowedReplyOfEnqueue(t *testing.T) {
	s := redistest.Any(t)
	p := redistest.NewProxy(t, s.Addr())
	r := rigAt(t, s, p.URL(), queue.Options{Timeout: bound})
	r.put(queue.NewJob{}) // the script is known, so that the job goes out as EVALSHA
	for id, then := range map[string]func(cancel func()){
		"hangs":  func(cancel func()) { cancel() }, // the caller has enough
		"is-cut": func(func()) { p.Cut(); p.Mend(t) },
	} {
		swallowed := p.SwallowReply([]byte("evalsha"), 1)
		ctx, cancel := context.WithCancel(t.Context())
		answer := make(chan error)
		go func() {
			_, err := r.client.Enqueue(ctx, queue.NewJob{Queue: r.name, ID: id, Delay: time.Hour})
			answer <- err
		}()
		<-swallowed
		then(cancel)
		expectUnknown(t, id, <-answer)
		cancel()
		p.Cut() // ends the flush that hangs, so that the next job need not wait for it
		p.Mend(t)
		equal(t, id+": the job is there", r.get(id).State, queue.Scheduled)
		redistest.Await(t, bound, "the same job to be refused", func() bool {
			_, err := r.client.Enqueue(t.Context(), queue.NewJob{Queue: r.name, ID: id})
			return errors.Is(err, queue.ErrExists)
		})
	}
}

// A reply that does not come is given up after the client's timeout, where the caller's context has no end.
func TestSilenceAfterEnqueue(t *testing.T) {
	s := redistest.Own(t)
	r := rigOn(t, s, queue.Options{Timeout: time.Second})
	r.put(queue.NewJob{})
	s.Pause(t)
	_, err := r.client.Enqueue(t.Context(), queue.NewJob{Queue: r.name})
	s.Resume(t)
	expectUnknown(t, "enqueue", err)
}

// handIn enqueues a job into each of two queues, in one flush whose second answer is lost, and
// Redis with it.
func handIn(r *rig, p *redistest.Proxy, other string) []queue.Enqueued {
	r.Helper()
	swallowed := p.SwallowAfter([]byte("evalsha"), 1)
	answer := make(chan []queue.Enqueued)
	go func() {
		done, _ := r.client.EnqueueMany(context.Background(), []queue.NewJob{{ID: "a", Queue: r.name}, {ID: "b", Queue: other}})
		answer <- done
	}()
	<-swallowed
	p.Cut()
	return <-answer
}

func twoQueues(t *testing.T, s *redistest.Server) (r, other *rig, p *redistest.Proxy) {
	t.Helper()
	p = redistest.NewProxy(t, s.Addr())
	r, other = rigAt(t, s, p.URL(), queue.Options{Timeout: bound}), rigOn(t, s, queue.Options{Timeout: bound})
	for _, name := range []string{r.name, other.name} { // the client knows both, and the server knows the script
		if _, err := r.client.Enqueue(t.Context(), queue.NewJob{Queue: name, Delay: time.Hour}); err != nil {
			t.Fatal(err)
		}
	}
	return r, other, p
}

func TestLostReplyDoesNotSpoilTheOneBefore(t *testing.T) {
	r, other, p := twoQueues(t, redistest.Any(t))
	done := handIn(r, p, other.name)
	if done[0].Err != nil || done[0].Due.IsZero() {
		t.Errorf("the first was answered: %+v", done[0])
	}
	expectUnknown(t, "the second", done[1].Err)
	equal(t, "it is there", other.get("b").State, queue.Scheduled)
}

// The answer of the first is that the server forgot the script. That it cannot be sent again, for Redis is gone by then,
// must not make the second look unsent.
func TestLostReplyIsNotMistakenForUnsent(t *testing.T) {
	r, other, p := twoQueues(t, redistest.Any(t))
	r.forgetScripts()
	done := handIn(r, p, other.name)
	expectUnavailable(t, "the first", done[0].Err)
	expectUnknown(t, "the second", done[1].Err)
}

// A connection that was idle while Redis restarted must not cost the first job an unknown outcome.
func TestIdleConnectionAcrossARestart(t *testing.T) {
	s := redistest.Own(t)
	r := rigOn(t, s, queue.Options{Timeout: bound})
	r.register("w")
	r.put(queue.NewJob{})
	r.get(r.put(queue.NewJob{})[0])
	for _, end := range []func(testing.TB){s.Stop, s.Kill} {
		end(t)
		s.Start(t)
		r.put(queue.NewJob{}) // fails the test on any error
		if x := r.exchange("w", 1); x.ClaimErr != nil {
			t.Error(x.ClaimErr)
		}
		if _, err := r.beat("w", false); err != nil {
			t.Error(err)
		}
	}
}

func TestRedisThatCameBack(t *testing.T) {
	s := redistest.Own(t)
	r := rigOn(t, s, queue.Options{Timeout: bound})
	id := r.put(queue.NewJob{})[0]
	s.Stop(t)
	_, err := r.client.Enqueue(t.Context(), queue.NewJob{Queue: r.name})
	expectUnavailable(t, "while it is away", err)
	s.Start(t)
	redistest.Await(t, bound, "the line to come back by itself", func() bool {
		_, err := r.client.Enqueue(t.Context(), queue.NewJob{Queue: r.name})
		if err != nil {
			expectUnavailable(t, "until then", err)
		}
		return err == nil
	})
	equal(t, "the first one is still there", r.get(id).State, queue.Scheduled)
}

func TestClosedClient(t *testing.T) {
	c := open(t, redistest.Any(t).URL(), bound)
	l, err := c.Link("q")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = c.Close(), l.Close()
	_, enqueue := c.Enqueue(t.Context(), queue.NewJob{})
	_, get := c.Get(t.Context(), "q", "a")
	_, wait := l.Wait(t.Context(), bound)
	_, leave := l.Leave(t.Context(), "w")
	x := l.Exchange(t.Context(), queue.Exchange{Worker: "w", Claim: 1})
	for _, err := range []error{enqueue, get, wait, leave, x.ClaimErr} {
		if !errors.Is(err, queue.ErrClosed) || !errors.Is(err, queue.ErrUnavailable) {
			t.Errorf("%v", err)
		}
	}
}
