// Package metrics tells Prometheus what a process does and what is in its queues. No other package knows Prometheus: queue, worker
// and api call plain functions, which this one has. docs/en/Monitoring.md says what each metric means.
//
// What a process does itself is counted as it happens (worker.go, process.go). What is in Redis is asked for when somebody scrapes
// (queues.go); every process that is scraped tells the same of that.
package metrics

import (
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// other stands for every value of a label that only clients bound.
const other = "other"

// Metrics of one process.
type Metrics struct {
	registry *prometheus.Registry

	// of the worker
	lateness *prometheus.HistogramVec
	runTime  *prometheus.HistogramVec
	attempts *prometheus.CounterVec
	fenced   *prometheus.CounterVec

	// of the process
	requests     *prometheus.CounterVec
	requestTime  *prometheus.HistogramVec
	roundTrips   prometheus.Histogram
	redisFailure prometheus.Counter
}

// Buckets in seconds. Lateness and run times are told apart from 1 ms to half an hour; what Redis or a client waits for to 10 s.
var (
	longBuckets  = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}
	shortBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}
)

// New makes the metrics of a process: its own, those of Go, and which program and build it is.
func New(program, build string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.lateness = m.histograms("punctual_lateness_seconds", "Claim time minus due time, by the clock of Redis.", longBuckets, "queue")
	m.runTime = m.histograms("punctual_run_seconds", "How long handlers ran, whatever became of their jobs.", longBuckets, "queue", "type")
	m.attempts = m.counters("punctual_attempts_total", "Claimed jobs by what became of them.", "queue", "type", "outcome")
	m.fenced = m.counters("punctual_fenced_total", "Times that this worker was reaped and went on under a new id.", "queue")
	m.requests = m.counters("punctual_http_requests_total", "HTTP requests that were answered.", "route", "method", "code")
	m.requestTime = m.histograms("punctual_http_request_seconds", "How long HTTP requests took.", longBuckets, "route", "method", "code")
	m.roundTrips = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "punctual_redis_round_trip_seconds",
		Help: "Round trips to Redis, answered or not; the wait for a wake token is none.", Buckets: shortBuckets})
	m.redisFailure = prometheus.NewCounter(prometheus.CounterOpts{Name: "punctual_redis_unanswered_total",
		Help: "Round trips to Redis that were not answered."})
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "punctual_build_info", Help: "1; its labels say what runs here.",
		ConstLabels: prometheus.Labels{"program": program, "build": build, "goversion": runtime.Version()}})
	info.Set(1)
	m.registry.MustRegister(m.roundTrips, m.redisFailure, info, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(v)
	return v
}

func (m *Metrics) histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(v)
	return v
}

// Handler answers scrapes, a few at a time. What cannot be told is left out.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4})
}
