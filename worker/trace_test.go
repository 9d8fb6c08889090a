package worker

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	api "go.opentelemetry.io/otel/trace"

	"github.com/punctualq/punctual/queue"
)

const (
	traceOfRequest = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanOfRequest  = "00f067aa0ba902b7"
)

// traced runs handlers in spans, and keeps these.
func traced(t *testing.T) (Middleware, *tracetest.InMemoryExporter) {
	kept := tracetest.NewInMemoryExporter()
	p := trace.NewTracerProvider(trace.WithSyncer(kept))
	t.Cleanup(func() { _ = p.Shutdown(context.Background()) })
	return Trace(p), kept
}

// one returns the only span.
func one(t *testing.T, kept *tracetest.InMemoryExporter) tracetest.SpanStub {
	t.Helper()
	spans := kept.GetSpans()
	if len(spans) != 1 {
		t.Fatalf("%d spans, want 1", len(spans))
	}
	kept.Reset()
	return spans[0]
}

func TestTraceGoesOnFromTheRequest(t *testing.T) {
	middleware, kept := traced(t)
	var within api.SpanContext
	run := middleware(func(ctx context.Context, _ Job) error {
		within = api.SpanContextFromContext(ctx)
		return nil
	})
	job := Job{Job: queue.Job{ID: "a", Queue: "q", Type: "mail", TraceParent: "00-" + traceOfRequest + "-" + spanOfRequest + "-01"}, Attempt: 2}
	if err := run(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	span := one(t, kept)
	if span.Parent.TraceID().String() != traceOfRequest || span.Parent.SpanID().String() != spanOfRequest || !span.Parent.IsRemote() {
		t.Errorf("its parent is %s %s", span.Parent.TraceID(), span.Parent.SpanID())
	}
	if within.TraceID().String() != traceOfRequest || within.SpanID() != span.SpanContext.SpanID() {
		t.Errorf("the handler runs in %s %s", within.TraceID(), within.SpanID())
	}
	if span.Name != "process q" || span.SpanKind != api.SpanKindConsumer || span.Status.Code != codes.Unset {
		t.Errorf("%s, kind %s, status %v", span.Name, span.SpanKind, span.Status)
	}
	told := attribute.NewSet(span.Attributes...)
	for _, want := range []attribute.KeyValue{attribute.String("messaging.message.id", "a"),
		attribute.String("punctual.job.type", "mail"), attribute.Int("punctual.job.attempt", 2)} {
		if got, ok := told.Value(want.Key); !ok || got != want.Value {
			t.Errorf("%s is %v", want.Key, got)
		}
	}
}

// TestTraceWithoutAParent: what is no traceparent is none; the job runs in a trace of its own.
func TestTraceWithoutAParent(t *testing.T) {
	middleware, kept := traced(t)
	run := middleware(func(context.Context, Job) error { return nil })
	for _, parent := range []string{"", "nonsense", "00-" + traceOfRequest + "-0000000000000000-01"} {
		if err := run(t.Context(), Job{Job: queue.Job{TraceParent: parent}}); err != nil {
			t.Fatal(err)
		}
		if span := one(t, kept); span.Parent.IsValid() || !span.SpanContext.IsValid() {
			t.Errorf("%q: parent %v, own %v", parent, span.Parent, span.SpanContext)
		}
	}
}

// TestTraceTellsOfFailures: an error is handed on as it is, a panic goes on to the worker, and both stand in the span.
func TestTraceTellsOfFailures(t *testing.T) {
	middleware, kept := traced(t)
	fault := errors.New("no luck")
	if err := middleware(func(context.Context, Job) error { return fault })(t.Context(), Job{}); err != fault {
		t.Errorf("returned %v", err)
	}
	if span := one(t, kept); span.Status.Code != codes.Error || span.Status.Description != "no luck" {
		t.Errorf("status %v", span.Status)
	}
	func() {
		defer func() {
			if value := recover(); value != "boom" {
				t.Errorf("recovered %v", value)
			}
		}()
		_ = middleware(func(context.Context, Job) error { panic("boom") })(t.Context(), Job{})
	}()
	if span := one(t, kept); span.Status.Code != codes.Error {
		t.Errorf("status %v", span.Status)
	}
}
