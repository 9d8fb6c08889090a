package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/queue"
)

const scaleUnit = "× the cost at 10,000"

// measureScale: what enqueue, claim and settle of 100 jobs cost Redis with a million jobs scheduled, against ten thousand. Of
// hand it is the bare commands on the same hash and sorted set, with the same ids and records: what nobody gets below.
func measureScale(ctx context.Context, m *measurement) (figures, error) {
	var costs []map[string]float64
	for _, n := range []int{m.n(10_000, 1_000), m.n(1_000_000, 20_000)} {
		if err := m.fresh(ctx); err != nil {
			return m.seen, err
		}
		costsOf := m.ourCosts
		if m.name == hand {
			costsOf = m.bareCosts
		}
		cost, err := costsOf(ctx, n, m.n(100, 5))
		if err != nil {
			return m.seen, err
		}
		if err := m.holds(ctx, n); err != nil {
			return m.seen, err
		}
		costs = append(costs, cost)
	}
	for verb, few := range costs[0] {
		m.saw(verb, costs[1][verb]/few)
		m.add(verb, "µs a job at 10,000", few)
		m.add(verb, "µs a job at 1,000,000", costs[1][verb])
	}
	return m.seen, nil
}

// ourCosts is the µs of Redis for one job in a batch of 100, by verb, while n others are scheduled for tomorrow.
func (m *measurement) ourCosts(ctx context.Context, n, batches int) (map[string]float64, error) {
	if _, err := m.fill(task{Jobs: n, DelayMS: 86_400_000}); err != nil {
		return nil, err
	}
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
		took, err := m.spentIn(ctx, []string{"evalsha", "eval"}, f)
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

// bareCosts is ourCosts for commands that only do what the verbs cannot do without.
func (m *measurement) bareCosts(ctx context.Context, n, batches int) (map[string]float64, error) {
	tomorrow := float64(time.Now().Add(24 * time.Hour).UnixMilli())
	for seq := 0; seq < n; seq += queue.ClaimLimit {
		if _, err := m.bareEnqueue(ctx, tomorrow); err != nil {
			return nil, err
		}
	}
	sum := map[string]float64{}
	for range batches {
		var ids []string
		for _, step := range []struct {
			verb     string
			commands []string
			do       func() error
		}{
			{"enqueue", []string{"hset", "zadd"}, func() (err error) { ids, err = m.bareEnqueue(ctx, 1); return err }},
			{"claim", []string{"zrange", "zremrangebyrank", "hmget"}, func() error {
				pipe := m.Pipeline()
				pipe.ZRange(ctx, handDue, 0, queue.ClaimLimit-1)
				pipe.ZRemRangeByRank(ctx, handDue, 0, queue.ClaimLimit-1)
				pipe.HMGet(ctx, handJobs, ids...)
				_, err := pipe.Exec(ctx)
				return err
			}},
			{"settle", []string{"hdel"}, func() error { return m.HDel(ctx, handJobs, ids...).Err() }},
		} {
			took, err := m.spentIn(ctx, step.commands, step.do)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", step.verb, err)
			}
			sum[step.verb] += took
		}
	}
	for verb := range sum {
		sum[verb] /= float64(batches * queue.ClaimLimit)
	}
	return sum, nil
}

// bareEnqueue writes a batch of jobs that are due at a score.
func (m *measurement) bareEnqueue(ctx context.Context, score float64) (ids []string, err error) {
	records, dues := make([]any, 0, 2*queue.ClaimLimit), make([]redis.Z, 0, queue.ClaimLimit)
	for seq := range queue.ClaimLimit {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, err
		}
		ids = append(ids, id.String())
		records = append(records, id.String(), `{"type":"`+jobType+`","payload":`+string(job{seq: seq}.payload())+`}`)
		dues = append(dues, redis.Z{Score: score, Member: id.String()})
	}
	pipe := m.Pipeline()
	pipe.HSet(ctx, handJobs, records...)
	pipe.ZAdd(ctx, handDue, dues...)
	_, err = pipe.Exec(ctx)
	return ids, err
}

// spentIn is the µs that Redis spends in commands while f runs.
func (m *measurement) spentIn(ctx context.Context, commands []string, f func() error) (float64, error) {
	before, err := m.spent(ctx, commands)
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := m.spent(ctx, commands)
	return after - before, err
}
