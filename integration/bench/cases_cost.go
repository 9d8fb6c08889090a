package main

import (
	"context"
	"time"
)

func costCases() []benchCase {
	return []benchCase{
		{name: "idle", params: []string{"trips", "cpu"}, unit: map[string]string{"trips": "per s", "cpu": "ms/s"},
			sides: []string{us, asynq}, measure: measureIdle},
		{name: "memory", params: []string{"scheduled"}, unit: map[string]string{"scheduled": "bytes"}, sides: sides,
			measure: measureMemory},
		{name: "scale", params: []string{"enqueue", "claim", "settle"}, unit: map[string]string{"enqueue": scaleUnit, "claim": scaleUnit,
			"settle": scaleUnit}, sides: []string{us, hand}, measure: measureScale},
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
	return m.seen, m.holds(ctx, n)
}
