package ui

import (
	"cmp"
	"time"

	"github.com/punctualq/punctual/queue"
)

// overviewData is what the overview shows.
type overviewData struct {
	Alerts  []alert
	Total   queueRow
	Queues  []queueRow
	Living  int // workers
	History *history
	Latest  []queue.Info // that died
	NoDead  bool         // which could not be told
}

// LegendStates are the colours of the bars.
func (overviewData) LegendStates() []string {
	return []string{"scheduled", "due", "processing", "dead", "done"}
}

// queueRow is a queue in figures.
type queueRow struct {
	queue.Overview
	Living int
	Bar    []barPart
}

// overview answers GET /ui.
func (u *ui) overview(v *visit) error {
	all, workers, err := v.queuesAndWorkers()
	if err != nil {
		return err
	}
	name, err := v.chosen(v.r.URL.Query().Get("queue"), all)
	if err != nil {
		return err
	}
	d := overviewData{Alerts: alertsOf(all, workers)}
	d.Total.Queue = "all"
	for _, o := range all {
		d.Queues = append(d.Queues, rowOf(o, workers))
		d.Total.add(o)
	}
	d.Living = len(living(workers))
	if name != "" {
		err := together( // what these do not tell is said on the page
			func() (err error) { d.History, err = v.history(name, all); return err },
			func() error {
				page, err := u.Queue.List(v.ctx, name, queue.Listing{State: queue.Dead, Newest: true, Limit: 5})
				d.Latest, d.NoDead = page.Jobs, err != nil
				return err
			})
		v.told(err)
	}
	f := v.frame("overview", "Overview", clockOf(all), d)
	f.Live, f.Shape = true, shapeOf(all, workers)
	return v.render("overview", 200, f)
}

func rowOf(o queue.Overview, workers []queue.WorkerState) queueRow {
	row := queueRow{Overview: o, Bar: stateBar(o)}
	for _, w := range living(workers) {
		if w.Queue == o.Queue {
			row.Living++
		}
	}
	return row
}

func (r *queueRow) add(o queue.Overview) {
	r.Scheduled += o.Scheduled
	r.Due += o.Due
	r.Processing += o.Processing
	r.Dead += o.Dead
	r.Done += o.Done
	r.Now = cmp.Or(r.Now, o.Now)
	if !o.NextDue.IsZero() && (r.NextDue.IsZero() || o.NextDue.Before(r.NextDue)) {
		r.NextDue = o.NextDue
	}
	if !o.OldestDue.IsZero() && (r.OldestDue.IsZero() || o.OldestDue.Before(r.OldestDue)) {
		r.OldestDue = o.OldestDue
	}
}

func living(workers []queue.WorkerState) []queue.WorkerState {
	var some []queue.WorkerState
	for _, w := range workers {
		if w.Living {
			some = append(some, w)
		}
	}
	return some
}

// workers are those of the queues that the caller may see.
func (v *visit) workers() ([]queue.WorkerState, error) {
	all, err := v.u.Queue.Workers(v.ctx)
	return seen(v.caller, all, func(w queue.WorkerState) string { return w.Queue }), err
}

// ranges are the times that the charts can show, and how many minutes a point stands for.
var ranges = []struct {
	Name  string
	Last  int // minutes
	Bin   int
	Words string
}{{"1h", 60, 1, "the last hour"}, {"6h", 360, 5, "the last 6 hours"}, {"24h", 1440, 15, "the last 24 hours"}}

// history is what happened in one queue over time.
type history struct {
	Queue    string
	Queues   []string
	Range    string
	Ranges   []string
	Words    string
	Told     bool
	Rate     chart
	Lateness chart
	Failed   int64 // attempts, over the whole time
	Done     int64
}

// history makes the charts of one queue.
func (v *visit) history(name string, all []queue.Overview) (*history, error) {
	h := &history{Queue: name, Queues: namesOf(all)}
	chosen := ranges[0]
	for _, r := range ranges {
		h.Ranges = append(h.Ranges, r.Name)
		if v.r.URL.Query().Get("range") == r.Name {
			chosen = r
		}
	}
	h.Range, h.Words = chosen.Name, chosen.Words
	minutes, err := v.u.Queue.Minutes(v.ctx, name, chosen.Last)
	if err != nil || len(minutes) == 0 {
		return h, err
	}
	h.Told = true
	for _, m := range minutes {
		h.Failed += m.Counters["retried"] + m.Counters["dead"]
		h.Done += m.Counters["done"]
	}
	bins := bin(minutes, chosen.Bin)
	h.Rate, h.Lateness = rateChart(bins, time.Duration(chosen.Bin)*time.Minute, clockOf(all)), latenessChart(bins)
	return h, nil
}

// bin makes one minute of every so many.
func bin(minutes []queue.Minute, size int) []queue.Minute {
	var bins []queue.Minute
	for i := 0; i < len(minutes); i += size {
		one := queue.Minute{Start: minutes[i].Start, Counters: map[string]int64{}}
		for _, m := range minutes[i:min(i+size, len(minutes))] {
			for name, n := range m.Counters {
				one.Counters[name] += n
			}
			if one.Late == nil {
				one.Late = make([]int64, len(m.Late))
			}
			for k := range min(len(m.Late), len(one.Late)) {
				one.Late[k] += m.Late[k]
			}
		}
		bins = append(bins, one)
	}
	return bins
}
