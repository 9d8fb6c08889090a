package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// bury makes n dead jobs with attempts and failures; the i-th died i hours ago, the last is the oldest.
func bury(r *rig, n int) []string {
	r.Helper()
	r.register("w")
	jobs := make([]queue.NewJob, n)
	for i := range jobs {
		jobs[i].ID = fmt.Sprintf("dead%03d", i)
	}
	ids := r.put(jobs...)
	r.makeDue(ids...)
	for range (n + 99) / 100 {
		var results []queue.Result
		for _, c := range r.claim("w", 100).Jobs {
			results = append(results, queue.Result{Element: c.Element, Outcome: queue.OutcomeDead, Failure: &queue.Failure{Error: "x"}})
		}
		r.settle("w", results...)
	}
	now := r.now()
	for i, id := range ids {
		r.do("ZADD", k("dead"), "XX", now-int64(i)*time.Hour.Milliseconds(), id)
	}
	return ids
}

func TestTrim(t *testing.T) {
	for name, test := range map[string]struct {
		most      int
		retention time.Duration
		dropped   int // of ten, the oldest
	}{
		"neither":        {10, 9*time.Hour + time.Minute, 0},
		"age":            {10, 6*time.Hour + time.Minute, 3},
		"age, to the ms": {10, 9 * time.Hour, 1},
		"number":         {8, 24 * time.Hour, 2},
		"age says more":  {8, 4*time.Hour + time.Minute, 5},
		"number more":    {1, 8 * time.Hour, 9},
		"all":            {0, 24 * time.Hour, 10},
		"all by age":     {10, 0, 10},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			ids := bury(r, 10)
			got, err := r.link.Trim(t.Context(), test.most, test.retention, 0)
			if want := (queue.Trimmed{Dead: test.dropped}); err != nil || got != want {
				t.Errorf("%+v, %v; want %+v", got, err, want)
			}
			kept := int64(10 - test.dropped)
			for _, key := range []string{"jobs", "attempts", "errors"} {
				equal(t, key, r.raw.HLen(t.Context(), r.key(key)).Val(), kept)
			}
			equal(t, "dead", r.raw.ZCard(t.Context(), r.key("dead")).Val(), kept)
			for _, id := range ids[:kept] {
				equal(t, id, r.get(id).State, queue.Dead)
			}
			equal(t, "counted", r.stat("dead_trimmed"), test.dropped)
		})
	}
}

func TestTrimInParts(t *testing.T) {
	r := newRig(t)
	bury(r, 230)
	for _, want := range []queue.Trimmed{{100, 0, true}, {100, 0, true}, {20, 0, false}, {}} {
		got, err := r.link.Trim(t.Context(), 10, time.Minute*60*1000, 0)
		if err != nil || got != want {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	equal(t, "counted", r.stat("dead_trimmed"), 220)
}

func TestTrimOfNothing(t *testing.T) {
	r := newRig(t)
	got, err := r.link.Trim(t.Context(), 0, 0, 0)
	if err != nil || got != (queue.Trimmed{}) {
		t.Errorf("%+v, %v", got, err)
	}
	equal(t, "keys", r.everything(), map[string]any{})
}
