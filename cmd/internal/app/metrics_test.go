package app

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/cmd/internal/settings"
	"github.com/punctualq/punctual/cmd/internal/tracing/collectortest"
	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// scraped returns the names of the metrics that an address tells.
func scraped(t *testing.T, addr string) map[string]bool {
	t.Helper()
	resp, err := http.Get("http://" + addr + metricsPath)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("status %d, %v", resp.StatusCode, err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for name := range families {
		names[name] = true
	}
	return names
}

func wantMetrics(t *testing.T, got map[string]bool, names ...string) {
	t.Helper()
	for _, name := range names {
		if !got[name] {
			t.Errorf("%s is not told", name)
		}
	}
}

func TestServerTellsMetrics(t *testing.T) {
	r := redistest.Any(t)
	_, addr := startServer(t, "REDIS_URL="+r.URL())
	get(t, "http://"+addr+"/livez")
	wantMetrics(t, scraped(t, addr), "punctual_http_requests_total", "punctual_http_request_seconds", "punctual_redis_up",
		"punctual_redis_round_trip_seconds", "punctual_build_info", "go_goroutines", "process_cpu_seconds_total")
}

// TestWorkerTellsMetrics: on the listener of its probes, or on one of its own and then only there.
func TestWorkerTellsMetrics(t *testing.T) {
	r, name := redistest.Any(t), redistest.Queue(t)
	q := open(t, r)
	for _, own := range []bool{false, true} {
		pairs := []string{"REDIS_URL=" + r.URL(), "QUEUES=" + name, "WORKER_HTTP_ADDR=127.0.0.1:0", "LOG_FORMAT=json"}
		if own {
			pairs = append(pairs, "METRICS_ADDR=127.0.0.1:0")
		}
		p := start(t, Jobqueue, nil, pairs...)
		p.stderr.await(t, 5*time.Second, "runs jobs")
		enqueue(t, q, queue.NewJob{Queue: name, Payload: []byte(`"Job"`)})
		p.stdout.await(t, 10*time.Second, "Job") // its handler has written
		addr := p.logged(t, "runs jobs", "probes")
		if own {
			if got := get(t, "http://"+addr+metricsPath); got != 404 {
				t.Errorf("the probes answer scrapes with %d, too", got)
			}
			addr = p.logged(t, "runs jobs", "metrics")
			if got := get(t, "http://"+addr+"/livez"); got != 404 {
				t.Errorf("the listener of the metrics answers probes with %d", got)
			}
		}
		wantMetrics(t, scraped(t, addr), "punctual_lateness_seconds", "punctual_run_seconds", "punctual_attempts_total",
			"punctual_fenced_total", "punctual_slots", "punctual_stuck_handlers", "punctual_redis_up", "punctual_build_info")
		p.stop()
		if code := p.exit(t, 10*time.Second); code != exitOK {
			t.Errorf("exit %d, want 0", code)
		}
	}
}

// TestWorkerSendsSpans: where the standard variables say so, the span of a job has arrived when the worker has stopped, in the trace
// of the request that registered it.
func TestWorkerSendsSpans(t *testing.T) {
	c, r, name := collectortest.Start(t), redistest.Any(t), redistest.Queue(t)
	_, addr := startServer(t, "REDIS_URL="+r.URL())
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL) // which OpenTelemetry reads by itself
	p := start(t, Jobqueue, nil, "REDIS_URL="+r.URL(), "QUEUES="+name, "WORKER_HTTP_ADDR=", "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL)
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	req, err := http.NewRequest(http.MethodPost, "http://"+addr+registerPath, strings.NewReader(`{"message": "traced", "delay_seconds": 0, "queue": "`+name+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	read, err := settings.Read(env(), settings.Token)
	if err != nil {
		t.Fatal(err)
	}
	token, err := (&process{settings: read}).newToken(api.TokenClaims{Subject: "tracer"})
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Traceparent", "00-"+trace+"-"+parent+"-01")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("register: %d", resp.StatusCode)
	}
	p.stdout.await(t, 10*time.Second, "traced")
	p.stop()
	if code := p.exit(t, 10*time.Second); code != exitOK {
		t.Errorf("exit %d, want 0", code)
	}
	spans := c.Spans()
	if len(spans) != 1 || spans[0].Attributes["messaging.message.id"] == "" || spans[0].Name != "process "+name ||
		spans[0].Trace != trace || spans[0].Parent != parent {
		t.Errorf("the collector has %+v, want one span of the job, in the trace of its request", spans)
	}
}
