package app

import (
	"context"
	"net"
	"net/http"
	"sync"
)

const metricsPath = "/metrics"

// withMetrics answers scrapes beside h, unless they have a listener of their own.
func (p *process) withMetrics(h http.Handler) http.Handler {
	if p.metrics == nil || p.settings.MetricsAddr != "" {
		return h
	}
	return scrapes(p.metrics.Handler(), h)
}

func scrapes(metrics, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == metricsPath && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			metrics.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

// withOwnMetrics does the work, and answers scrapes on METRICS_ADDR, if that is set, until it is done.
func (p *process) withOwnMetrics(ctx context.Context, work func(context.Context, *process) error) error {
	run := func(ctx context.Context) error { return work(ctx, p) }
	if p.settings.MetricsAddr == "" {
		return run(ctx)
	}
	l, err := listen("METRICS_ADDR", p.settings.MetricsAddr)
	if err != nil {
		return err
	}
	defer l.Close()
	p.metricsAt = l.Addr().String()
	return p.beside(ctx, l, scrapes(p.metrics.Handler(), http.NotFoundHandler()), "this process has no metrics any more", run)
}

// beside runs work, and answers requests until it has returned: a process that lets its jobs finish is still alive.
func (p *process) beside(ctx context.Context, l net.Listener, h http.Handler, lost string, work func(context.Context) error) error {
	answering, stop := context.WithCancel(context.WithoutCancel(ctx))
	var answers sync.WaitGroup
	answers.Go(func() {
		if err := p.serveHTTP(answering, l, h); err != nil {
			p.log.Warn().Err(err).Msg(lost)
		}
	})
	err := work(ctx)
	stop()
	answers.Wait()
	return err
}
