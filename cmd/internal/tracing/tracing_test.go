package tracing

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"

	"github.com/punctualq/punctual/cmd/internal/tracing/collectortest"
	"github.com/punctualq/punctual/queue"
	"github.com/punctualq/punctual/worker"
)

// TestSpansReachTheCollector: the span of a job is sent by OTLP to where the standard variables say, with the request as its parent.
func TestSpansReachTheCollector(t *testing.T) {
	c := collectortest.Start(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", c.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=k")
	t.Setenv("OTEL_SERVICE_NAME", "mail")
	tracing, err := Start(t.Context(), "jobqueue", "r1", zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	run := worker.Trace(tracing.Provider())(func(context.Context, worker.Job) error { return errors.New("no luck") })
	job := queue.Job{ID: "a", Queue: "q", Type: "t", TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
	_ = run(t.Context(), worker.Job{Job: job, Attempt: 1})
	if err := tracing.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	spans := c.Spans()
	if len(spans) != 1 {
		t.Fatalf("%d spans arrived, want 1", len(spans))
	}
	s := spans[0]
	if s.Trace != "4bf92f3577b34da6a3ce929d0e0e4736" || s.Parent != "00f067aa0ba902b7" || s.Name != "process q" || s.Error != "no luck" {
		t.Errorf("it is %+v", s)
	}
	for name, want := range map[string]string{"service.name": "mail", "service.version": "r1", "punctual.program": "jobqueue",
		"messaging.message.id": "a"} {
		if s.Attributes[name] != want {
			t.Errorf("%s is %q, want %q", name, s.Attributes[name], want)
		}
	}
	if c.Header("Api-Key") != "k" {
		t.Error("OTEL_EXPORTER_OTLP_HEADERS were not sent")
	}
}

// TestACollectorThatIsAwayIsToldOfOnce: and nothing waits for it.
func TestACollectorThatIsAwayIsToldOfOnce(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	var log bytes.Buffer
	tracing, err := Start(t.Context(), "jobqueue", "r1", zerolog.New(&log))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tracing.Stop(t.Context()) }()
	for range 3 {
		otel.Handle(errors.New("connection refused"))
	}
	if n := strings.Count(log.String(), "spans are lost"); n != 1 {
		t.Errorf("told %d times: %s", n, log.String())
	}
}
