package queue_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// BenchmarkMillion asks of a queue in which a million jobs wait: what one page costs, wherever it is, and the figures. Jobs share
// due times, a thousand of them one.
func BenchmarkMillion(b *testing.B) {
	r := rigOn(b, redistest.Own(b), queue.Options{Timeout: bound})
	const million, bite = 1_000_000, 1000
	pipe := r.raw.Pipeline()
	base := r.now() - 500_000
	for from := 0; from < million; from += bite {
		jobs, due := []any{"HSET", r.key("jobs")}, []any{"ZADD", r.key("scheduled")}
		for i := from; i < from+bite; i++ {
			id := fmt.Sprintf("0198c5a0-0000-7000-8000-%012d", (i*7919)%million)
			jobs = append(jobs, id, fmt.Sprintf(`{"type":"type%d","payload":{"to":"ann@example.org","n":%d}}`, i%10, i))
			due = append(due, base+int64(i/1000), id)
		}
		pipe.Do(b.Context(), jobs...)
		pipe.Do(b.Context(), due...)
		if from%(20*bite) == 19*bite {
			if _, err := pipe.Exec(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	r.do("HSET", k("stats"), "adjusted", million)
	r.register("w")
	middle := queue.Listing{Limit: 1000}
	for range 20 {
		middle.Cursor = r.list(middle).Next
	}
	for _, c := range []struct {
		name string
		use  func() error
	}{
		{"list/first 50", func() error { return listed(r, queue.Listing{}) }},
		{"list/first 1000", func() error { return listed(r, queue.Listing{Limit: 1000}) }},
		{"list/1000 behind 20 pages", func() error { return listed(r, middle) }},
		{"list/newest 50", func() error { return listed(r, queue.Listing{Newest: true}) }},
		{"list/50 of one type in ten", func() error { return listed(r, queue.Listing{Type: "type7"}) }},
		{"list/none of 1000 matches", func() error { return listed(r, queue.Listing{Type: "none"}) }},
		{"overview", func() error { _, err := r.client.Overview(b.Context(), r.name); return err }},
		{"overviews", func() error { _, err := r.client.Overviews(b.Context()); return err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			var took []time.Duration
			before := cpuOf(r)
			for b.Loop() {
				begin := time.Now()
				if err := c.use(); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(begin))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(1000*(cpuOf(r)-before)/float64(len(took)), "redis-cpu-ms/op")
		})
	}
	if err := r.raw.FlushDBAsync(b.Context()).Err(); err != nil { // its own server: the rule of conservation need not look at a million
		b.Fatal(err)
	}
}

// cpuOf is how many seconds of CPU the server has used: on a machine that is shared it tells more than the clock.
func cpuOf(r *rig) (seconds float64) {
	r.Helper()
	for _, name := range []string{"used_cpu_sys:", "used_cpu_user:"} {
		_, value, found := strings.Cut(r.raw.Info(r.Context(), "cpu").Val(), name)
		value, _, _ = strings.Cut(value, "\r")
		n, err := strconv.ParseFloat(value, 64)
		if err != nil || !found {
			r.Fatalf("%s%q", name, value)
		}
		seconds += n
	}
	return seconds
}

func listed(r *rig, l queue.Listing) error {
	_, err := r.client.List(r.Context(), r.name, l)
	return err
}
