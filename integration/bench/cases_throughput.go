package main

import (
	"context"
	"fmt"
	"time"
)

func throughputCases() []benchCase {
	rate := func(params ...string) map[string]string {
		units := map[string]string{}
		for _, p := range params {
			units[p] = "jobs/s"
		}
		return units
	}
	return []benchCase{
		{name: "enqueue", params: []string{"p=1", "p=16", "bulk=100,p=16"}, unit: rate("p=1", "p=16", "bulk=100,p=16"),
			sides: sides, measure: measureEnqueue},
		{name: "drain", params: []string{"c=10", "c=100"}, unit: rate("c=10", "c=100"), sides: sides, measure: measureDrain},
		{name: "burst", params: []string{burst50k}, unit: map[string]string{burst50k: "ms to the last start"},
			sides: sides, measure: measureBurst},
		{name: "workers", params: []string{"2", "3", "4"}, unit: map[string]string{"2": "× one worker, per worker",
			"3": "× one worker, per worker", "4": "× one worker, per worker"}, sides: []string{us}, measure: measureWorkers},
	}
}

// measureEnqueue: producers hand in jobs without delay; no worker runs.
func measureEnqueue(ctx context.Context, m *measurement) (figures, error) {
	for _, part := range []struct {
		param            string
		producers, batch int
		jobs             int
	}{
		{"p=1", 1, 1, m.n(20_000, 500)},
		{"p=16", 16, 1, m.n(150_000, 2_000)},
		{"bulk=100,p=16", 16, 100, m.n(400_000, 5_000)},
	} {
		if part.batch > 1 && m.name == asynq {
			continue // it has no call for many jobs
		}
		if err := m.fresh(ctx); err != nil {
			return m.seen, err
		}
		before, err := m.cpu(ctx)
		if err != nil {
			return m.seen, err
		}
		p, err := m.child(task{Role: "produce", Jobs: part.jobs, Producers: part.producers, Batch: part.batch})
		if err != nil {
			return m.seen, err
		}
		r, err := p.ask("go")
		if err != nil {
			return m.seen, err
		}
		m.saw(part.param, float64(part.jobs)/r.Took)
		after, err := m.cpu(ctx)
		if err != nil {
			return m.seen, err
		}
		m.add(part.param, redisCPU, (after-before)/float64(part.jobs)*1e5)
		m.add(part.param, producerCPU, r.CPU/float64(part.jobs)*1e5)
		if err := m.holds(ctx, part.jobs); err != nil {
			return m.seen, err
		}
	}
	return m.seen, nil
}

// fill hands jobs in as fast as it can and returns their due times.
func (m *measurement) fill(t task) ([]int64, error) {
	t.Role, t.Producers = "produce", 16
	if m.name != asynq {
		t.Batch = 100
	}
	p, err := m.child(t)
	if err != nil {
		return nil, err
	}
	r, err := p.ask("go")
	return r.Dues, err
}

// measureDrain: 50,000 jobs wait, then one worker starts. From the first start to the last.
func measureDrain(ctx context.Context, m *measurement) (figures, error) {
	for _, c := range []int{10, 100} {
		param, n := fmt.Sprintf("c=%d", c), m.n(50_000, 2_000)
		if err := m.fresh(ctx); err != nil {
			return m.seen, err
		}
		if _, err := m.drainWith(ctx, param, n, 1, c, 0); err != nil {
			return m.seen, err
		}
	}
	return m.seen, nil
}

// drainWith fills the queue, starts workers and notes jobs per second under param.
func (m *measurement) drainWith(ctx context.Context, param string, n, workers, concurrency int, handlerMS int64) (rate float64, err error) {
	dues, err := m.fill(task{Jobs: n})
	if err != nil {
		return 0, err
	}
	if err := m.ConfigResetStat(ctx).Err(); err != nil { // of the filling nothing shall be in the latencies
		return 0, err
	}
	if err := m.SlowLogReset(ctx).Err(); err != nil {
		return 0, err
	}
	before, err := m.cpu(ctx)
	if err != nil {
		return 0, err
	}
	var at []*child
	for range workers {
		w, err := m.child(task{Role: "work", Jobs: n, Concurrency: concurrency, HandlerMS: handlerMS})
		if err != nil {
			return 0, err
		}
		at = append(at, w)
	}
	left, err := m.drained(ctx)
	if err != nil {
		return 0, err
	}
	after, err := m.cpu(ctx)
	if err != nil {
		return 0, err
	}
	p, cpu, err := finish(at)
	if err != nil {
		return 0, err
	}
	m.check(p.audit(dues, left))
	first, last := p.span()
	rate = float64(n-1) / (float64(last-first) / 1e6)
	m.saw(param, rate)
	m.add(param, redisCPU, (after-before)/float64(n)*1e5)
	m.add(param, workerCPU, cpu/float64(n)*1e5)
	return rate, m.blockedFor(ctx, param)
}

// measureBurst: one worker with 100 slots is idle when 50,000 jobs become due at one instant.
func measureBurst(ctx context.Context, m *measurement) (figures, error) {
	const param = burst50k
	n, ahead := m.n(50_000, 1_000), 12*time.Second
	if m.quick {
		ahead = 3 * time.Second // of which up to one is cut off
	}
	if err := m.fresh(ctx); err != nil {
		return m.seen, err
	}
	w, err := m.child(task{Role: "work", Jobs: n, Concurrency: 100})
	if err != nil {
		return m.seen, err
	}
	at := time.Now().Add(ahead).Truncate(time.Second)
	dues, err := m.fill(task{Jobs: n, At: at.UnixMilli()})
	if err != nil {
		return m.seen, err
	}
	if !time.Now().Before(at) {
		return m.seen, fmt.Errorf("the jobs were due before all were handed in")
	}
	if err := m.ConfigResetStat(ctx).Err(); err != nil {
		return m.seen, err
	}
	if err := m.SlowLogReset(ctx).Err(); err != nil { // the filling was slow, too
		return m.seen, err
	}
	gaps := m.watchHeartbeats(ctx)
	left, err := m.drained(ctx)
	if err != nil {
		return m.seen, err
	}
	gap := gaps()
	p, _, err := finish([]*child{w})
	if err != nil {
		return m.seen, err
	}
	m.check(p.audit(dues, left))
	_, last := p.span()
	m.saw(param, float64(last-at.UnixMicro())/1000)
	if m.name == us {
		m.add(param, gapMS, gap)
	}
	return m.seen, m.blockedFor(ctx, param)
}

// watchHeartbeats looks when the registration of our worker moves on. The function it returns ends that, and tells the
// longest time between two heartbeats in ms. Of other sides it tells 0.
func (m *measurement) watchHeartbeats(ctx context.Context) func() float64 {
	if m.name != us {
		return func() float64 { return 0 }
	}
	ctx, cancel := context.WithCancel(ctx)
	longest := make(chan float64)
	go func() {
		gap, last := 0.0, 0.0
		for ctx.Err() == nil {
			for _, z := range m.ZRangeWithScores(ctx, "punctual:{default}:workers", 0, -1).Val() {
				if last > 0 {
					gap = max(gap, z.Score-last)
				}
				last = z.Score
			}
			time.Sleep(50 * time.Millisecond)
		}
		longest <- gap
	}()
	return func() float64 { cancel(); return <-longest }
}

// measureWorkers: handlers of 5 ms, ten slots a process; how much of a worker's speed a further process adds.
func measureWorkers(ctx context.Context, m *measurement) (figures, error) {
	rates := make([]float64, 5)
	for k := 1; k <= 4; k++ {
		if err := m.fresh(ctx); err != nil {
			return m.seen, err
		}
		param := fmt.Sprint(k)
		rate, err := m.drainWith(ctx, param, m.n(5_000, 300)*k, k, 10, 5)
		if err != nil {
			return m.seen, err
		}
		rates[k] = rate
		m.saw(param, rate/float64(k)/rates[1])
		m.add(param, "jobs/s", rate)
	}
	delete(m.seen.values, "1") // it is what the others are compared with
	delete(m.seen.extras, "1")
	return m.seen, nil
}
