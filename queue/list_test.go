package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

func (r *rig) list(l queue.Listing) queue.Page {
	r.Helper()
	page, err := r.client.List(r.Context(), r.name, l)
	if err != nil {
		r.Fatalf("%+v: %v", l, err)
	}
	return page
}

// pages lists everything, page by page, with something done between.
func (r *rig) pages(l queue.Listing, between func(n int)) (all []string) {
	r.Helper()
	for n := 1; ; n++ {
		page := r.list(l)
		if len(page.Jobs) > l.Limit {
			r.Fatalf("%d jobs on a page of %d", len(page.Jobs), l.Limit)
		}
		all = append(all, named(page)...)
		if l.Cursor = page.Next; l.Cursor == "" {
			return all
		}
		if n > 200 {
			r.Fatal("no end of pages")
		}
		if between != nil {
			between(n)
		}
	}
}

func named(page queue.Page) (ids []string) {
	for _, info := range page.Jobs {
		ids = append(ids, info.ID)
	}
	return ids
}

// crowd makes n jobs in a set, several of each score, and returns their ids in order.
func crowd(r *rig, state queue.State, n int) (ids []string) {
	r.Helper()
	for i := range n {
		id := fmt.Sprintf("%s%04d", []string{"A", "a", "B", "b", "~", "-"}[i%6], i) // not as a language would have it
		r.do("ZADD", k(state), 1e12+float64(i/25), id)
		r.do("HSET", k("jobs"), id, fmt.Sprintf(`{"type":"t%d","retention_ms":5}`, i%3))
	}
	r.do("HSET", k("stats"), "adjusted", n)
	return r.raw.ZRange(r.Context(), r.key(string(state)), 0, -1).Val()
}

func TestListPages(t *testing.T) {
	for _, state := range []queue.State{queue.Scheduled, queue.Dead, queue.Done} {
		r := newRig(t)
		want := crowd(r, state, 130)
		for _, limit := range []int{1, 7, 129, 130, 131, 1000} {
			if limit == 1 && state != queue.Scheduled {
				continue
			}
			for _, newest := range []bool{false, true} {
				l := queue.Listing{State: state, Limit: limit, Newest: newest}
				equal(t, fmt.Sprintf("%+v", l), r.pages(l, nil), want)
				slices.Reverse(want)
			}
		}
		equal(t, "by default", named(r.list(queue.Listing{State: state})), want[:50])
	}
	r := newRig(t)
	equal(t, "nothing", r.list(queue.Listing{}), queue.Page{})
}

// What is told of a job of each state.
func TestListTells(t *testing.T) {
	r := newRig(t)
	scattered(r)
	for state, id := range map[queue.State]string{queue.Scheduled: "waits", queue.Processing: "runs", queue.Dead: "dead000"} {
		jobs := r.list(queue.Listing{State: state}).Jobs
		if len(jobs) != 1 {
			t.Fatalf("%s: %+v", state, jobs)
		}
		want := r.get(id)
		want.Failures = nil
		equal(t, string(state), jobs[0], want)
	}
	r.do("SADD", k("cancelled"), "runs")
	equal(t, "cancelled", r.list(queue.Listing{State: queue.Processing}).Jobs[0].Cancelled, true)
	equal(t, "worker", r.list(queue.Listing{State: queue.Processing}).Jobs[0].Worker, "w")
	r.do("DEL", k("cancelled"))
}

// Jobs come and go between the pages, the last of the page before among them: all others are seen once.
func TestListWhileJobsMove(t *testing.T) {
	for _, newest := range []bool{false, true} {
		r := newRig(t)
		all := crowd(r, queue.Scheduled, 130)
		gone := map[string]bool{}
		seen := r.pages(queue.Listing{Limit: 7, Newest: newest}, func(n int) {
			for _, id := range []string{all[(7*n-1)%130], all[(1300-7*n)%130], all[(n*53)%130]} {
				gone[id] = true
				r.do("ZREM", k("scheduled"), id)
				r.do("HDEL", k("jobs"), id)
			}
			for _, score := range []float64{1e12 - 5, 1e12 + 2, 2e12} {
				id := fmt.Sprintf("new%.0f.%d", score, n)
				r.do("ZADD", k("scheduled"), score, id)
				r.do("HSET", k("jobs"), id, "{}")
			}
		})
		count := map[string]int{}
		for _, id := range seen {
			if count[id]++; count[id] > 1 {
				t.Errorf("%s is seen twice", id)
			}
		}
		for _, id := range all {
			if count[id] == 0 && !gone[id] {
				t.Errorf("%s is not seen", id)
			}
		}
	}
}

func TestListFilters(t *testing.T) {
	r := newRig(t)
	all := crowd(r, queue.Dead, 1300)
	var odd []string
	for _, id := range all {
		var n int
		if _, err := fmt.Sscanf(id[1:], "%d", &n); err != nil {
			t.Fatal(err)
		}
		if n%3 == 1 {
			odd = append(odd, id)
		}
	}
	equal(t, "one type", r.pages(queue.Listing{State: queue.Dead, Type: "t1", Limit: 9}, nil), odd)
	equal(t, "part of an id", r.pages(queue.Listing{State: queue.Dead, Text: "0777", Limit: 9}, nil), []string{all[slices.IndexFunc(all,
		func(id string) bool { return strings.Contains(id, "0777") })]})
	// A page looks at 1,000 jobs at most: one of which nothing matches is empty, and says that there are more.
	page := r.list(queue.Listing{State: queue.Dead, Type: "other"})
	if len(page.Jobs) != 0 || page.Next == "" {
		t.Errorf("%+v", page)
	}
	equal(t, "nobody's", len(r.pages(queue.Listing{State: queue.Dead, Subject: "nobody", Limit: 1}, nil)), 0)
}

// A page ends at 1 MiB of records.
func TestListOfBigRecords(t *testing.T) {
	r := newRig(t)
	for i := range 30 {
		r.put(queue.NewJob{ID: fmt.Sprint(10 + i), Delay: time.Hour, Payload: []byte(`"` + strings.Repeat("x", 100_000) + `"`)})
	}
	if n := len(r.list(queue.Listing{Limit: 1000}).Jobs); n != 11 {
		t.Errorf("%d jobs of 100,000 bytes on a page", n)
	}
	equal(t, "all", len(r.pages(queue.Listing{Limit: 1000}, nil)), 30)
}

// By worker, then by the number of the claim.
func TestListOfWhatIsProcessed(t *testing.T) {
	r := newRig(t)
	var want []string
	for _, w := range []string{"b", "a", "c"} {
		r.register(w)
	}
	r.register("idle")
	for range 3 {
		for _, w := range []string{"c", "b", "a"} {
			for range 4 {
				r.putNow(1)
			}
			r.take(w, 4)
		}
	}
	for _, w := range []string{"a", "b", "c"} {
		for _, element := range r.raw.LRange(t.Context(), r.key("processing:"+w), 0, -1).Val() {
			_, id, _ := strings.Cut(element, ":")
			want = append(want, id)
		}
	}
	for _, limit := range []int{1, 5, 12, 35, 36, 100} {
		for _, newest := range []bool{false, true} {
			l := queue.Listing{State: queue.Processing, Limit: limit, Newest: newest}
			equal(t, fmt.Sprintf("%+v", l), r.pages(l, nil), want)
			slices.Reverse(want)
		}
	}
	equal(t, "one id", r.pages(queue.Listing{State: queue.Processing, Text: want[20], Limit: 3}, nil), []string{want[20]})
	first := r.list(queue.Listing{State: queue.Processing, Limit: 17})
	equal(t, "worker", first.Jobs[16].Worker, "b")
	r.kill("b") // the worker at which the page ended is gone
	r.reap("b")
	rest := r.list(queue.Listing{State: queue.Processing, Limit: 17, Cursor: first.Next})
	equal(t, "behind it", named(rest), want[24:])
}

// More workers than one call takes, most of them idle.
func TestListOfManyWorkers(t *testing.T) {
	r := newRig(t)
	var want []string
	for i := range 450 {
		w := fmt.Sprintf("w%03d", i)
		r.do("ZADD", k("workers"), 1e15, w)
		if i%50 == 49 {
			id := "id" + w
			want = append(want, id)
			r.do("HSET", k("jobs"), id, "{}")
			r.do("RPUSH", k("processing:"+w), "7:"+id)
		}
	}
	equal(t, "all", r.pages(queue.Listing{State: queue.Processing, Limit: 4}, nil), want)
	info := r.get("idw399")
	equal(t, "worker", info.Worker, "w399")
}

// Jobs whose record is gone or cannot be read are there, too.
func TestListOfWhatCannotBeRead(t *testing.T) {
	r := newRig(t)
	for i, id := range []string{"gone", "junk", "", "\xff"} {
		r.do("ZADD", k("scheduled"), []any{"-inf", 0, "1.5", "inf"}[i], id)
		r.do("HSET", k("jobs"), id, "junk")
	}
	r.do("HDEL", k("jobs"), "gone")
	want := []string{"gone", "junk", "", "\xff"}
	for range 2 {
		equal(t, "all", r.pages(queue.Listing{Limit: 1, Newest: want[0] != "gone"}, nil), want)
		slices.Reverse(want)
	}
	r.do("DEL", k("scheduled"), k("jobs"))
}

func TestListRefuses(t *testing.T) {
	r := newRig(t)
	for _, l := range []queue.Listing{{State: "gone"}, {Limit: -1}, {Limit: 1001}, {Type: "No Type"}} {
		if _, err := r.client.List(t.Context(), r.name, l); !errors.Is(err, queue.ErrInvalid) {
			t.Errorf("%+v: %v", l, err)
		}
	}
	if _, err := r.client.List(t.Context(), "Bad Name", queue.Listing{}); !errors.Is(err, queue.ErrInvalid) {
		t.Error(err)
	}
}
