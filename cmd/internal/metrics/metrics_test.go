package metrics

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/punctualq/punctual/queue"
	"github.com/punctualq/punctual/worker"
)

// fakeRedis has a queue of each kind.
type fakeRedis struct {
	all   []queue.Overview
	err   error
	asked int
}

func (f *fakeRedis) Overviews(ctx context.Context) ([]queue.Overview, error) {
	f.asked++
	if left, ok := ctx.Deadline(); !ok || time.Until(left) > time.Second {
		return nil, errors.New("no deadline within 1 s")
	}
	return f.all, f.err
}

var now = time.UnixMilli(1_800_000_000_000)

func busy() queue.Overview {
	return queue.Overview{Queue: "default", Now: now, Scheduled: 7, Due: 2, Processing: 3, Dead: 4, Done: 5,
		OldestDue: now.Add(-90 * time.Second), NextDue: now.Add(1500 * time.Millisecond), Workers: 1, Paused: true,
		Counters: map[string]int64{"enqueued": 100, "done": 50, "dead_trimmed": 9, "done_trimmed": 8, "of a later version": 1}}
}

// scrape reads what Prometheus would read: series as name{labels} → value; of histograms the _count and _sum.
func scrape(t *testing.T, m *Metrics) map[string]float64 {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(w.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]float64{}
	for name, f := range families {
		for _, metric := range f.Metric {
			labels := labelsOf(metric)
			switch f.GetType() {
			case dto.MetricType_HISTOGRAM:
				series[name+"_bucket"+labels] = float64(len(metric.Histogram.Bucket))
				series[name+"_count"+labels] = float64(metric.Histogram.GetSampleCount())
				series[name+"_sum"+labels] = metric.Histogram.GetSampleSum()
			default:
				series[name+labels] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
			}
		}
	}
	return series
}

func labelsOf(m *dto.Metric) string {
	var all []string
	for _, l := range m.Label {
		all = append(all, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
	}
	slices.Sort(all)
	if len(all) == 0 {
		return ""
	}
	return "{" + strings.Join(all, ",") + "}"
}

func expect(t *testing.T, got, want map[string]float64) {
	t.Helper()
	for name, value := range want {
		if v, ok := got[name]; !ok || v != value {
			t.Errorf("%s is %v (there: %v), want %v", name, v, ok, value)
		}
	}
}

// whole has everything in it that a process can tell.
func whole(source overviewer) *Metrics {
	m := New("server", "r1")
	m.Queues(source)
	m.Slots(func() []worker.Stats { return []worker.Stats{{Queue: "default", Slots: 10, Running: 4, Stuck: 1}} })
	o := m.Observer("mail", "sleep")("default")
	o.Claimed("mail", 20*time.Millisecond)
	o.Ran("mail", 2*time.Second)
	o.Settled("mail", queue.OutcomeDone)
	o.Settled("made up by a client", queue.OutcomeRetry)
	o.Settled("mail", "never heard of")
	o.Fenced()
	m.RoundTrip(time.Millisecond, nil)
	m.RoundTrip(time.Second, errors.New("gone"))
	m.Request("/api/dm-jobqueue/jobs/{id}", "GET", 404, 3*time.Millisecond)
	m.Request("", "BREW", 404, time.Millisecond)
	return m
}

func TestScrape(t *testing.T) {
	got := scrape(t, whole(&fakeRedis{all: []queue.Overview{busy(), {Queue: "idle", Now: now}}}))
	expect(t, got, map[string]float64{
		`punctual_redis_up`: 1, `punctual_queues`: 2,
		`punctual_jobs{queue="default",state="scheduled"}`:          7,
		`punctual_jobs{queue="default",state="processing"}`:         3,
		`punctual_jobs{queue="default",state="dead"}`:               4,
		`punctual_jobs{queue="default",state="done"}`:               5,
		`punctual_jobs_due{queue="default"}`:                        2,
		`punctual_oldest_due_seconds{queue="default"}`:              90,
		`punctual_oldest_due_seconds{queue="idle"}`:                 0,
		`punctual_next_due_seconds{queue="default"}`:                1.5,
		`punctual_workers{queue="default"}`:                         1,
		`punctual_queue_paused{queue="default"}`:                    1,
		`punctual_queue_paused{queue="idle"}`:                       0,
		`punctual_jobs_registered_total{queue="default"}`:           100,
		`punctual_jobs_trimmed_total{queue="default",state="dead"}`: 9,
		`punctual_jobs_trimmed_total{queue="default",state="done"}`: 8,
		`punctual_jobs_reaped_total{queue="idle"}`:                  0,

		`punctual_slots{queue="default"}`: 10, `punctual_slots_taken{queue="default"}`: 4, `punctual_stuck_handlers{queue="default"}`: 1,
		`punctual_lateness_seconds_count{queue="default"}`:                             1,
		`punctual_lateness_seconds_sum{queue="default"}`:                               0.02,
		`punctual_run_seconds_sum{queue="default",type="mail"}`:                        2,
		`punctual_attempts_total{outcome="done",queue="default",type="mail"}`:          1,
		`punctual_attempts_total{outcome="retry",queue="default",type="other"}`:        1,
		`punctual_attempts_total{outcome="dead",queue="default",type="sleep"}`:         0,
		`punctual_fenced_total{queue="default"}`:                                       1,
		`punctual_redis_round_trip_seconds_count`:                                      2,
		`punctual_redis_unanswered_total`:                                              1,
		`punctual_http_requests_total{code="404",method="other",route="other"}`:        1,
		`punctual_http_request_seconds_count{code="404",method="other",route="other"}`: 1,
	})
	if _, ok := got[`punctual_next_due_seconds{queue="idle"}`]; ok {
		t.Error("a queue in which nothing waits has a next due time")
	}
	for name := range got {
		if strings.Contains(name, "made up") || strings.Contains(name, "never heard") || strings.Contains(name, "BREW") {
			t.Errorf("a client has made up the series %s", name)
		}
	}
}

// TestScrapesDoNotLoadRedis: it is asked at most once in two seconds, and what it is asked has a deadline.
func TestScrapesDoNotLoadRedis(t *testing.T) {
	f := &fakeRedis{all: []queue.Overview{busy()}}
	q, at := newQueues(f), now
	q.now = func() time.Time { return at }
	m := New("server", "r1")
	m.registry.MustRegister(q)
	for range 5 {
		expect(t, scrape(t, m), map[string]float64{"punctual_redis_up": 1})
	}
	if at = at.Add(keepFor); f.asked != 1 {
		t.Errorf("asked %d times for 5 scrapes at once", f.asked)
	}
	f.err = errors.New("gone")
	got := scrape(t, m)
	expect(t, got, map[string]float64{"punctual_redis_up": 0})
	if _, ok := got["punctual_queues"]; ok || f.asked != 2 {
		t.Errorf("asked %d times; figures of another time: %v", f.asked, ok)
	}
}

// TestTotalsNeverFall: a Redis that is behind, or has lost everything, does not look like a burst of jobs.
func TestTotalsNeverFall(t *testing.T) {
	f := &fakeRedis{}
	q, at := newQueues(f), now
	q.now = func() time.Time { at = at.Add(time.Minute); return at }
	m := New("server", "r1")
	m.registry.MustRegister(q)
	for _, step := range []struct{ redis, want int64 }{{100, 100}, {130, 130}, {128, 130}, {129, 131}, {0, 131}, {10, 141}} {
		f.all = []queue.Overview{{Queue: "default", Counters: map[string]int64{"enqueued": step.redis}}}
		expect(t, scrape(t, m), map[string]float64{`punctual_jobs_registered_total{queue="default"}`: float64(step.want)})
	}
}

// TestManyQueues: whoever registers jobs can make up queues; not all of them become series.
func TestManyQueues(t *testing.T) {
	f := &fakeRedis{}
	for i := range maxQueues + 100 {
		f.all = append(f.all, queue.Overview{Queue: fmt.Sprintf("q%04d", i)})
	}
	m := New("server", "r1")
	m.Queues(f)
	got := scrape(t, m)
	expect(t, got, map[string]float64{"punctual_queues": maxQueues + 100, `punctual_workers{queue="q0499"}`: 0})
	if _, ok := got[`punctual_workers{queue="q0500"}`]; ok {
		t.Error("the 501st queue has series")
	}
}

var metricName = regexp.MustCompile(`\b(?:punctual|go|process)_[a-z0-9]+(?:_[a-z0-9]+)*\b`)

// TestNamesAreScraped: every metric that an alert, the dashboard or a document names is in a scrape, and every one of ours that
// is in a scrape is explained.
func TestNamesAreScraped(t *testing.T) {
	scraped := map[string]bool{}
	for series := range scrape(t, whole(&fakeRedis{all: []queue.Overview{busy()}})) {
		name, _, _ := strings.Cut(series, "{")
		scraped[name] = true
		for _, part := range []string{"_bucket", "_count", "_sum"} {
			if base, ok := strings.CutSuffix(name, part); ok {
				scraped[base] = true
			}
		}
	}
	docs := filepath.Join("..", "..", "..", "docs")
	for _, file := range []string{"monitoring/alerts.yaml", "monitoring/alerts_test.yaml", "monitoring/dashboard.json",
		"en/Monitoring.md", "ja/Monitoring.md"} {
		text, err := os.ReadFile(filepath.Join(docs, filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		named := metricName.FindAllString(string(text), -1)
		if len(named) == 0 {
			t.Errorf("docs/%s names no metric", file)
		}
		for _, name := range named {
			if !scraped[name] {
				t.Errorf("docs/%s names %s, which no scrape has", file, name)
			}
		}
		if !strings.HasSuffix(file, ".md") {
			continue
		}
		for name := range scraped {
			base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count"), "_sum")
			if strings.HasPrefix(name, "punctual_") && !slices.Contains(named, base) {
				t.Errorf("docs/%s does not explain %s", file, base)
			}
		}
	}
}

// BenchmarkJob is what a worker pays for the metrics of one job.
func BenchmarkJob(b *testing.B) {
	o := New("jobqueue", "r1").Observer("message", "sleep", "fail")("default")
	b.ReportAllocs()
	for b.Loop() {
		o.Claimed("message", 3*time.Millisecond)
		o.Ran("message", 40*time.Millisecond)
		o.Settled("message", queue.OutcomeDone)
	}
}
