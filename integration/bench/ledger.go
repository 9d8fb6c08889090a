package main

import (
	"sync/atomic"
	"time"
)

// ledger notes when the jobs 0 … n-1 started in this process. It is safe for many goroutines.
type ledger struct {
	starts  []atomic.Int64 // Unix µs of the first start; 0: none
	again   atomic.Int64   // starts after the first
	foreign atomic.Int64   // payloads that are none of ours
}

func newLedger(n int) *ledger { return &ledger{starts: make([]atomic.Int64, n)} }

func (l *ledger) start(payload []byte) {
	now := time.Now().UnixMicro()
	switch seq := seqOf(payload); {
	case seq < 0 || seq >= len(l.starts):
		l.foreign.Add(1)
	case !l.starts[seq].CompareAndSwap(0, now):
		l.again.Add(1)
	}
}

// page is what a ledger says when it is closed.
type page struct {
	Starts  []int64 `json:"starts"` // Unix µs; 0: none
	Again   int     `json:"again"`
	Foreign int     `json:"foreign"`
}

func (l *ledger) page() page {
	p := page{Starts: make([]int64, len(l.starts)), Again: int(l.again.Load()), Foreign: int(l.foreign.Load())}
	for i := range l.starts {
		p.Starts[i] = l.starts[i].Load()
	}
	return p
}

// counts is the correctness of a measurement. All must be 0.
type counts struct {
	Lost  int `json:"lost"`  // never started, or not in Redis though it was taken
	Twice int `json:"twice"` // started more than once, or still in Redis though it was started
	Early int `json:"early"` // started before its due time
}

func (c counts) plus(d counts) counts {
	return counts{c.Lost + d.Lost, c.Twice + d.Twice, c.Early + d.Early}
}

// merge joins the pages of several processes: a job that two of them started has run twice.
func merge(pages []page) page {
	if len(pages) == 0 {
		return page{}
	}
	sum := page{Starts: make([]int64, len(pages[0].Starts))}
	for _, p := range pages {
		sum.Again += p.Again
		sum.Foreign += p.Foreign
		for i, at := range p.Starts {
			switch {
			case at == 0:
			case sum.Starts[i] == 0:
				sum.Starts[i] = at
			default:
				sum.Again++
				sum.Starts[i] = min(sum.Starts[i], at)
			}
		}
	}
	return sum
}

// audit compares what started with what was promised. dues are Unix µs; left is what Redis still holds.
func (p page) audit(dues []int64, left int) counts {
	c := counts{Twice: p.Again + p.Foreign + left}
	for i, due := range dues {
		switch at := p.Starts[i]; {
		case at == 0:
			c.Lost++
		case at < due:
			c.Early++
		}
	}
	return c
}

// span returns the first and the last start, in Unix µs.
func (p page) span() (first, last int64) {
	for _, at := range p.Starts {
		if at != 0 && (first == 0 || at < first) {
			first = at
		}
		last = max(last, at)
	}
	return first, last
}

// lateness returns start minus due time of every job that started, in ms, in no order.
func (p page) lateness(dues []int64) (late []float64) {
	for i, due := range dues {
		if p.Starts[i] != 0 {
			late = append(late, float64(p.Starts[i]-due)/1000)
		}
	}
	return late
}
