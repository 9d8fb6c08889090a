package queue_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

func TestGetInEveryState(t *testing.T) {
	r := newRig(t)
	r.register("w")
	if _, err := r.client.Get(t.Context(), r.name, "a"); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("before: %v", err)
	}
	done, err := r.client.Enqueue(t.Context(), queue.NewJob{ID: "a", Queue: r.name, Type: "mail", MaxRetry: 4, Timeout: time.Minute,
		Delay: time.Hour, Payload: json.RawMessage(`{"n":1}`)})
	if err != nil {
		t.Fatal(err)
	}
	info := r.get("a")
	if info.ID != "a" || info.Queue != r.name || info.Type != "mail" || info.MaxRetry != 4 || info.Timeout != time.Minute ||
		string(info.Payload) != `{"n":1}` || info.Created.IsZero() {
		t.Errorf("job: %+v", info.Job)
	}
	if info.State != queue.Scheduled || !info.Due.Equal(done.Due) || info.Attempts != 0 || info.Failures != nil {
		t.Errorf("scheduled: %+v", info)
	}

	r.makeDue("a")
	c := r.take("w", 1)[0]
	if info = r.get("a"); info.State != queue.Processing || !info.Due.IsZero() || info.Attempts != 1 {
		t.Errorf("processing: %+v", info)
	}
	r.settle("w", queue.Result{Element: c.Element, Outcome: queue.OutcomeRetry, Failure: &queue.Failure{Error: "one"}})
	if info = r.get("a"); info.State != queue.Scheduled || info.Attempts != 1 || len(info.Failures) != 1 {
		t.Errorf("retry: %+v", info)
	}
	r.makeDue("a")
	c = r.take("w", 1)[0]
	r.settle("w", queue.Result{Element: c.Element, Outcome: queue.OutcomeDead, Failure: &queue.Failure{Error: "two"}})
	info = r.get("a")
	if info.State != queue.Dead || info.Attempts != 2 || len(info.Failures) != 2 || info.Failures[0].Error != "two" ||
		info.Due.UnixMilli() != info.Failures[0].At {
		t.Errorf("dead: %+v", info)
	}
	if _, err := r.link.Trim(t.Context(), 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := r.client.Get(t.Context(), r.name, "a"); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("trimmed: %v", err)
	}
}

// Who runs a job, when it ended, and that it is being cancelled.
func TestGetTellsWhoAndWhen(t *testing.T) {
	r := newRig(t)
	scattered(r)
	r.register("a", "z")
	info := r.get("runs")
	equal(t, "worker", info.Worker, "w")
	equal(t, "cancelled", info.Cancelled, false)
	r.do("SADD", k("cancelled"), "runs", "waits")
	equal(t, "cancelled", r.get("runs").Cancelled, true)
	equal(t, "one that only waits", r.get("waits").Cancelled, false)
	r.do("DEL", k("cancelled"))
	if info = r.get("dead000"); info.Finished != info.Due || info.Finished.IsZero() || info.Worker != "" {
		t.Errorf("dead: %+v", info)
	}
	r.do("HSET", k("jobs"), "done", `{"type":"message"}`)
	r.do("ZADD", k("done"), 7000, "done")
	if info = r.get("done"); info.State != queue.Done || info.Finished != info.Due || info.Finished.UnixMilli() != 7000 {
		t.Errorf("done: %+v", info)
	}
	r.do("HSET", k("stats"), "adjusted", 1)
}

// The registry changes between a look at it and the script: it looks again.
func TestGetWhileWorkersComeAndGo(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.put(queue.NewJob{ID: "a"})
	r.makeDue("a")
	r.take("w", 1)
	asked, next := 0, ""
	queue.Watch(r.client, r.link, func(name, _ string, rest []any) {
		if name != "get" {
			return
		}
		// Each time that lists are asked for, the job is by then another's, who has just come.
		if asked++; asked > 1 && asked < 5 {
			last := fmt.Sprint("w", next)
			next = fmt.Sprint(asked)
			r.do("ZADD", k("workers"), 1e15, "w"+next)
			r.do("RENAME", k("processing:"+last), k("processing:w"+next))
		}
	})
	equal(t, "worker", r.get("a").Worker, "w4")
	equal(t, "asked", asked, 5)
}

// A job that is in no place is processing, as far as one can tell, and nobody runs it.
func TestGetOfAJobInNoPlace(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.do("HSET", k("jobs"), "a", "{}")
	if info := r.get("a"); info.State != queue.Processing || info.Worker != "" {
		t.Errorf("%+v", info)
	}
	r.do("DEL", k("jobs"))
}

func TestGetReadsOnly(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{ID: "a"})
	before := r.everything()
	r.get("a")
	r.unchanged(before)
}

func TestGetOfWhatCannotBeRead(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{ID: "a"})
	r.do("HSET", k("errors"), "a", "junk")
	r.do("HSET", k("attempts"), "a", "junk")
	if info := r.get("a"); info.Failures != nil || info.Attempts != 0 {
		t.Errorf("%+v", info)
	}
	r.do("HDEL", k("attempts"), "a")
	r.do("HSET", k("jobs"), "a", `{"type":`)
	info, err := r.client.Get(t.Context(), r.name, "a")
	if err == nil || errors.Is(err, queue.ErrNotFound) || info.State != queue.Scheduled || info.ID != "a" {
		t.Errorf("%+v, %v", info, err)
	}
	r.do("HSET", k("jobs"), "a", `{}`)
}

func TestGetRefusesABadQueueName(t *testing.T) {
	if _, err := newRig(t).client.Get(t.Context(), "Bad Name", "a"); !errors.Is(err, queue.ErrInvalid) {
		t.Error(err)
	}
}

// Held is how a worker that lost the reply of a claim learns what it holds.
func TestHeld(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.put(queue.NewJob{ID: "a", Type: "mail"}, queue.NewJob{ID: "gone"}, queue.NewJob{ID: "junk"}, queue.NewJob{ID: "none"})
	r.makeDue("a", "gone", "junk", "none")
	r.do("HSET", k("attempts"), "a", "2")
	r.take("w", 4)
	r.do("HDEL", k("attempts"), "none")
	record := r.do("HGET", k("jobs"), "gone")
	r.do("HDEL", k("jobs"), "gone")
	r.do("HSET", k("jobs"), "junk", "junk")
	before := r.now()
	held, err := r.link.Held(t.Context(), []string{"1:a", "1:none", "1:gone", "1:junk", "foreign"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		id      string
		attempt int
		corrupt bool
	}{{"a", 3, false}, {"none", 1, false}, {"gone", 1, true}, {"junk", 1, true}, {"foreign", 1, true}} {
		h := held[i]
		if h.Job.ID != want.id || h.Attempt != want.attempt || (h.Corrupt != nil) != want.corrupt || h.Job.Queue != r.name ||
			h.At.UnixMilli() < before {
			t.Errorf("%d: %+v, want %+v", i, h, want)
		}
	}
	equal(t, "type", held[0].Job.Type, "mail")
	equal(t, "element", held[4].Element, "foreign")
	equal(t, "reason", held[2].Corrupt.Error(), "record of job gone is missing") // not that it is no JSON
	if held, err := r.link.Held(t.Context(), nil); held != nil || err != nil {
		t.Errorf("%v, %v", held, err)
	}
	r.do("HSET", k("jobs"), "gone", fmt.Sprint(record), "junk", "{}")
}

func TestHeldOfAWrongType(t *testing.T) {
	r := newRig(t)
	for _, key := range []k{"jobs", "attempts"} {
		r.do("SET", key, "x")
		if held, err := r.link.Held(t.Context(), []string{"1:a"}); !errors.Is(err, queue.ErrUnavailable) {
			t.Errorf("%s: %v, %v", key, held, err)
		}
		r.do("DEL", key)
	}
}
