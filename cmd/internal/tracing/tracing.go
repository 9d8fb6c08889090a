// Package tracing sends the spans of jobs to an OpenTelemetry collector. It is off unless one of OpenTelemetry's own variables
// turns it on; all of these that its SDK reads count: OTEL_SERVICE_NAME, OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, and more.
package tracing

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	flushWithin = 3 * time.Second  // what is left at a shutdown may take so long to be sent
	tellEvery   = 30 * time.Second // a collector that is away is told of no more often
)

// Tracing is where spans go to.
type Tracing struct{ provider *sdk.TracerProvider }

// Start makes the exporter by the OTEL_* variables of this process; it need not reach the collector. Spans are sent in the
// background, and dropped where that cannot keep up: no job waits for a collector.
func Start(ctx context.Context, program, build string, log zerolog.Logger) (*Tracing, error) {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	// What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say comes last, and so counts.
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(),
		resource.WithAttributes(attribute.String("service.name", "punctual"), attribute.String("service.version", build),
			attribute.String("punctual.program", program)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("tracing: OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(teller(log))
	return &Tracing{sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about))}, nil
}

// teller logs what goes wrong with spans, but not again and again.
func teller(log zerolog.Logger) otel.ErrorHandlerFunc {
	var last atomic.Int64
	return func(err error) {
		now, before := time.Now().UnixNano(), last.Load()
		if now-before >= int64(tellEvery) && last.CompareAndSwap(before, now) {
			log.Warn().Err(err).Msg("spans are lost: the collector of OTEL_EXPORTER_OTLP_ENDPOINT does not take them; jobs go on")
		}
	}
}

// Provider makes the tracers.
func (t *Tracing) Provider() trace.TracerProvider { return t.provider }

// Stop sends what is left, within 3 s.
func (t *Tracing) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushWithin)
	defer cancel()
	return t.provider.Shutdown(ctx)
}
