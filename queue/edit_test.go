package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

func TestEdit(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{ID: "a", Type: "mail", Delay: time.Hour, Timeout: time.Minute, Payload: json.RawMessage(`{"n":1}`)})
	r.do("HSET", k("attempts"), "a", "2")
	r.do("HSET", k("errors"), "a", `[{"error":"one","took_ms":1}]`)
	was := r.get("a")
	zero, three := 0, 3
	for _, c := range []struct {
		change  queue.Changes
		payload string
		retries int
	}{
		{queue.Changes{}, `{"n":1}`, 10},
		{queue.Changes{Payload: json.RawMessage(` {"n": 2} `)}, `{"n":2}`, 10},
		{queue.Changes{MaxRetry: &three}, `{"n":2}`, 3},
		{queue.Changes{MaxRetry: &zero, Payload: json.RawMessage(` null `)}, ``, 0},
	} {
		info, err := r.client.Edit(t.Context(), r.name, "a", c.change)
		if err != nil || string(info.Payload) != c.payload || info.MaxRetry != c.retries {
			t.Fatalf("%+v: %+v, %v", c.change, info, err)
		}
		equal(t, "as it is then", info, r.get("a"))
		was.Payload, was.MaxRetry = info.Payload, info.MaxRetry
		equal(t, "else nothing has changed", info, was)
	}
	r.do("HDEL", k("attempts"), "a")
	r.do("HDEL", k("errors"), "a")
}

// An edit that changes nothing writes the record just as it was.
func TestEditWritesTheSameRecord(t *testing.T) {
	r := newRig(t)
	for name, job := range map[string]queue.NewJob{
		"plain": {}, "scalars": {Type: "a.b", MaxRetry: 7, Timeout: 1500 * time.Millisecond}, "none": {MaxRetry: queue.NoRetry},
		"payload": {Payload: json.RawMessage(`[1,"<é>",null]`)}, "own id": {ID: "own"},
		"special": {Retention: time.Hour, Expires: 1500 * time.Millisecond, Subject: "<ann>", TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
			Metadata: map[string]string{"payload": "x", "b": "é"}, Unique: &queue.Unique{Key: "k", Until: queue.UntilDone},
			Backoff: &queue.Backoff{Kind: "list", Delays: []time.Duration{time.Second, 1500 * time.Millisecond}}},
		"unique for a time": {Unique: &queue.Unique{Key: "l", For: time.Hour}},
	} {
		job.Delay = time.Hour
		id := r.put(job)[0]
		before := r.do("HGET", k("jobs"), id)
		if _, err := r.client.Edit(t.Context(), r.name, id, queue.Changes{}); err != nil {
			t.Fatal(err)
		}
		equal(t, name, r.do("HGET", k("jobs"), id), before)
	}
}

// What claim looks at first, and what an edit does not name, stays.
func TestEditOfMetadata(t *testing.T) {
	r := newRig(t)
	id := r.put(queue.NewJob{Delay: time.Hour, Metadata: map[string]string{"a": "1"}, Unique: &queue.Unique{Key: "k", Until: queue.UntilDone}})[0]
	for _, want := range []map[string]string{{"b": "2"}, nil} {
		info, err := r.client.Edit(t.Context(), r.name, id, queue.Changes{Metadata: &want})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "metadata", info.Metadata, want)
		equal(t, "unique", *info.Unique, queue.Unique{Key: "k", Until: queue.UntilDone})
	}
	long := map[string]string{"a": strings.Repeat("x", 1000)}
	if _, err := r.client.Edit(t.Context(), r.name, id, queue.Changes{Metadata: &long}); !errors.Is(err, queue.ErrInvalid) {
		t.Error(err)
	}
	if moved, err := r.client.PurgeAll(t.Context(), r.name, queue.Filter{State: queue.Scheduled}); err != nil || moved.Jobs != 1 {
		t.Errorf("%+v, %v", moved, err)
	}
	equal(t, "held", r.do("HLEN", k("unique")), any(int64(0)))
}

func TestEditOnlyWhatIsScheduled(t *testing.T) {
	r := newRig(t)
	scattered(r)
	inState(r, "edit", func(id string) error {
		_, err := r.client.Edit(t.Context(), r.name, id, queue.Changes{Payload: json.RawMessage("1")})
		return err
	})
}

func TestEditRefuses(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{ID: "a", Delay: time.Hour}, queue.NewJob{ID: "junk", Delay: time.Hour})
	r.do("HSET", k("jobs"), "junk", "junk")
	before := r.everything()
	less, more := -1, queue.MaxRetryLimit+1
	for field, change := range map[string][]queue.Changes{
		"max_retry": {{MaxRetry: &less}, {MaxRetry: &more}},
		"payload":   {{Payload: json.RawMessage(`{`)}, {Payload: json.RawMessage(`"` + strings.Repeat("x", queue.MaxPayload) + `"`)}, {Payload: json.RawMessage(``)}},
	} {
		for _, c := range change {
			var invalid *queue.InvalidError
			if _, err := r.client.Edit(t.Context(), r.name, "a", c); !errors.As(err, &invalid) || invalid.Field != field {
				t.Errorf("%.40q: %v, want that %s is invalid", c.Payload, err, field)
			}
		}
	}
	for _, c := range [][2]string{{"Bad Name", "a"}, {r.name, "junk"}} {
		if _, err := r.client.Edit(t.Context(), c[0], c[1], queue.Changes{}); !errors.Is(err, queue.ErrInvalid) {
			t.Errorf("%v: %v", c, err)
		}
	}
	r.unchanged(before)
	r.do("HSET", k("jobs"), "junk", "{}")
}

// Many who edit at once: each change is made to what the one before has left, or refused.
func TestEditComparesAndSets(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{ID: "a", Delay: time.Hour})
	if words, err := r.client.EditOf(t.Context(), r.name, "a", "another", "{}"); err != nil || fmt.Sprint(words) != "[changed]" {
		t.Errorf("%v, %v", words, err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			retries := i + 1
			change := queue.Changes{Payload: json.RawMessage(fmt.Sprint(i))}
			if i%2 == 0 {
				change = queue.Changes{MaxRetry: &retries}
			}
			for {
				_, err := r.client.Edit(context.Background(), r.name, "a", change)
				if err == nil || !errors.Is(err, queue.ErrUnavailable) {
					if err != nil {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	all.Wait()
	if info := r.get("a"); info.Payload == nil || info.MaxRetry == queue.DefaultMaxRetry {
		t.Errorf("one change has undone another: %+v", info.Job)
	}
}
