package ui

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/punctualq/punctual/queue"
)

// crowd is a queue of scheduled jobs in the order of their due times, whose cursor is the due time and the id that it stands behind.
type crowd struct {
	*fake
	due map[string]time.Time
}

func newCrowd(n int) *crowd {
	c := &crowd{busy(), map[string]time.Time{}}
	for i := range n {
		c.due[fmt.Sprintf("job-%05d", i)] = testNow.Add(time.Duration(i) * time.Second)
	}
	c.list = func(l queue.Listing) queue.Page {
		c.mu.Lock()
		defer c.mu.Unlock()
		var all []queue.Info
		for id, due := range c.due {
			all = append(all, queue.Info{Job: queue.Job{ID: id, Queue: "default"}, State: queue.Scheduled, Due: due})
		}
		place := func(i queue.Info) string { return fmt.Sprintf("%020d %s", i.Due.UnixMilli(), i.ID) }
		slices.SortFunc(all, func(a, b queue.Info) int { return strings.Compare(place(a), place(b)) })
		var page queue.Page
		for _, one := range all {
			if place(one) <= l.Cursor {
				continue
			}
			if len(page.Jobs) == l.Limit {
				page.Next = place(page.Jobs[l.Limit-1])
				return page
			}
			page.Jobs = append(page.Jobs, one)
		}
		return page
	}
	return c
}

// form is what the page's form holds after a redirect to it.
func (d *dashboard) onward(to string) (form url.Values, more bool) {
	d.t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		d.t.Fatal(err)
	}
	q := u.Query()
	if u.Path != "/ui/all" {
		return nil, false
	}
	q.Set("skipped", q.Get("skipped"))
	return q, true
}

// However the due times move while all that match are given another, each job is given it once.
func TestRescheduleAllMeetsEachOnce(t *testing.T) {
	synctest.Test(t, rescheduleAllMeetsEachOnce)
}

func rescheduleAllMeetsEachOnce(t *testing.T) {
	for name, in := range map[string]time.Duration{"behind all": time.Hour, "in their midst": 300 * time.Second, "before all": 0} {
		c := newCrowd(1000)
		times := map[string]int{}
		clock := testNow // of Redis; it goes on
		c.fake.due = func(id string, w queue.When) time.Time {
			c.mu.Lock()
			defer c.mu.Unlock()
			clock = clock.Add(time.Millisecond)
			times[id]++
			c.due[id] = clock.Add(w.In)
			return c.due[id]
		}
		c.hold = func(context.Context) error { time.Sleep(10 * time.Millisecond); return nil } // by the clock of the bubble
		d := newDashboard(t, c.fake)
		form := url.Values{"queue": {"default"}, "state": {"scheduled"}, "verb": {"reschedule"}, "text": {"job"}, "when": {strconv.Itoa(int(in/time.Second)) + "s"}}
		requests := 1
		for ; requests < 20; requests++ {
			w := d.post("/ui/all", tokenAll, form)
			next, more := d.onward(w.Header().Get("Location"))
			if !more {
				break
			}
			form = next
		}
		if requests < 2 || requests == 20 {
			t.Errorf("%s took %d requests", name, requests)
		}
		twice := 0
		for _, n := range times {
			if n > 1 {
				twice++
			}
		}
		// In their midst some jobs stand already within the second that the change takes: they keep their due times.
		if missed := 1000 - len(times); twice > 0 || missed > 2 {
			t.Errorf("%s: %d twice, %d missed", name, twice, missed)
		}
	}
}

// A request that runs out of time says how far it is, and the next goes on there.
func TestAllGoesOn(t *testing.T) {
	q := busy()
	q.moved = queue.Moved{Jobs: 100, Unreadable: 2, More: true, Next: "behind"}
	d := newDashboard(t, q)
	w := d.post("/ui/all", tokenAll, parseForm(t, "queue=default&state=dead&verb=redrive&type=a&auto=1"))
	to := w.Header().Get("Location")
	page := d.get(to, tokenAll).Body.String()
	if got := text(t, page); !strings.Contains(got, "100 jobs so far. 2 jobs stayed: nothing could run what the record holds now. There are more.") || !strings.Contains(page, "data-auto") {
		t.Errorf("%s: %s", to, got)
	}
	form, _ := d.onward(to)
	q.moved = queue.Moved{Jobs: 20}
	kind, words := d.noticeIn(d.post("/ui/all", tokenAll, form))
	if kind != "warn" || words != "120 jobs are scheduled again, due now. 2 stay as they are: nothing could run what their records hold now. Purge them, or look at them in Redis." {
		t.Errorf("%s %q", kind, words)
	}
	if got := q.changes(); len(got) != 2 || !strings.Contains(got[1], "Cursor:behind") {
		t.Errorf("asked %q", got)
	}
	if len(q.deeds) != 2 || q.deeds[0].Jobs != 100 || q.deeds[1].Jobs != 20 || q.deeds[0].Target != "all dead, type a" {
		t.Errorf("kept %+v", q.deeds)
	}
	q.moved = queue.Moved{}
	if kind, words := d.noticeIn(d.post("/ui/all", tokenAll, parseForm(t, "queue=default&state=dead&verb=redrive"))); kind != "warn" || !strings.Contains(words, "No job matched") {
		t.Errorf("%s %q", kind, words)
	}
	q.moved, q.err = queue.Moved{Jobs: 5}, queue.ErrUnavailable
	w = d.post("/ui/all", tokenAll, parseForm(t, "queue=default&state=dead&verb=redrive"))
	if to := w.Header().Get("Location"); !strings.Contains(to, "done=5") || d.notes[len(d.notes)-1].Err == nil {
		t.Errorf("cut off after 5: %s", to)
	}
}

// The question says how many there are: by a figure that is kept, or at least how many after a bounded look.
func TestCount(t *testing.T) { synctest.Test(t, counts) }

func counts(t *testing.T) {
	c := busy()
	c.list = func(l queue.Listing) queue.Page {
		from, _ := strconv.Atoi(l.Cursor)
		page := queue.Page{Jobs: make([]queue.Info, min(l.Limit, 25_000-from)), Seen: min(l.Limit, 25_000-from)}
		if from+l.Limit < 25_000 {
			page.Next = strconv.Itoa(from + l.Limit)
		}
		return page
	}
	d := newDashboard(t, c)
	for target, want := range map[string]string{
		"/ui/all?queue=default&state=scheduled&verb=run":          "12,345 jobs",
		"/ui/all?queue=default&state=dead&verb=purge&group=g1":    "38 jobs",
		"/ui/all?queue=default&state=scheduled&verb=run&text=job": "At least 5,000 jobs , among the first 5,000 that were looked at.",
	} {
		c.asked = nil
		w := d.get(target, tokenAll)
		if got := text(t, w.Body.String()); !strings.Contains(got, want) {
			t.Errorf("%s: %s", target, got)
		}
		if n := c.count("list"); n > countPages {
			t.Errorf("%s: %d listings", target, n)
		}
	}
	page := d.get("/ui/all?queue=default&state=scheduled&verb=run&text=job", tokenAll).Body.String()
	for _, want := range []string{"At least 10,000 jobs", "At least 15,000 jobs", "At least 20,000 jobs", " 25,000 jobs"} {
		page = d.get(hrefOf(t, page, "Count on"), tokenAll).Body.String()
		if got := text(t, page); !strings.Contains(got, want) || strings.Contains(got, "At least 25") {
			t.Error(got)
		}
	}
	if len(c.changes()) > 0 {
		t.Errorf("counting asked %q", c.changes())
	}
}

// Only what fits the state can be done to all.
func TestVerbsOfAll(t *testing.T) {
	for _, form := range []string{"state=done&verb=redrive", "state=processing&verb=run", "state=dead&verb=cancel", "state=scheduled&verb=purge", "state=x&verb=run", "state=dead"} {
		q := busy()
		d := newDashboard(t, q)
		if w := d.post("/ui/all", tokenAll, parseForm(t, "queue=default&"+form)); w.Code < 400 || len(q.changes()) > 0 {
			t.Errorf("%s: %d, asked %q", form, w.Code, q.changes())
		}
		if w := d.get("/ui/all?queue=default&"+form, tokenAll); w.Code < 400 {
			t.Errorf("the question before %s: %d", form, w.Code)
		}
	}
	q := busy() // those that are being cancelled already are left alone
	job := q.jobs["job-1"]
	job.Cancelled = true
	other := q.jobs["job-1"]
	other.ID = "job-7"
	q.list = func(queue.Listing) queue.Page { return queue.Page{Jobs: []queue.Info{job, other}} }
	newDashboard(t, q).post("/ui/all", tokenAll, parseForm(t, "queue=default&state=processing&verb=cancel"))
	if got := q.changes(); !slices.Equal(got, []string{"cancel default job-7"}) {
		t.Errorf("asked %q", got)
	}
}
