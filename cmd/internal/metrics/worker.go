package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/punctualq/punctual/queue"
	"github.com/punctualq/punctual/worker"
)

// outcomes are what an attempt can end with. Each has a series from the start: a rate needs a zero to rise from.
var outcomes = []queue.Outcome{queue.OutcomeDone, queue.OutcomeRetry, queue.OutcomeDead, queue.OutcomeRelease, queue.OutcomeLost,
	queue.OutcomeCancelled}

// byType are the series of one job type on one queue, found beforehand: finding them costs more than counting.
type byType struct {
	run      prometheus.Observer
	attempts map[queue.Outcome]prometheus.Counter
}

func (m *Metrics) byType(name, jobType string) *byType {
	t := &byType{run: m.runTime.WithLabelValues(name, jobType), attempts: map[queue.Outcome]prometheus.Counter{}}
	for _, o := range outcomes {
		t.attempts[o] = m.attempts.WithLabelValues(name, jobType, string(o))
	}
	return t
}

// Observer makes a worker.Config.Observe. Types are those that have a handler: jobs of any other are counted as of type "other",
// for whoever registers jobs may make up as many as they like.
func (m *Metrics) Observer(types ...string) func(name string) worker.Observer {
	return func(name string) worker.Observer {
		lateness, fenced := m.lateness.WithLabelValues(name), m.fenced.WithLabelValues(name)
		known, rest := map[string]*byType{}, m.byType(name, other)
		for _, jobType := range types {
			known[jobType] = m.byType(name, jobType)
		}
		of := func(jobType string) *byType {
			if t := known[jobType]; t != nil {
				return t
			}
			return rest
		}
		return worker.Observer{
			Claimed: func(_ string, late time.Duration) { lateness.Observe(late.Seconds()) },
			Ran:     func(jobType string, took time.Duration) { of(jobType).run.Observe(took.Seconds()) },
			Settled: func(jobType string, outcome queue.Outcome) {
				if c := of(jobType).attempts[outcome]; c != nil {
					c.Inc()
				}
			},
			Fenced: fenced.Inc,
		}
	}
}

// slots tells of a worker's slots when somebody scrapes.
type slots struct {
	stats             func() []worker.Stats
	all, taken, stuck *prometheus.Desc
}

// Slots tells of a worker's slots; stats is worker.Worker.Stats.
func (m *Metrics) Slots(stats func() []worker.Stats) {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, []string{"queue"}, nil)
	}
	m.registry.MustRegister(&slots{stats,
		desc("punctual_slots", "Handlers that may run at a time in this process."),
		desc("punctual_slots_taken", "Of these, handlers that have not returned."),
		desc("punctual_stuck_handlers", "Of these, handlers that go on though their contexts have ended.")})
}

func (s *slots) Describe(ch chan<- *prometheus.Desc) { ch <- s.all; ch <- s.taken; ch <- s.stuck }

func (s *slots) Collect(ch chan<- prometheus.Metric) {
	for _, q := range s.stats() {
		for desc, n := range map[*prometheus.Desc]int{s.all: q.Slots, s.taken: q.Running, s.stuck: q.Stuck} {
			ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(n), q.Queue)
		}
	}
}
