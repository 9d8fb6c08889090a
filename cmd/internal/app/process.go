package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/rs/zerolog"

	"github.com/punctualq/punctual/cmd/internal/build"
	"github.com/punctualq/punctual/cmd/internal/metrics"
	"github.com/punctualq/punctual/cmd/internal/settings"
	"github.com/punctualq/punctual/cmd/internal/tracing"
	"github.com/punctualq/punctual/queue"
)

// process is what a running program has.
type process struct {
	settings       settings.Settings
	log            zerolog.Logger
	build          string
	stdout, stderr io.Writer
	history        func(queue.Event) // nil: off
	metrics        *metrics.Metrics
	metricsAt      string           // where they have a listener of their own
	tracing        *tracing.Tracing // nil: off
}

// spec is what makes one program differ from the others.
type spec struct {
	name  string
	kind  settings.Program
	quiet bool // logs only warnings, unless LOG_LEVEL says otherwise
	work  func(context.Context, *process) error
}

// badSetting is an error that only another setting mends.
type badSetting struct{ error }

func (e badSetting) Unwrap() error { return e.error }

// run reads the settings, watches for orphanhood, does the work, and turns its error into an exit code and a sentence.
func (s spec) run(ctx context.Context, env settings.Lookup, stdout, stderr io.Writer) int {
	stderr = &syncWriter{w: stderr}
	read, err := settings.Read(env, s.kind)
	if err != nil {
		fmt.Fprintf(stderr, "%s: cannot start with these settings:\n%s\nRun it with -h to see all settings.\n", s.name, err)
		return exitUsage
	}
	if s.quiet && !read.Given("LOG_LEVEL") {
		read.LogLevel = "warn"
	}
	p := &process{settings: read, log: newLogger(read, stderr), build: build.ID(), stdout: stdout, stderr: stderr}
	p.metrics = metrics.New(s.name, p.build)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		if err := thisProcess().orphaned(ctx); err != nil {
			p.log.Warn().Msg(err.Error())
			cancel(err)
		}
	}()
	told := sync.OnceFunc(func() {
		if cause := context.Cause(ctx); !errors.Is(cause, errOrphan) { // of that the warning has told
			p.log.Info().Str("cause", cause.Error()).Msg("shutting down; a second signal exits at once")
		}
	})
	silent := context.AfterFunc(ctx, told)
	err = p.withOwnMetrics(ctx, s.work)
	p.stopTracing(ctx)
	if silent(); ctx.Err() != nil {
		told() // the shutdown may be over before that function began
	}
	switch {
	case errors.As(err, new(badSetting)):
		fmt.Fprintf(stderr, "%s: %s\n", s.name, err)
		return exitUsage
	case err != nil:
		p.log.Error().Msg(err.Error())
		return exitFailed
	}
	p.log.Info().Msg("stopped")
	return exitOK
}

// open makes the client of this process. Redis need not be there.
func (p *process) open(ctx context.Context) (*queue.Client, error) {
	if err := p.keepHistory(); err != nil {
		return nil, badSetting{fmt.Errorf("PUNCTUAL_HISTORY: %w", err)}
	}
	q, err := queue.Open(ctx, string(p.settings.RedisURL), queue.Options{EnqueueWait: p.settings.EnqueueWait,
		MaxScheduled: p.settings.QueueMax, RoundTrip: p.metrics.RoundTrip, History: p.history})
	if err != nil && !errors.Is(err, queue.ErrLayout) {
		return nil, badSetting{fmt.Errorf("REDIS_URL: %w", err)}
	}
	if err == nil {
		p.metrics.Queues(q)
	}
	return q, err
}

// started writes the line by which a person finds out what runs here.
func (p *process) started(what string) *zerolog.Event {
	line := p.log.Info().Str("program", what).Int("pid", os.Getpid()).Str("env", string(p.settings.Env)).Str("build", p.build).
		Str("redis", p.settings.RedisHost)
	if p.metricsAt != "" {
		line = line.Str("metrics", p.metricsAt)
	}
	return line
}

// together runs all parts at once and returns when all have returned. The first that returns, with an error or without,
// ends the context of the others.
func together(ctx context.Context, parts ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(parts))
	var running sync.WaitGroup
	for i, part := range parts {
		running.Go(func() {
			defer cancel()
			errs[i] = part(ctx)
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// syncWriter lets log lines and sentences share one writer.
type syncWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *syncWriter) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}
