package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/punctualq/punctual/queue"
)

// broken makes a handler whose queue has failed as often as it takes to break.
func broken(t *testing.T, q Queue, fake *fakeQueue) http.Handler {
	t.Helper()
	h, _ := newAPI(t, q)
	fake.err = fmt.Errorf("%w: connection refused", queue.ErrUnavailable)
	for range breakAfter {
		wantProblem(t, post(t, h, `{}`), 503, "redis-unavailable")
	}
	return h
}

// hangingQueue is one whose Redis does not answer an enqueue before a channel is closed.
type hangingQueue struct {
	fakeQueue
	hangs chan struct{}
}

func (q *hangingQueue) Enqueue(ctx context.Context, job queue.NewJob) (queue.Enqueued, error) {
	if q.hangs != nil {
		<-q.hangs
	}
	return q.fakeQueue.Enqueue(ctx, job)
}

// TestDeadRedisIsNotAsked: once it is known to be away nobody is asked, and the answer is the same.
func TestDeadRedisIsNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{}
		h := broken(t, q, q)
		asked := len(q.asked)
		q.enqueue = func(context.Context) error { t.Error("it is asked"); return nil }
		for range 100 {
			w := post(t, h, `{}`)
			wantProblem(t, w, 503, "redis-unavailable")
			if n, err := strconv.Atoi(w.Header().Get("Retry-After")); err != nil || n < 1 || n > 3 {
				t.Errorf("Retry-After is %q", w.Header().Get("Retry-After"))
			}
		}
		if len(q.asked) != asked {
			t.Errorf("it was asked: %q", q.asked[asked:])
		}
		if w := get(h, "/readyz"); w.Code != 200 {
			t.Errorf("readiness is judged by the breaker: %d", w.Code)
		}
	})
}

// TestFirstJobAfterRedisIsBack: it comes within the pause, and all that follow are taken.
func TestFirstJobAfterRedisIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{}
		h := broken(t, q, q)
		q.err = nil
		time.Sleep(breakFor + time.Millisecond)
		for range 2 * breakAfter {
			if w := post(t, h, `{}`); w.Code != 201 {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
		}
	})
}

// TestOneRequestLooksWhetherRedisIsBack: the others do not wait for what it finds.
func TestOneRequestLooksWhetherRedisIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &hangingQueue{}
		h := broken(t, q, &q.fakeQueue)
		time.Sleep(breakFor + time.Millisecond)
		q.err = nil
		looks, hangs := make(chan int, 1), make(chan struct{})
		r := request(t, `{}`)
		q.hangs = hangs
		go func() { looks <- do(h, r).Code }()
		synctest.Wait()
		for range 10 {
			wantProblem(t, post(t, h, `{}`), 503, "redis-unavailable")
		}
		close(hangs)
		if code := <-looks; code != 201 {
			t.Errorf("the one that looked got %d", code)
		}
		if w := post(t, h, `{}`); w.Code != 201 {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
	})
}

// TestWhatDoesNotBreak: Redis answers, or was not asked.
func TestWhatDoesNotBreak(t *testing.T) {
	for _, err := range []error{queue.ErrFull, queue.ErrInvalid, queue.ErrExists, queue.ErrNotFound, queue.ErrConflict, queue.ErrUnique, queue.ErrQueueFull,
		queue.ErrState, queue.ErrCursor, queue.ErrNoQueue, queue.ErrNoWorker, queue.ErrLayout, queue.ErrNotDurable, errors.New("a fault of ours"),
		fmt.Errorf("%w: %w", queue.ErrUnavailable, context.Canceled)} {
		b := newBreakers()
		for range 10 * breakAfter {
			if got := guardError(b, "q", func() error { return err }); !errors.Is(got, err) || errors.Is(got, errBroken) {
				t.Errorf("%v became %v", err, got)
				break
			}
		}
	}
}

func TestWhatBreaks(t *testing.T) {
	for _, err := range []error{queue.ErrUnavailable, queue.ErrOutcomeUnknown, context.DeadlineExceeded} {
		b := newBreakers()
		for range breakAfter - 1 {
			_ = guardError(b, "q", func() error { return err })
		}
		_ = guardError(b, "q", func() error { return queue.ErrInvalid }) // proves nothing
		if got := guardError(b, "q", func() error { return err }); errors.Is(got, errBroken) {
			t.Errorf("%v: broken too early", err)
		}
		if got := guardError(b, "q", func() error { return nil }); !errors.Is(got, errBroken) || !errors.Is(got, queue.ErrUnavailable) {
			t.Errorf("%v: then %v, want broken", err, got)
		}
		for i := range 100 { // another queue, whose breaker is another
			if name := strconv.Itoa(i); b.of(name) != b.of("q") {
				if got := guardError(b, name, func() error { return nil }); got != nil {
					t.Errorf("queue %s: %v", name, got)
				}
			}
		}
	}
}

// A panic is no answer, and does not leave the breaker waiting for one.
func TestPanicInTheGuard(t *testing.T) {
	b := newBreakers()
	for range breakAfter {
		func() {
			defer func() { _ = recover() }()
			_ = guardError(b, "q", func() error { panic("at work") })
		}()
	}
	if err := guardError(b, "q", func() error { return nil }); !errors.Is(err, errBroken) {
		t.Errorf("then %v", err)
	}
}

// TestEveryVerbIsGuarded: with broken breakers, none reaches the queue, but for Health.
func TestEveryVerbIsGuarded(t *testing.T) {
	b := newBreakers()
	for i := range b.all {
		for range breakAfter {
			done, err := b.all[i].Allow()
			if err != nil {
				t.Fatal(err)
			}
			done(queue.ErrUnavailable)
		}
	}
	ctx := t.Context()
	q := &guardedQueue{nil, b} // whatever reaches the queue panics
	for name, verb := range map[string]func() error{
		"Enqueue":     func() error { _, err := q.Enqueue(ctx, queue.NewJob{}); return err },
		"EnqueueMany": func() error { _, err := q.EnqueueMany(ctx, []queue.NewJob{{}}); return err },
		"Get":         func() error { _, err := q.Get(ctx, "", ""); return err },
		"List":        func() error { _, err := q.List(ctx, "", queue.Listing{}); return err },
		"Cancel":      func() error { _, err := q.Cancel(ctx, "", ""); return err },
		"Reschedule":  func() error { _, err := q.Reschedule(ctx, "", "", queue.When{}); return err },
		"Redrive":     func() error { return q.Redrive(ctx, "", "") },
		"Purge":       func() error { return q.Purge(ctx, "", "") },
		"Edit":        func() error { _, err := q.Edit(ctx, "", "", queue.Changes{}); return err },
		"Overview":    func() error { _, err := q.Overview(ctx, ""); return err },
		"Overviews":   func() error { _, err := q.Overviews(ctx); return err },
		"Pause":       func() error { _, err := q.Pause(ctx, ""); return err },
		"Resume":      func() error { _, err := q.Resume(ctx, ""); return err },
		"RedriveAll":  func() error { _, err := q.RedriveAll(ctx, "", queue.Filter{}); return err },
		"PurgeAll":    func() error { _, err := q.PurgeAll(ctx, "", queue.Filter{}); return err },
		"Workers":     func() error { _, err := q.Workers(ctx); return err },
		"Quiet":       func() error { return q.Quiet(ctx, "") },
		"Stop":        func() error { return q.Stop(ctx, "") },
		"Limit":       func() error { _, err := q.Limit(ctx, "", 1, 1); return err },
	} {
		if err := verb(); !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRealRedisComesBack: a client of a Redis that was away for long enough to break gets its 201 without help.
func TestRealRedisComesBack(t *testing.T) {
	client, server := realQueue(t)
	h, _ := newAPI(t, client)
	if w := post(t, h, `{}`); w.Code != 201 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	server.Close()
	for range 2 * breakAfter {
		wantProblem(t, post(t, h, `{}`), 503, "redis-unavailable")
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	for post(t, h, `{}`).Code != 201 {
		if time.Since(back) > time.Minute {
			t.Fatal("no 201 although Redis is back")
		}
		time.Sleep(time.Millisecond) // it is a client that tries again
	}
	t.Logf("the first 201 came %s after Redis", time.Since(back))
}

func BenchmarkDeadRedis(b *testing.B) {
	all := newBreakers()
	for range breakAfter {
		_ = guardError(all, "q", func() error { return queue.ErrUnavailable })
	}
	for b.Loop() {
		_ = guardError(all, "q", func() error { return queue.ErrUnavailable })
	}
}
