package queue_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

func TestEnqueueWritesTheRecordTheDueTimeAndTheCounter(t *testing.T) {
	r := newRig(t)
	before := r.now()
	done, err := r.client.Enqueue(t.Context(), queue.NewJob{ID: "a", Queue: r.name, Type: "mail", MaxRetry: 3,
		Timeout: 5 * time.Second, Delay: time.Hour, Payload: json.RawMessage(` {"to": "<x&y>"} `)})
	after := r.now() + 1 // due times are rounded up
	if err != nil || done.Err != nil || done.ID != "a" {
		t.Fatalf("%+v, %v", done, err)
	}
	due := done.Due.UnixMilli()
	if at := due - time.Hour.Milliseconds(); at < before || at > after {
		t.Errorf("due an hour after %d, enqueued between %d and %d", at, before, after)
	}
	equal(t, "score", r.raw.ZScore(t.Context(), r.key("scheduled"), "a").Val(), float64(due))
	record := fmt.Sprint(r.do("HGET", k("jobs"), "a"))
	start := `{"type":"mail","max_retry":3,"timeout_ms":5000,"created":`
	if !strings.HasPrefix(record, start) || !strings.HasSuffix(record, `,"payload":{"to":"<x&y>"}}`) {
		t.Errorf("record: %s", record)
	}
	r.expectStats(map[string]string{"enqueued": "1"})
	equal(t, "layout", r.do("HGET", k("meta"), "layout"), any("1"))
	equal(t, "attempts", r.do("EXISTS", k("attempts")), any(int64(0)))
	queues, err := r.client.Queues(t.Context())
	if err != nil || !slices.Contains(queues, r.name) {
		t.Errorf("queues: %v, %v", queues, err)
	}
}

// A delay that is no whole number of ms must not end early. Jobs of one call share one instant, so the rest of a ms shows.
func TestEnqueueRoundsTheDelayUp(t *testing.T) {
	r := newRig(t)
	done, err := r.client.EnqueueMany(t.Context(), []queue.NewJob{
		{Queue: r.name, Delay: time.Hour}, {Queue: r.name, Delay: time.Hour + time.Nanosecond}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "later by", done[1].Due.Sub(done[0].Due), time.Millisecond)
	for _, d := range done {
		equal(t, "score", r.raw.ZScore(t.Context(), r.key("scheduled"), d.ID).Val(), float64(d.Due.UnixMilli()))
	}
}

// Nor must the rest of the present ms be taken from it: due times are whole ms of a clock that has finer ones.
func TestEnqueueRoundsTheClockUp(t *testing.T) {
	r := newRig(t)
	for range 20 {
		before, err := r.raw.Time(t.Context()).Result()
		if err != nil {
			t.Fatal(err)
		}
		done, err := r.client.Enqueue(t.Context(), queue.NewJob{Queue: r.name, Delay: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if due := done.Due.Add(-time.Hour); due.Before(before) {
			t.Errorf("due an hour after %s, enqueued after %s", due, before)
		}
	}
}

func TestEnqueueOrder(t *testing.T) {
	r := newRig(t)
	r.register("w")
	want := r.putNow(250) // three scripts
	var got []string
	for range 3 {
		got = append(got, ids(r.claim("w", 100).Jobs)...)
	}
	if !slices.Equal(got, want) {
		t.Error("jobs due at the same ms were not claimed in the order in which they were enqueued")
	}
	r.kill("w")
	r.reap("w")
}

func TestEnqueueLeavesAnIDThatExists(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.put(queue.NewJob{ID: "scheduled", Delay: time.Hour})
	r.put(queue.NewJob{ID: "processing"}, queue.NewJob{ID: "dead"})
	r.makeDue("processing", "dead")
	jobs := r.take("w", 2)
	r.settle("w", queue.Result{Element: element(jobs, "dead"), Outcome: queue.OutcomeDead})
	enqueued := r.stat("enqueued")
	before := r.everything()
	for _, id := range []string{"scheduled", "processing", "dead"} {
		done, err := r.client.Enqueue(t.Context(), queue.NewJob{ID: id, Queue: r.name, Type: "other", Delay: time.Minute})
		if !errors.Is(err, queue.ErrExists) || done.ID != id || !done.Due.IsZero() {
			t.Errorf("%s: %+v, %v", id, done, err)
		}
	}
	r.unchanged(before)
	equal(t, "enqueued", r.stat("enqueued"), enqueued)
	r.kill("w")
	r.reap("w")
}

func element(jobs []queue.Claimed, id string) string {
	for _, c := range jobs {
		if c.Job.ID == id {
			return c.Element
		}
	}
	return "no such job: " + id
}

func TestEnqueueTwiceInOneBatch(t *testing.T) {
	r := newRig(t)
	done, err := r.client.EnqueueMany(t.Context(), []queue.NewJob{
		{ID: "a", Queue: r.name, Type: "first"}, {ID: "a", Queue: r.name, Type: "second"}, {ID: "b", Queue: r.name}})
	if err != nil {
		t.Fatalf("an id that exists is told by its job, not as the error of all: %v", err)
	}
	if done[0].Err != nil || !errors.Is(done[1].Err, queue.ErrExists) || done[2].Err != nil {
		t.Errorf("%+v", done)
	}
	equal(t, "type", r.get("a").Type, "first")
	r.expectStats(map[string]string{"enqueued": "2"})
}

func TestEnqueueWritesNothingIfAnyJobIsInvalid(t *testing.T) {
	r := newRig(t)
	done, err := r.client.EnqueueMany(t.Context(), []queue.NewJob{
		{Queue: r.name}, {Queue: r.name, Type: "Bad Type"}, {Queue: r.name, Delay: -1}})
	if done != nil || !errors.Is(err, queue.ErrInvalid) {
		t.Fatalf("%v, %v", done, err)
	}
	for _, want := range []string{"job 1: ", "type", "job 2: ", "delay_seconds"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %q", err, want)
		}
	}
	equal(t, "keys", r.everything(), map[string]any{})
}

func TestEnqueueNothing(t *testing.T) {
	done, err := newRig(t).client.EnqueueMany(t.Context(), nil)
	if len(done) != 0 || err != nil {
		t.Errorf("%v, %v", done, err)
	}
}

func TestEnqueueRefusesANewerLayout(t *testing.T) {
	for _, layout := range []string{"2", "not a number"} {
		r := newRig(t)
		r.layout(layout)
		before := r.everything()
		if _, err := r.client.Enqueue(t.Context(), queue.NewJob{Queue: r.name}); !errors.Is(err, queue.ErrLayout) {
			t.Errorf("layout %s: %v", layout, err)
		}
		r.unchanged(before)
		r.layout("1")
	}
}

func TestEnqueueKeepsAnOlderLayout(t *testing.T) {
	r := newRig(t)
	r.layout("0")
	r.put(queue.NewJob{})
	equal(t, "layout", r.do("HGET", k("meta"), "layout"), any("0"))
}

func TestEnqueueTellsEachQueueItsOwnAnswer(t *testing.T) {
	r, other := newRig(t), newRig(t)
	other.layout("2")
	done, err := r.client.EnqueueMany(t.Context(), []queue.NewJob{
		{ID: "a", Queue: r.name}, {ID: "b", Queue: other.name}, {ID: "c", Queue: r.name}})
	if !errors.Is(err, queue.ErrLayout) {
		t.Errorf("the first error of any job: %v", err)
	}
	if done[0].Err != nil || !errors.Is(done[1].Err, queue.ErrLayout) || done[2].Err != nil {
		t.Errorf("%+v", done)
	}
	equal(t, "jobs", r.raw.HLen(t.Context(), r.key("jobs")).Val(), int64(2))
}

func TestEnqueueTokenForANewHead(t *testing.T) {
	r := newRig(t)
	put := func(delay time.Duration, want bool, what string) {
		t.Helper()
		r.put(queue.NewJob{Delay: delay})
		equal(t, what, r.token(), want)
	}
	put(2*time.Hour, true, "the first job is a new head")
	r.dropToken()
	put(3*time.Hour, false, "a later job is none")
	put(time.Hour, true, "an earlier job is one")
	put(time.Minute, true, "one token is enough")
	r.dropToken()
	r.put(queue.NewJob{Delay: time.Hour}, queue.NewJob{Delay: time.Second}, queue.NewJob{Delay: time.Hour})
	equal(t, "the earliest of a batch is a new head", r.token(), true)
	r.dropToken()
	if _, err := r.client.Enqueue(t.Context(), queue.NewJob{Queue: r.name, ID: r.put(queue.NewJob{Delay: time.Hour})[0]}); !errors.Is(err, queue.ErrExists) {
		t.Fatal(err)
	}
	equal(t, "a job that exists is none, even if it would have been due now", r.token(), false)
}

// A job that is due at the same ms as the head is no new head: whoever is armed for that one finds both.
func TestEnqueueNoTokenForTheDueTimeOfTheHead(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{ID: "head", Delay: time.Hour})
	try := int64(0)
	redistest.Await(t, bound, "a job due at the very ms of the head", func() bool {
		try++
		head := r.now() + time.Hour.Milliseconds() + try%10 // how long an enqueue takes can only be guessed
		r.do("ZADD", k("scheduled"), "XX", head, "head")
		r.dropToken()
		done, err := r.client.Enqueue(t.Context(), queue.NewJob{Queue: r.name, Delay: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "token", r.token(), done.Due.UnixMilli() < head)
		r.do("ZREM", k("scheduled"), done.ID)
		r.do("HDEL", k("jobs"), done.ID)
		return done.Due.UnixMilli() == head
	})
}

// One script moves at most 1 MiB of records, so that it does not hold up Redis.
func TestEnqueueSplitsBatchesByBytes(t *testing.T) {
	r := rigOn(t, redistest.Own(t), queue.Options{Timeout: bound})
	payload := json.RawMessage(`"` + strings.Repeat("x", 64<<10-2) + `"`)
	jobs := make([]queue.NewJob, 31)
	for i := range jobs {
		jobs[i].Payload = payload
	}
	r.put(queue.NewJob{}) // permissions are asked for, the script is taught
	before := calls(r, "evalsha")
	r.put(jobs...)
	equal(t, "scripts for 31 jobs of 64 KiB", calls(r, "evalsha")-before, 3) // 15, 15, 1
}

// calls is how often the server was given a command; only on a server of the test's own does it tell anything.
func calls(r *rig, command string) int {
	r.Helper()
	for _, row := range strings.Split(r.raw.Info(r.Context(), "commandstats").Val(), "\r\n") {
		if fields, ok := strings.CutPrefix(row, "cmdstat_"+command+":calls="); ok {
			digits, _, _ := strings.Cut(fields, ",")
			n, err := strconv.Atoi(digits)
			if err != nil {
				r.Fatal(err)
			}
			return n
		}
	}
	return 0
}
