package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/punctualq/punctual/queue"
)

const (
	askWithin = 800 * time.Millisecond // a scrape gets its answer within 1 s, whatever Redis does
	keepFor   = 2 * time.Second        // scrapes cannot load Redis, however many there are
	maxQueues = 500                    // by name; whoever registers jobs may make up queues as well
)

// overviewer is what a scrape needs of Redis; *queue.Client has it.
type overviewer interface {
	Overviews(ctx context.Context) ([]queue.Overview, error)
}

// counters of the hash stats that are told, and what each is called here.
var counters = []struct{ name, metric, help, state string }{
	{"enqueued", "punctual_jobs_registered_total", "Jobs that were registered, over HTTP or from Go.", ""},
	{"done", "punctual_jobs_done_total", "Jobs that were done.", ""},
	{"retried", "punctual_jobs_retried_total", "Failures that were followed by a retry.", ""},
	{"dead", "punctual_jobs_died_total", "Jobs that went to dead.", ""},
	{"released", "punctual_jobs_released_total", "Jobs that were given back unrun.", ""},
	{"reaped", "punctual_jobs_reaped_total", "Jobs that were taken back from dead workers.", ""},
	{"lost", "punctual_results_lost_total", "Results that came too late: the job was not the worker's any more.", ""},
	{"expired", "punctual_jobs_expired_total", "Jobs that went to dead because they were not started in time.", ""},
	{"cancelled", "punctual_jobs_cancelled_total", "Jobs that were cancelled.", ""},
	{"dead_trimmed", "punctual_jobs_trimmed_total", "Jobs that were dropped by DEAD_MAX, DEAD_RETENTION or their own retention.", "dead"},
	{"done_trimmed", "punctual_jobs_trimmed_total", "Jobs that were dropped by DEAD_MAX, DEAD_RETENTION or their own retention.", "done"},
}

// total is a counter of Redis as this process tells it: it never falls. After a failover Redis may be behind what it has told
// before; Prometheus would take that for a restart, and all that was ever counted for new.
type total struct{ last, sum int64 }

func (t *total) follow(n int64) {
	t.sum += max(0, n-t.last)
	t.last = n
}

// queues tells of what is in Redis when somebody scrapes.
type queues struct {
	source overviewer
	now    func() time.Time

	up, known                                    *prometheus.Desc
	jobs, due, oldestDue, nextDue, workers, held *prometheus.Desc
	counters                                     []*prometheus.Desc

	mu     sync.Mutex // one asks at a time, and all who wait get what it was told
	asked  time.Time
	seen   []queue.Overview
	err    error
	totals map[string]map[string]*total // queue → counter
}

// Queues tells of all queues in Redis.
func (m *Metrics) Queues(source overviewer) { m.registry.MustRegister(newQueues(source)) }

func newQueues(source overviewer) *queues {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	q := &queues{source: source, now: time.Now, totals: map[string]map[string]*total{},
		up:        desc("punctual_redis_up", "1 if Redis has answered this scrape, else 0."),
		known:     desc("punctual_queues", "Queues that were ever used; the first 500 by name are told of."),
		jobs:      desc("punctual_jobs", "Jobs by state; scheduled ones may be due.", "queue", "state"),
		due:       desc("punctual_jobs_due", "Scheduled jobs that are due.", "queue"),
		oldestDue: desc("punctual_oldest_due_seconds", "For how long the oldest due job has been due; 0 if none is.", "queue"),
		nextDue:   desc("punctual_next_due_seconds", "Until the next job is due; absent if none waits.", "queue"),
		workers:   desc("punctual_workers", "Registered workers.", "queue"),
		held:      desc("punctual_queue_paused", "1 if nothing is claimed from the queue, else 0.", "queue")}
	for _, c := range counters {
		labels := []string{"queue"}
		if c.state != "" {
			labels = append(labels, "state")
		}
		q.counters = append(q.counters, desc(c.metric, c.help, labels...))
	}
	return q
}

func (q *queues) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{q.up, q.known, q.jobs, q.due, q.oldestDue, q.nextDue, q.workers, q.held} {
		ch <- d
	}
	for i, d := range q.counters {
		if counters[i].name != "done_trimmed" { // the same metric as dead_trimmed
			ch <- d
		}
	}
}

func (q *queues) Collect(ch chan<- prometheus.Metric) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refresh()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if q.err != nil { // figures of another time would be taken for those of now
		gauge(q.up, 0)
		return
	}
	gauge(q.up, 1)
	gauge(q.known, float64(len(q.seen)))
	for _, o := range q.seen[:min(len(q.seen), maxQueues)] {
		gauge(q.jobs, float64(o.Scheduled), o.Queue, string(queue.Scheduled))
		gauge(q.jobs, float64(o.Processing), o.Queue, string(queue.Processing))
		gauge(q.jobs, float64(o.Dead), o.Queue, string(queue.Dead))
		gauge(q.jobs, float64(o.Done), o.Queue, string(queue.Done))
		gauge(q.due, float64(o.Due), o.Queue)
		gauge(q.oldestDue, max(0, o.Lateness().Seconds()), o.Queue)
		if !o.NextDue.IsZero() {
			gauge(q.nextDue, max(0, o.NextDue.Sub(o.Now).Seconds()), o.Queue)
		}
		gauge(q.workers, float64(o.Workers), o.Queue)
		gauge(q.held, flag(o.Paused), o.Queue)
		for i, c := range counters {
			labels := []string{o.Queue}
			if c.state != "" {
				labels = append(labels, c.state)
			}
			ch <- prometheus.MustNewConstMetric(q.counters[i], prometheus.CounterValue, float64(q.totals[o.Queue][c.name].sum), labels...)
		}
	}
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// refresh asks Redis, unless the last answer is fresh. The caller holds mu.
func (q *queues) refresh() {
	if !q.asked.IsZero() && q.now().Sub(q.asked) < keepFor {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), askWithin)
	defer cancel()
	q.seen, q.err = q.source.Overviews(ctx)
	q.asked = q.now()
	if q.err != nil {
		return // the totals stay: it may come back with less
	}
	totals := map[string]map[string]*total{}
	for _, o := range q.seen {
		of := q.totals[o.Queue]
		if of == nil {
			of = map[string]*total{}
		}
		for _, c := range counters {
			if of[c.name] == nil {
				of[c.name] = &total{}
			}
			of[c.name].follow(o.Counters[c.name])
		}
		totals[o.Queue] = of
	}
	q.totals = totals
}
