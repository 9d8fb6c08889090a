package main

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"
)

// dues are of n jobs that were due an hour ago.
func dues(n int) []int64 {
	all := make([]int64, n)
	for i := range all {
		all[i] = time.Now().Add(-time.Hour).UnixMicro()
	}
	return all
}

// started is the page of a process that has started these jobs out of n.
func started(n int, seqs ...int) page {
	l := newLedger(n)
	for _, seq := range seqs {
		l.start(job{seq: seq}.payload())
	}
	return l.page()
}

func TestAudit(t *testing.T) {
	foreign := newLedger(3)
	for i := range 3 {
		foreign.start(job{seq: i}.payload())
	}
	foreign.start([]byte(`{"of":"somebody else"}`))
	early := dues(3)
	early[1] = time.Now().Add(time.Hour).UnixMicro()
	for name, test := range map[string]struct {
		page page
		dues []int64
		left int
		want counts
	}{
		"all well":                    {started(3, 0, 2, 1), dues(3), 0, counts{}},
		"one lost":                    {started(3, 0, 2), dues(3), 0, counts{Lost: 1}},
		"all lost":                    {started(3), dues(3), 0, counts{Lost: 3}},
		"no worker at all":            {merge([]page{started(2)}), dues(2), 0, counts{Lost: 2}},
		"one twice":                   {started(3, 0, 1, 2, 1), dues(3), 0, counts{Twice: 1}},
		"one by two processes":        {merge([]page{started(3, 0, 1), started(3, 1, 2)}), dues(3), 0, counts{Twice: 1}},
		"one by two processes, again": {merge([]page{started(2, 0, 0), started(2, 0, 1)}), dues(2), 0, counts{Twice: 2}},
		"shared out":                  {merge([]page{started(3, 1), started(3), started(3, 2, 0)}), dues(3), 0, counts{}},
		"one early":                   {started(3, 0, 1, 2), early, 0, counts{Early: 1}},
		"one that is none of ours":    {foreign.page(), dues(3), 0, counts{Twice: 1}},
		"a number out of range":       {started(3, 0, 1, 2, 3), dues(3), 0, counts{Twice: 1}},
		"started, but still in Redis": {started(3, 0, 1, 2), dues(3), 1, counts{Twice: 1}},
		"one lost, another one twice": {started(3, 0, 0, 1), dues(3), 0, counts{Lost: 1, Twice: 1}},
	} {
		if got := test.page.audit(test.dues, test.left); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

func TestAuditOfManyGoroutines(t *testing.T) {
	const n = 1000
	l := newLedger(n)
	var running sync.WaitGroup
	for range 2 { // each job twice, from two goroutines at once
		running.Go(func() {
			for seq := range n {
				l.start(job{seq: seq}.payload())
			}
		})
	}
	running.Wait()
	if got, want := l.page().audit(dues(n), 0), (counts{Twice: n}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestSpanAndLateness(t *testing.T) {
	p := page{Starts: []int64{5000, 0, 3000, 9000}}
	if first, last := p.span(); first != 3000 || last != 9000 {
		t.Errorf("span: %d, %d", first, last)
	}
	if got, want := p.lateness([]int64{4000, 1, 3500, 9000}), []float64{1, -0.5, 0}; !slices.Equal(got, want) {
		t.Errorf("lateness: %v, want %v", got, want)
	}
}

func TestPayload(t *testing.T) {
	for _, seq := range []int{0, 7, 99_999_999} {
		p := job{seq: seq}.payload()
		if len(p) != 31 {
			t.Errorf("%s has %d bytes", p, len(p))
		}
		if got := seqOf(p); got != seq {
			t.Errorf("%s has number %d", p, got)
		}
	}
	for _, foreign := range []string{"", "{}", `{"n":"abcdefgh","pad":"xxxxxx"}`, `{"n":"-0000001"}`} {
		if got := seqOf([]byte(foreign)); got >= 0 {
			t.Errorf("%q has number %d", foreign, got)
		}
	}
}

func TestPercentileIsTheNearestRank(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	for _, test := range []struct {
		values []float64
		p      float64
		want   float64
	}{
		{nil, 50, 0},
		{[]float64{7}, 50, 7},
		{[]float64{7}, 99, 7},
		{[]float64{3, 1, 2}, 50, 2},
		{[]float64{4, 3, 2, 1}, 50, 2},
		{[]float64{4, 3, 2, 1}, 51, 3},
		{[]float64{1, 2, 3}, 0, 1},
		{[]float64{1, 2, 3}, 100, 3},
		{hundred, 99, 99},
		{hundred, 50, 50},
		{append(slices.Clone(hundred), 101), 99, 100},
	} {
		before := fmt.Sprint(test.values)
		if got := percentile(test.values, test.p); math.Abs(got-test.want) > 0 {
			t.Errorf("p%v of %v is %v, want %v", test.p, test.values, got, test.want)
		}
		if fmt.Sprint(test.values) != before {
			t.Error("percentile changes what it is given")
		}
	}
}
