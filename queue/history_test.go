package queue_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// ledger keeps the events of a client; at, if set, looks at Redis while one is told.
type ledger struct {
	mu     sync.Mutex
	events []queue.Event
	at     func(queue.Event)
}

func (l *ledger) tell(e queue.Event) {
	if l.at != nil {
		l.at(e)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// take returns what was told since the last take, each as "op res id outcome".
func (l *ledger) take() (lines []string, events []queue.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	events, l.events = l.events, nil
	for _, e := range events {
		lines = append(lines, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s", e.Op, e.Res, e.ID, e.Outcome)), " "))
	}
	return lines, events
}

func (l *ledger) expect(t *testing.T, want ...string) []queue.Event {
	t.Helper()
	lines, events := l.take()
	if !slices.Equal(lines, want) {
		t.Errorf("told %q, want %q", lines, want)
		return make([]queue.Event, len(want))
	}
	return events
}

// Every operation is told of before Redis knows of it, and with its answer after.
func TestHistory(t *testing.T) {
	l := &ledger{}
	r := rigOn(t, redistest.Any(t), queue.Options{Timeout: bound, History: l.tell})
	l.at = func(e queue.Event) {
		if there := r.raw.HExists(t.Context(), r.key("jobs"), "x").Val(); e.Op == queue.OpEnqueue && there != (e.Res != queue.ResInvoke) {
			t.Errorf("told %s %s, and the job is there: %t", e.Op, e.Res, there)
		}
	}
	r.put(queue.NewJob{ID: "x", Type: "test", Queue: r.name})
	enqueue := l.expect(t, "enqueue invoke x", "enqueue ok x")[1]
	l.at = nil
	if enqueue.Queue != r.name || enqueue.DueMS == 0 || enqueue.RedisMS != enqueue.DueMS {
		t.Errorf("enqueue: %+v", enqueue)
	}
	if _, err := r.client.Enqueue(t.Context(), queue.NewJob{ID: "x", Type: "test", Queue: r.name}); !errors.Is(err, queue.ErrExists) {
		t.Fatal(err)
	}
	l.expect(t, "enqueue invoke x", "enqueue fail x exists")
	again := queue.NewJob{ID: "first", Queue: r.name, At: time.Now().Add(time.Hour), Idempotency: &queue.Idempotency{Key: "1"},
		Unique: &queue.Unique{Key: "k", Until: queue.UntilDone}}
	for _, job := range []queue.NewJob{again, again, {ID: "second", Queue: r.name, Idempotency: again.Idempotency},
		{ID: "second", Queue: r.name, Idempotency: &queue.Idempotency{Key: "1", Request: "other"}}, {ID: "second", Queue: r.name, Unique: again.Unique}} {
		_, _ = r.client.Enqueue(t.Context(), job)
	}
	at := l.expect(t, "enqueue invoke first", "enqueue ok first", "enqueue invoke first", "enqueue fail first replayed", "enqueue invoke second",
		"enqueue fail second replayed", "enqueue invoke second", "enqueue fail second conflict", "enqueue invoke second", "enqueue fail second unique")[1]
	if at.RedisMS != 0 || at.DueMS == 0 {
		t.Errorf("an enqueue for a given time: %+v", at)
	}
	r.do("ZREM", k("scheduled"), "first")
	r.do("HDEL", k("jobs"), "first")

	if x := r.exchange("a", 1); !errors.Is(x.ClaimErr, queue.ErrFenced) {
		t.Fatal(x.ClaimErr)
	}
	l.expect(t, "claim invoke", "claim fail fenced")
	r.register("a")
	if beat := l.expect(t, "heartbeat invoke", "heartbeat ok")[1]; beat.Mode != "new" || beat.Worker != "a" || beat.RedisMS == 0 {
		t.Errorf("heartbeat: %+v", beat)
	}
	c := r.take("a", 1)[0]
	claim := l.expect(t, "claim invoke", "claim ok", "claim ok x")
	if one := claim[2]; claim[1].Count != 1 || claim[0].Number != r.number || one.Number != r.number || one.Element != c.Element || one.Attempt != 1 ||
		one.MaxRetry != c.Job.MaxRetry || one.DueMS != enqueue.DueMS || one.RedisMS < one.DueMS {
		t.Errorf("claim: %+v", claim)
	}
	r.settle("a", queue.Result{Element: c.Element, Outcome: queue.OutcomeRetry, Delay: 0})
	settle := l.expect(t, "settle invoke x retry", "settle ok x retry")[1]
	if settle.Element != c.Element || settle.Worker != "a" || settle.RedisMS == 0 {
		t.Errorf("settle: %+v", settle)
	}
	r.settle("a", queue.Result{Element: c.Element, Outcome: queue.OutcomeDone})
	l.expect(t, "settle invoke x done", "settle ok x lost")
}

// The same of those who die, and leave.
func TestHistoryOfWorkers(t *testing.T) {
	l := &ledger{}
	r := rigOn(t, redistest.Any(t), queue.Options{Timeout: bound, History: l.tell})
	r.putNow(1)
	r.register("a", "b")
	r.take("a", 1)
	l.take()
	r.reap("a")
	l.expect(t, "reap invoke", "reap ok alive")
	r.kill("a")
	r.reap("a")
	if reap := l.expect(t, "reap invoke", "reap ok reaped")[1]; reap.Worker != "a" || reap.Count != 1 || reap.Dead+reap.Left != 0 {
		t.Errorf("reap: %+v", reap)
	}
	if _, err := r.beat("a", false); !errors.Is(err, queue.ErrFenced) {
		t.Fatal(err)
	}
	l.expect(t, "heartbeat invoke", "heartbeat fail fenced")
	if _, err := r.link.Leave(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	l.expect(t, "leave invoke", "leave ok left")
	if _, err := r.link.Trim(t.Context(), 10, time.Hour, 10); err != nil {
		t.Fatal(err)
	}
	l.expect(t, "trim invoke", "trim ok")
	if _, err := r.client.Observe(t.Context(), r.name, timing); err != nil {
		t.Fatal(err)
	}
	l.expect(t, "observe invoke", "observe ok")
}

// What was sent and not answered is unknown; what was not sent has failed.
func TestHistoryOfFailures(t *testing.T) {
	l := &ledger{}
	server := redistest.Own(t)
	r := rigOn(t, server, queue.Options{Timeout: bound, History: l.tell})
	r.register("a")
	r.putNow(1)
	l.take()
	server.Pause(t)
	defer server.Resume(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, _ = r.client.Enqueue(ctx, queue.NewJob{ID: "x", Type: "test", Queue: r.name})
	if lost := l.expect(t, "enqueue invoke x", "enqueue unknown x")[1]; lost.Error == "" {
		t.Errorf("no reason: %+v", lost)
	}
	_, _ = r.client.Enqueue(ctx, queue.NewJob{ID: "y", Type: "test", Queue: r.name})
	l.expect(t, "enqueue invoke y", "enqueue fail y")
}

// A history is one line of JSON an event, in one Write each, numbered, and in the order of its clock.
func TestHistoryTo(t *testing.T) {
	var out bytes.Buffer
	writes, failures := 0, 0
	w := writer(func(b []byte) (int, error) {
		if writes++; writes > 3 {
			return 0, errors.New("no space")
		}
		return out.Write(b)
	})
	tell := queue.HistoryTo(w, "me", func(error) { failures++ })
	for range 5 {
		tell(queue.Event{Op: queue.OpTrim, Res: queue.ResInvoke})
	}
	if failures != 1 || writes != 5 {
		t.Errorf("%d failures told, %d writes, want 1 and 5", failures, writes)
	}
	var last queue.Event
	for line := range strings.Lines(out.String()) {
		var e queue.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Seq != last.Seq+1 || e.Proc != "me" || e.MonoNS <= 0 || e.MonoNS < last.MonoNS || e.Op != queue.OpTrim {
			t.Errorf("%+v follows %+v", e, last)
		}
		last = e
	}
	if last.Seq != 3 {
		t.Errorf("%d lines, want 3", last.Seq)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }
