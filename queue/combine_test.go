package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

// flushes is a Redis that answers when it is told to.
type flushes struct {
	mu        sync.Mutex
	batches   [][]string
	deadlines []time.Time
	release   chan struct{} // nil: answers at once
}

func (f *flushes) flush(ctx context.Context, batch []*pending) {
	var ids []string
	for _, p := range batch {
		ids = append(ids, p.id)
	}
	deadline, _ := ctx.Deadline()
	f.mu.Lock()
	f.batches = append(f.batches, ids)
	f.deadlines = append(f.deadlines, deadline)
	f.mu.Unlock()
	if f.release != nil {
		select {
		case <-f.release:
		case <-ctx.Done(): // as Redis does: the caller's deadline is that of the connection
			return
		}
	}
	for _, p := range batch {
		p.answer(time.UnixMilli(1), nil)
	}
}

func jobs(ids ...string) []*pending {
	list := make([]*pending, len(ids))
	for i, id := range ids {
		list[i] = &pending{queue: "q", id: id}
	}
	return list
}

func numbered(prefix string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s%03d", prefix, i)
	}
	return ids
}

func TestCombineGathersWhatArrivesDuringAFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b combiner
		f := &flushes{release: make(chan struct{})}
		var all sync.WaitGroup
		add := func(ids ...string) {
			all.Go(func() { b.add(t.Context(), f.flush, jobs(ids...)) })
			synctest.Wait()
		}
		add("first")
		add("a", "b")
		add(numbered("c", 150)...)
		add("d")
		for range 3 {
			f.release <- struct{}{}
		}
		all.Wait()
		synctest.Wait()
		rest := slices.Concat([]string{"a", "b"}, numbered("c", 150), []string{"d"})
		want := [][]string{{"first"}, rest[:100], rest[100:]}
		if !slices.EqualFunc(f.batches, want, slices.Equal) {
			t.Errorf("batches %v, want %v", f.batches, want)
		}
		if b.flushing || b.waiting != nil {
			t.Error("nobody waits, and yet a flush is under way")
		}
	})
}

func TestCombineBoundsABatchByBytes(t *testing.T) {
	var b combiner
	f := &flushes{}
	list := jobs(numbered("j", 20)...)
	for _, p := range list {
		p.record = strings.Repeat("x", 100<<10)
	}
	list[19].record = strings.Repeat("x", 2<<20) // alone over the bound: sent alone, and refused by nobody here
	b.add(t.Context(), f.flush, list)
	var sizes []int
	for _, batch := range f.batches {
		sizes = append(sizes, len(batch))
	}
	if !slices.Equal(sizes, []int{10, 9, 1}) {
		t.Errorf("batches of %v", sizes)
	}
}

// Everyone returns at his own deadline, however long the flush hangs, and is told how far his job came.
func TestCombineEachReturnsAtItsOwnDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b combiner
		f := &flushes{release: make(chan struct{})}
		var all sync.WaitGroup
		start := time.Now()
		enter := func(id string, after time.Duration, want error) {
			p := jobs(id)
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), after)
				defer cancel()
				b.add(ctx, f.flush, p)
				if waited := time.Since(start); waited != after {
					t.Errorf("%s returned after %s, want %s", id, waited, after)
				}
				if err := p[0].told().Err; !errors.Is(err, want) {
					t.Errorf("%s: %v, want %v", id, err, want)
				}
			})
			synctest.Wait()
		}
		enter("hung", time.Minute, ErrOutcomeUnknown)
		for i := range 50 {
			enter(fmt.Sprintf("waits %d", i), time.Duration(50-i)*time.Second, ErrUnavailable)
		}
		all.Wait()
		synctest.Wait()
		if len(f.batches) != 1 {
			t.Errorf("who has left must not be sent: %v", f.batches)
		}
		if b.flushing || b.waiting != nil {
			t.Error("nobody waits, and yet a flush is under way")
		}
	})
}

// Who flushes for himself has until his own deadline. A flush for others ends a little before the last of those who wait for
// it, so that he learns whether it was sent.
func TestCombineDeadlineOfAFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b combiner
		f := &flushes{release: make(chan struct{})}
		var all sync.WaitGroup
		start := time.Now()
		enter := func(after time.Duration) {
			ctx, cancel := t.Context(), func() {}
			if after > 0 {
				ctx, cancel = context.WithTimeout(t.Context(), after)
			}
			all.Go(func() { defer cancel(); b.add(ctx, f.flush, jobs("x")) })
			synctest.Wait()
		}
		enter(time.Second)
		enter(3 * time.Second)
		enter(2 * time.Second)
		f.release <- struct{}{}
		synctest.Wait()
		enter(time.Second)
		enter(0)
		f.release <- struct{}{}
		f.release <- struct{}{}
		all.Wait()
		for i, want := range []time.Duration{time.Second, 2950 * time.Millisecond, 0} {
			if got := f.deadlines[i]; want == 0 && !got.IsZero() || want > 0 && got.Sub(start) != want {
				t.Errorf("flush %d ends %s after the start, want %s", i, got.Sub(start), want)
			}
		}
	})
}

// So a flush that never came to send anything tells its last caller so, before he gives up with an unknown outcome.
func TestCombineAnswersBeforeTheLastDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b combiner
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p := jobs("a")
		b.add(ctx, func(ctx context.Context, batch []*pending) {
			<-ctx.Done()
			batch[0].answer(time.Time{}, ErrUnavailable)
		}, p)
		if err := p[0].told().Err; !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
	})
}

func TestCombineSendsNothingOfACallerThatHasLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 10_000 { // what it must not do it would do now and then
		var b combiner
		f := &flushes{}
		p := jobs("a")
		b.add(ctx, f.flush, p)
		if err := p[0].told().Err; !errors.Is(err, ErrUnavailable) {
			t.Fatal(err)
		}
		b.add(t.Context(), f.flush, jobs("b")) // whatever the first one started has ended when this is answered
		if !slices.EqualFunc(f.batches, [][]string{{"b"}}, slices.Equal) {
			t.Fatalf("sent: %v", f.batches)
		}
	}
}

// ownQueue is a client of a Redis that it can pause, and a queue that both know.
func ownQueue(t *testing.T) (*redistest.Server, *Client, string) {
	t.Helper()
	s, q := redistest.Own(t), redistest.Queue(t)
	c, err := Open(t.Context(), s.URL(), Options{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := c.Enqueue(t.Context(), NewJob{Queue: q, ID: "first"}); err != nil {
		t.Fatal(err)
	}
	return s, c, q
}

// Who flushes for himself and leaves before any deadline returns at once, and what he left behind ends nobody else's flush.
func TestEnqueueReturnsWhenItsContextIsCancelled(t *testing.T) {
	s, c, q := ownQueue(t)
	for range 20 {
		s.Pause(t)
		c.lanes.only[0].line.only.sent.Store(false)
		ctx, cancel := context.WithCancel(t.Context())
		answer := make(chan error, 1)
		go func() { _, err := c.Enqueue(ctx, NewJob{Queue: q}); answer <- err }()
		redistest.Await(t, time.Minute, "the flush", func() bool { return c.lanes.only[0].line.only.sent.Load() })
		cancel()
		if err := <-answer; !errors.Is(err, ErrOutcomeUnknown) {
			t.Errorf("%v, want an unknown outcome", err)
		}
		s.Resume(t)
		if _, err := c.Enqueue(t.Context(), NewJob{Queue: q}); err != nil {
			t.Error(err)
		}
	}
	redistest.AssertConserved(t, s.Client(), q)
}

// Fifty callers and a slow Redis: what arrives while it is busy shares few scripts, and keeps the order of each caller.
func TestCombineNeedsFewScripts(t *testing.T) {
	s, c, q := ownQueue(t)
	ctx := t.Context()
	before := scripts(t, s)
	s.Pause(t)
	var all sync.WaitGroup
	for caller := range 50 {
		all.Go(func() {
			list := make([]NewJob, 10)
			for i := range list {
				list[i] = NewJob{Queue: q, Payload: []byte(fmt.Sprintf("[%d,%d]", caller, i))}
			}
			if _, err := c.EnqueueMany(ctx, list); err != nil {
				t.Error(err)
			}
		})
	}
	redistest.Await(t, time.Minute, "all but the first batch of each lane to wait", func() bool {
		waiting, flushing := c.Waiting()
		return flushing == len(c.lanes.only) && waiting >= 400
	})
	s.Resume(t)
	all.Wait()
	if n := scripts(t, s) - before; n < 5 || n > 8 { // each lane has a first batch of its own and a last one that is not full
		t.Errorf("%d scripts for 500 jobs, want 5 to 8", n)
	}
	last := map[string]string{}
	for _, id := range s.Client().ZRange(ctx, keysOf(q).scheduled(), 0, -1).Val() {
		if info, err := c.Get(ctx, q, id); err != nil {
			t.Error(err)
		} else if len(info.Payload) > 0 {
			caller, n, _ := strings.Cut(string(info.Payload), ",")
			if n <= last[caller] {
				t.Errorf("%s after %s", info.Payload, last[caller])
			}
			last[caller] = n
		}
	}
	if len(last) != 50 {
		t.Errorf("jobs of %d callers", len(last))
	}
	redistest.AssertConserved(t, s.Client(), q)
}

func scripts(t *testing.T, s *redistest.Server) (n int) {
	t.Helper()
	_, row, found := strings.Cut(s.Client().Info(t.Context(), "commandstats").Val(), "cmdstat_evalsha:calls=")
	if _, err := fmt.Sscanf(row, "%d", &n); !found || err != nil {
		t.Fatalf("commandstats: %v", err)
	}
	return n
}
