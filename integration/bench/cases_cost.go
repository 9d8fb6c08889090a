package main

import (
	"context"
	"fmt"
	"time"

	"github.com/punctualq/punctual/queue"
)

func costCases() []benchCase {
	return []benchCase{
		{name: "idle", params: []string{"trips", "cpu"}, unit: map[string]string{"trips": "per s", "cpu": "ms/s"},
			sides: []string{us, asynq}, measure: measureIdle},
		{name: "memory", params: []string{"scheduled"}, unit: map[string]string{"scheduled": "bytes"}, sides: sides,
			measure: measureMemory},
		{name: "scale", params: []string{"enqueue", "claim", "settle"}, unit: map[string]string{"enqueue": scaleUnit, "claim": scaleUnit,
			"settle": scaleUnit}, sides: []string{us}, measure: measureScale},
	}
}

// measureIdle: one worker, no job. Round trips are the reads that Redis made from its sockets, but for our own.
func measureIdle(ctx context.Context, m *measurement) (figures, error) {
	span := 20 * time.Second
	if m.quick {
		span = 2 * time.Second
	}
	if err := m.fresh(ctx); err != nil {
		return m.seen, err
	}
	w, err := m.child(task{Role: "work", Concurrency: 10})
	if err != nil {
		return m.seen, err
	}
	if err := sleep(ctx, span/10); err != nil { // it starts, and is idle afterwards
		return m.seen, err
	}
	reads := func() (float64, error) { return m.info(ctx, "stats", "total_reads_processed") }
	begin := time.Now()
	before, err := w.ask("cpu")
	if err != nil {
		return m.seen, err
	}
	from, err := reads()
	if err != nil {
		return m.seen, err
	}
	if err := sleep(ctx, span); err != nil { // the measured time itself
		return m.seen, err
	}
	to, err := reads()
	if err != nil {
		return m.seen, err
	}
	after, err := w.ask("cpu")
	if err != nil {
		return m.seen, err
	}
	took := time.Since(begin).Seconds()
	m.saw("trips", max(0, to-from-1)/took) // one is ours
	m.saw("cpu", (after.CPU-before.CPU)*1000/took)
	_, _, err = finish([]*child{w})
	return m.seen, err
}

// measureMemory: what Redis needs for each of 100,000 jobs that are due in an hour.
func measureMemory(ctx context.Context, m *measurement) (figures, error) {
	n := m.n(100_000, 5_000)
	if err := m.fresh(ctx); err != nil {
		return m.seen, err
	}
	before, err := m.info(ctx, "memory", "used_memory_dataset")
	if err != nil {
		return m.seen, err
	}
	if _, err := m.fill(task{Jobs: n, DelayMS: 3_600_000}); err != nil {
		return m.seen, err
	}
	after, err := m.info(ctx, "memory", "used_memory_dataset")
	if err != nil {
		return m.seen, err
	}
	m.saw("scheduled", (after-before)/float64(n))
	left, err := m.left(ctx, m.Client)
	m.check(counts{Lost: max(0, n-left), Twice: max(0, left-n)})
	return m.seen, err
}

const scaleUnit = "× the cost at 10,000"

// measureScale: what enqueue, claim and settle of 100 jobs cost Redis with a million jobs scheduled, against ten thousand.
func measureScale(ctx context.Context, m *measurement) (figures, error) {
	var costs []map[string]float64
	for _, n := range []int{m.n(10_000, 1_000), m.n(1_000_000, 20_000)} {
		if err := m.fresh(ctx); err != nil {
			return m.seen, err
		}
		if _, err := m.fill(task{Jobs: n, DelayMS: 86_400_000}); err != nil {
			return m.seen, err
		}
		cost, err := m.costs(ctx, m.n(100, 5))
		if err != nil {
			return m.seen, err
		}
		left, err := m.left(ctx, m.Client)
		if err != nil {
			return m.seen, err
		}
		m.check(counts{Lost: max(0, n-left), Twice: max(0, left-n)})
		costs = append(costs, cost)
	}
	for verb, few := range costs[0] {
		m.saw(verb, costs[1][verb]/few)
		m.add(verb, "µs a job at 10,000", few)
		m.add(verb, "µs a job at 1,000,000", costs[1][verb])
	}
	return m.seen, nil
}

// costs is the µs of Redis for one job in a batch of 100, by verb.
func (m *measurement) costs(ctx context.Context, batches int) (map[string]float64, error) {
	q, err := queue.Open(ctx, m.url, queue.Options{})
	if err != nil {
		return nil, err
	}
	defer q.Close()
	link, err := q.Link(queue.DefaultQueue)
	if err != nil {
		return nil, err
	}
	defer link.Close()
	timing := queue.Timing{Interval: 2 * time.Second, TTL: time.Minute}
	if _, err := link.Heartbeat(ctx, queue.WorkerInfo{ID: "bench:1:1"}, timing, true); err != nil {
		return nil, err
	}
	sum := map[string]float64{}
	timed := func(verb string, f func() error) error {
		took, err := m.inScripts(ctx, f)
		sum[verb] += took
		if err != nil {
			err = fmt.Errorf("%s: %w", verb, err)
		}
		return err
	}
	jobs := make([]queue.NewJob, queue.ClaimLimit)
	for i := range jobs {
		jobs[i] = queue.NewJob{Type: jobType, Payload: job{seq: i}.payload()}
	}
	for number := range int64(batches) {
		var got queue.Exchanged
		results := make([]queue.Result, 0, len(jobs))
		if err := timed("enqueue", func() error { _, err := q.EnqueueMany(ctx, jobs); return err }); err != nil {
			return nil, err
		}
		time.Sleep(2 * time.Millisecond) // due times are rounded up
		if err := timed("claim", func() error {
			got = link.Exchange(ctx, queue.Exchange{Worker: "bench:1:1", Claim: len(jobs), Number: number + 1, Lease: timing.KeeperLease()})
			return got.ClaimErr
		}); err != nil {
			return nil, err
		}
		for _, c := range got.Claims.Jobs {
			results = append(results, queue.Result{Element: c.Element, Outcome: queue.OutcomeDone})
		}
		if len(results) != len(jobs) {
			return nil, fmt.Errorf("claimed %d of %d due jobs", len(results), len(jobs))
		}
		if err := timed("settle", func() error {
			return link.Exchange(ctx, queue.Exchange{Worker: "bench:1:1", Results: results}).SettleErr
		}); err != nil {
			return nil, err
		}
	}
	for verb := range sum {
		sum[verb] /= float64(batches * len(jobs))
	}
	return sum, nil
}

// inScripts is the µs that Redis spends in scripts while f runs.
func (m *measurement) inScripts(ctx context.Context, f func() error) (float64, error) {
	before, err := m.scripts(ctx)
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := m.scripts(ctx)
	return after - before, err
}
