package worker

import (
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// A job's own backoff counts, else the worker's.
func TestRetryDelayOfTheJob(t *testing.T) {
	r := &runner{config: Config{RetryBase: time.Hour, RetryCap: time.Hour}}
	delay := func(b *queue.Backoff, attempt int) time.Duration {
		return r.retryDelay(Job{Job: queue.Job{Backoff: b}, Attempt: attempt})
	}
	list := &queue.Backoff{Kind: queue.BackoffList, Delays: []time.Duration{1, 2, 3}}
	for attempt, want := range map[int]time.Duration{0: 1, 1: 1, 2: 2, 3: 3, 4: 3, 1001: 3} {
		if got := delay(list, attempt); got != want {
			t.Errorf("list, attempt %d: %s, want %s", attempt, got, want)
		}
	}
	for range 100 {
		if got := delay(&queue.Backoff{Kind: queue.BackoffFixed, Base: 7}, 9); got != 7 {
			t.Fatalf("fixed: %s", got)
		}
		if got := delay(&queue.Backoff{Kind: queue.BackoffExponential, Base: 1, Cap: 4}, 2); got > 2 {
			t.Fatalf("exponential, second retry: %s", got)
		}
		if got := delay(&queue.Backoff{Kind: queue.BackoffExponential, Base: 1, Cap: 4}, 50); got > 4 {
			t.Fatalf("exponential, capped: %s", got)
		}
	}
	var longest time.Duration
	for range 100 {
		longest = max(longest, delay(nil, 1), delay(&queue.Backoff{Kind: "of a later version"}, 1))
	}
	if longest < time.Minute || longest > time.Hour {
		t.Errorf("the worker's own: %s", longest)
	}
}

// The result of a job tells how long it is to be kept, and which key it may hold to the end.
func TestResultTellsRetentionAndKey(t *testing.T) {
	for _, test := range []struct {
		unique *queue.Unique
		want   string
	}{
		{nil, ""},
		{&queue.Unique{Key: "k", Until: queue.UntilDone}, "k"},
		{&queue.Unique{Key: "k", Until: queue.UntilStart}, ""}, // given up when it was claimed
		{&queue.Unique{Key: "k", For: time.Hour}, ""},
	} {
		e := &execution{claimed: queue.Claimed{Element: "1:a", Job: queue.Job{Retention: time.Minute, Unique: test.unique}}}
		e.finish(queue.Result{Outcome: queue.OutcomeDone})
		if e.result.Element != "1:a" || e.result.Retention != time.Minute || e.result.Unique != test.want {
			t.Errorf("%+v: %+v", test.unique, e.result)
		}
	}
}
