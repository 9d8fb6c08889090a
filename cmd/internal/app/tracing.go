package app

import (
	"context"

	"github.com/punctualq/punctual/cmd/internal/tracing"
	"github.com/punctualq/punctual/worker"
)

// trace runs the worker's jobs in spans, where the settings want that.
func (p *process) trace(w *worker.Worker) error {
	if !p.settings.Traces() {
		return nil
	}
	t, err := tracing.Start(context.Background(), "jobqueue", p.build, p.log)
	if err != nil {
		return badSetting{err}
	}
	p.tracing = t
	w.Use(worker.Trace(t.Provider()))
	return nil
}

// stopTracing sends the spans that are left.
func (p *process) stopTracing(ctx context.Context) {
	if p.tracing == nil {
		return
	}
	if err := p.tracing.Stop(ctx); err != nil {
		p.log.Warn().Err(err).Msg("the last spans did not reach the collector of OTEL_EXPORTER_OTLP_ENDPOINT")
	}
}
