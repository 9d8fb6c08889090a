package queue_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// While jobs are enqueued, claimed, settled in every way, reaped and trimmed, no audit finds anything, and Fix mends nothing.
func TestAuditOfALiveQueue(t *testing.T) {
	s := redistest.Own(t)
	r := rigOn(t, s, queue.Options{Timeout: bound})
	r.register("steady")
	ctx, cancel := context.WithCancel(t.Context())
	var traffic sync.WaitGroup
	failed := make(chan error, 8)
	for n := range 4 {
		traffic.Go(func() {
			if err := churn(ctx, r, n); err != nil && ctx.Err() == nil {
				failed <- err
			}
		})
	}
	for i := 0; i < 20 && len(failed) == 0; i++ {
		got := r.audit(i%2 == 1)
		if len(got.Findings) > 0 {
			t.Errorf("audit %d: %+v", i, got.Findings)
			break
		}
	}
	for _, counter := range []string{"done", "retried", "dead", "released", "reaped", "dead_trimmed"} {
		redistest.Await(t, bound, "traffic of the kind "+counter, func() bool { return r.stat(counter) > 50 || len(failed) > 0 })
	}
	equal(t, "findings", r.audit(false).Findings, []queue.Finding{})
	cancel()
	traffic.Wait()
	select {
	case err := <-failed:
		t.Error(err)
	default:
	}
	equal(t, "repaired", r.stat("repaired"), 0)
	equal(t, "findings at rest", r.audit(false).Findings, []queue.Finding{})
}

// churn makes all kinds of traffic under one worker after another until ctx ends. Each worker is left to be reaped, with
// what it holds, or leaves.
func churn(ctx context.Context, r *rig, n int) error {
	link, err := r.client.Link(r.name)
	if err != nil {
		return err
	}
	defer link.Close()
	number := int64(0)
	for life := 0; ctx.Err() == nil; life++ {
		worker := fmt.Sprintf("w%d-%d", n, life)
		if _, err := link.Heartbeat(ctx, queue.WorkerInfo{ID: worker}, timing, true); err != nil {
			return err
		}
		var results []queue.Result
		for range 5 {
			jobs := make([]queue.NewJob, 20)
			for i := range jobs {
				jobs[i] = queue.NewJob{Queue: r.name, MaxRetry: 1 + rand.IntN(3), ID: fmt.Sprintf("%d-%d", n, rand.IntN(500))}
			}
			if _, err := r.client.EnqueueMany(ctx, jobs); err != nil {
				return err
			}
			number++
			x := link.Exchange(ctx, queue.Exchange{Worker: worker, Claim: 30, Number: number, Results: results, Lease: timing.KeeperLease()})
			if err := errors.Join(x.SettleErr, x.ClaimErr); err != nil {
				return err
			}
			results = results[:0:0]
			for _, c := range x.Claims.Jobs {
				outcome := []queue.Outcome{"done", "done", "retry", "dead", "release"}[rand.IntN(5)]
				if outcome == queue.OutcomeRetry && c.Attempt > c.Job.MaxRetry {
					outcome = queue.OutcomeDead
				}
				results = append(results, queue.Result{Element: c.Element, Outcome: outcome, Failure: &queue.Failure{Error: "x"}})
			}
		}
		now := time.Now().UnixMilli() // the Redis of this test has the same clock
		r.raw.Del(ctx, r.key("heartbeat:"+worker))
		r.raw.HSet(ctx, r.key("meta"), "window_start", now-time.Hour.Milliseconds()/2, "window_seen", now-1)
		if _, err := r.client.Reap(ctx, r.name, worker); err != nil {
			return err
		}
		if _, err := link.Leave(ctx, worker); err != nil {
			return err
		}
		if _, err := link.Trim(ctx, 100, time.Hour, 100); err != nil {
			return err
		}
	}
	return nil
}
