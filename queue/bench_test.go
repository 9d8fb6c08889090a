package queue_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/punctualq/punctual/queue"
)

// Read these together with the server's share: one core is Redis', and what is counted here is the time of a round trip.

// benchJobs asks for no ids, so that each round makes new ones.
func benchJobs(r *rig, n int) []queue.NewJob {
	jobs := make([]queue.NewJob, n)
	for i := range jobs {
		jobs[i] = queue.NewJob{Queue: r.name, Type: "mail", Payload: []byte(`{"to":"ann@example.org","subject":"Hello"}`)}
	}
	return jobs
}

func BenchmarkEnqueue(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := newRig(b)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.client.EnqueueMany(b.Context(), benchJobs(r, n)); err != nil {
					b.Fatal(err)
				}
			}
			perJob(b, n)
		})
	}
}

// Many callers, one job each: what the combined enqueue makes of it.
func BenchmarkEnqueueParallel(b *testing.B) {
	r := newRig(b)
	b.ReportAllocs()
	b.SetParallelism(50)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := r.client.Enqueue(context.Background(), queue.NewJob{Queue: r.name}); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkExchange settles what the exchange before has claimed and claims as many again.
func BenchmarkExchange(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := newRig(b)
			r.register("w")
			var results []queue.Result
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				if _, err := r.client.EnqueueMany(b.Context(), benchJobs(r, n)); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				x := r.exchange("w", n, results...)
				if x.SettleErr != nil || x.ClaimErr != nil {
					b.Fatalf("%+v", x)
				}
				results = results[:0]
				for _, c := range x.Claims.Jobs {
					results = append(results, queue.Result{Element: c.Element, Outcome: queue.OutcomeDone})
				}
			}
			perJob(b, n)
			b.ReportMetric(float64(r.stat("claimed"))/float64(b.N), "claimed/op")
			r.kill("w")
			r.reap("w")
		})
	}
}

func perJob(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/job")
}

func BenchmarkDecodeJob(b *testing.B) {
	const id = "019a0000-0000-7000-8000-000000000000"
	for name, record := range map[string]string{
		"small":  `{"type":"mail","max_retry":3,"payload":{"to":"ann@example.org"}}`,
		"64 KiB": `{"type":"mail","payload":"` + strings.Repeat("x", 64<<10) + `"}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(record)))
			for b.Loop() {
				if _, err := queue.DecodeJob("q", id, record); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
