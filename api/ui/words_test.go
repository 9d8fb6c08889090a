package ui

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

func TestNumbersInWords(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -12345: "-12,345"} {
		if got := count(n); got != want {
			t.Errorf("%d is %q", n, got)
		}
	}
	for d, want := range map[time.Duration]string{0: "0 ms", 500 * time.Microsecond: "< 1 ms", 12 * time.Millisecond: "12 ms", 1500 * time.Millisecond: "1.5 s", 3 * time.Second: "3 s", 59 * time.Second: "59 s",
		90 * time.Second: "1 min 30 s", 11 * time.Minute: "11 min", 2*time.Hour + 5*time.Minute: "2 h 5 min", 49 * time.Hour: "2 days 1 h", 200 * 24 * time.Hour: "200 days", -3 * time.Second: "3 s"} {
		if got := span(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 180 << 20: "180 MiB", 3 << 40: "3.0 TiB"} {
		if got := byteCount(n); got != want {
			t.Errorf("%d bytes are %q", n, got)
		}
	}
	if when(time.Time{}, testNow) != nil {
		t.Error("the zero time is told")
	}
	if m := when(testNow.Add(3*time.Minute), testNow); m.Words != "in 3 min" || m.Machine != "2027-01-31T12:03:00.000Z" || m.Exact != "2027-01-31 12:03:00.000 UTC" {
		t.Errorf("%+v", m)
	}
	if got := short(5, "äöüäöü"); got != "äöüä…" {
		t.Error(got)
	}
}

func TestAlerts(t *testing.T) {
	late := queue.Overview{Queue: "default", Now: testNow, Due: 12, OldestDue: testNow.Add(-time.Minute)}
	living := queue.WorkerState{WorkerInfo: queue.WorkerInfo{ID: "w"}, Queue: "default", Living: true}
	quiet := living
	quiet.Order = queue.OrderQuiet
	gone := queue.WorkerState{WorkerInfo: queue.WorkerInfo{ID: "w"}, Queue: "default", Processing: 3}
	paused := late
	paused.Paused = true
	fine := late
	fine.OldestDue = testNow.Add(-time.Second)
	one := fine
	one.Due = 1
	for name, tc := range map[string]struct {
		o    queue.Overview
		w    []queue.WorkerState
		kind string
		text string
	}{
		"nobody":      {late, nil, "bad", "No worker lives for the queue default, and 12 jobs are late, the first for 1 min."},
		"nobody, one": {one, nil, "bad", "No worker lives for the queue default, and 1 job is late, the first for 1 s."},
		"too slow":    {late, []queue.WorkerState{living}, "bad", "The workers of the queue default do not keep up: 12 jobs are late, the first for 1 min."},
		"all quiet":   {fine, []queue.WorkerState{quiet}, "bad", "All workers of the queue default are told to claim nothing more, and 12 jobs are late."},
		"paused":      {paused, []queue.WorkerState{living}, "warn", "The queue default is paused, and 12 jobs are late, the first for 1 min."},
		"a dead one":  {queue.Overview{Queue: "default"}, []queue.WorkerState{gone}, "bad", "The worker w of the queue default is dead with 3 jobs in hand: they come back by themselves within seconds."},
		"all is well": {fine, []queue.WorkerState{living}, "", ""},
	} {
		all := alertsOf([]queue.Overview{tc.o}, tc.w)
		if tc.text == "" && len(all) == 0 {
			continue
		}
		if len(all) != 1 || all[0] != (alert{tc.kind, tc.text}) {
			t.Errorf("%s: %+v", name, all)
		}
	}
}

func TestNotices(t *testing.T) {
	for _, n := range []notice{{Code: "run"}, {Code: "cancel", N: 2, Not: 1}, {Code: "purge", N: 1200, Unreadable: 1}} {
		got := noticeOf(n.query())
		if got == nil || *got != n {
			t.Errorf("%+v comes back as %+v", n, got)
		}
	}
	for code, words := range noticeWords {
		if n := (notice{Code: code, N: 3}); words.one == "" || n.Text() == "" || n.Kind() != words.kind || strings.Contains(n.Text(), "#") {
			t.Errorf("%s: %s %q", code, n.Kind(), n.Text())
		}
	}
	if got := (notice{Code: "cancel", N: 1200, Not: 2}).Text(); got != "1,200 jobs were cancelled. 2 others were not: they are in another state by now, or gone." {
		t.Error(got)
	}
}

// A chart's lines are as long as its time, gaps stay gaps, and a lonely point can be seen.
func TestChartLines(t *testing.T) {
	if l := line("a", "a", []float64{0, 1, math.NaN(), 0.5}, true); strings.Count(l.Path, "M") != 2 || !strings.HasSuffix(l.Path, "h0.1") || !strings.HasSuffix(l.Area, "Z") {
		t.Errorf("%+v", l)
	}
	if y(0) != chartHeight-chartBottom || y(1) != chartTop || y(7) != chartTop || y(-1) != chartHeight-chartBottom {
		t.Error("y leaves the chart")
	}
	if p := latenessPart(time.Millisecond); p != 0 {
		t.Errorf("1 ms is at %v", p)
	}
	if p := latenessPart(100 * time.Second); p != 1 {
		t.Errorf("100 s is at %v", p)
	}
	for most, want := range map[float64]float64{0: 2, 1: 2, 3: 5, 500: 500, 501: 1000} {
		if got := niceTop(most); got != want {
			t.Errorf("%v goes up to %v, want %v", most, got, want)
		}
	}
}

// Minutes are put together without losing any.
func TestBins(t *testing.T) {
	var minutes []queue.Minute
	for i := range 7 {
		minutes = append(minutes, queue.Minute{Start: testNow.Add(time.Duration(i) * time.Minute), Counters: map[string]int64{"done": int64(i)}, Late: []int64{1, int64(i)}})
	}
	bins := bin(minutes, 5)
	if len(bins) != 2 || bins[0].Counters["done"] != 10 || bins[1].Counters["done"] != 11 || bins[0].Late[1] != 10 || bins[1].Late[0] != 2 || !bins[1].Start.Equal(testNow.Add(5*time.Minute)) {
		t.Errorf("%+v", bins)
	}
	if minutes[0].Late[1] != 0 || minutes[0].Counters["done"] != 0 {
		t.Error("the minutes themselves were changed")
	}
}

func TestStateBar(t *testing.T) {
	bar := stateBar(queue.Overview{Scheduled: 1_000_000, Due: 1, Dead: 1})
	if len(bar) != 3 || bar[0].X != "0" || bar[2].Width != "2.00" || bar[2].Class != "dead" {
		t.Errorf("%+v", bar)
	}
	if len(stateBar(queue.Overview{})) != 0 {
		t.Error("an empty queue has a bar")
	}
}
