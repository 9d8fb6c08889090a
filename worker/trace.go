package worker

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Trace makes a middleware that runs each job in a span of its own, which its context carries. The parent is the request that
// registered the job, if its traceparent is known, however long ago that was. Use it first, so that all others are within the span.
func Trace(p trace.TracerProvider) Middleware {
	tracer := p.Tracer("github.com/punctualq/punctual/worker")
	return func(next Handler) Handler {
		return func(ctx context.Context, job Job) error {
			ctx, span := tracer.Start(registeredBy(ctx, job.TraceParent), "process "+job.Queue,
				trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(attributesOf(job)...))
			err := errors.New("handler panicked, or ended its goroutine without returning")
			defer func() { endSpan(span, err) }() // the panic goes on: it is the worker's to decide what becomes of the job
			err = next(ctx, job)
			return err
		}
	}
}

// registeredBy is ctx with the span that a traceparent names as its parent. One that cannot be read is none.
func registeredBy(ctx context.Context, traceparent string) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
}

// attributesOf a job, named by the semantic conventions for messaging where these have a name. The payload is none: it may hold secrets.
func attributesOf(job Job) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("messaging.system", "punctual"),
		attribute.String("messaging.operation.type", "process"),
		attribute.String("messaging.operation.name", "process"),
		attribute.String("messaging.destination.name", job.Queue),
		attribute.String("messaging.message.id", job.ID),
		attribute.String("messaging.client.id", job.Worker),
		attribute.String("punctual.job.type", job.Type),
		attribute.Int("punctual.job.attempt", job.Attempt),
	}
}

// endSpan tells whether the handler failed, in the words that are kept with the job.
func endSpan(span trace.Span, err error) {
	if err != nil {
		said := text(err)
		span.SetStatus(codes.Error, said)
		span.SetAttributes(attribute.String("error.type", "handler"))
	}
	span.End()
}
