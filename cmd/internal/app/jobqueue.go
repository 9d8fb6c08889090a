package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/cmd/internal/jobs"
	"github.com/punctualq/punctual/cmd/internal/settings"
	"github.com/punctualq/punctual/queue"
	"github.com/punctualq/punctual/worker"
)

// Jobqueue is the worker process: it runs jobs, and answers probes beside it.
func Jobqueue(ctx context.Context, args []string, env settings.Lookup, stdout, stderr io.Writer) int {
	if code, ok := noArguments("jobqueue", "runs jobs when they are due", args, stdout, stderr); !ok {
		return code
	}
	return spec{name: "jobqueue", kind: settings.Worker, work: runJobs}.run(ctx, env, stdout, stderr)
}

func runJobs(ctx context.Context, p *process) error {
	l, err := p.listenForProbes()
	if err != nil {
		return err
	}
	if l != nil {
		defer l.Close()
	}
	q, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	w, err := p.newWorker(q)
	if err != nil {
		return err
	}
	line := p.started("jobqueue").Str("queues", p.queueList())
	if l != nil {
		line = line.Str("probes", l.Addr().String())
	}
	line.Msg("runs jobs")
	return p.withProbes(ctx, l, w)
}

// listenForProbes returns nil where there are to be no probes. Two workers on one machine are normal, so the default address
// may be taken; one that somebody chose may not.
func (p *process) listenForProbes() (net.Listener, error) {
	if p.settings.WorkerHTTPAddr == "" {
		return nil, nil
	}
	l, err := listen("WORKER_HTTP_ADDR", p.settings.WorkerHTTPAddr)
	if errors.Is(err, errTaken) && !p.settings.Given("WORKER_HTTP_ADDR") {
		p.log.Warn().Msg("this worker has no probes: " + err.Error())
		return nil, nil
	}
	return l, err
}

// withProbes runs the worker, and answers probes until it has shut down.
func (p *process) withProbes(ctx context.Context, l net.Listener, w *worker.Worker) error {
	if l == nil {
		return w.Run(ctx)
	}
	return p.beside(ctx, l, p.withMetrics(api.Probes(w.Health)), "this worker has no probes any more", w.Run)
}

// newWorker makes the worker with the job types that come along. Those that fail or sleep on request are for development.
func (p *process) newWorker(q *queue.Client) (*worker.Worker, error) {
	s := p.settings
	handlers := map[string]worker.Handler{"message": (&jobs.Message{Out: p.stdout}).Handle}
	if s.Env == settings.Develop {
		handlers["sleep"], handlers["fail"] = jobs.Sleep, jobs.Fail
	}
	w, err := worker.New(q, worker.Config{
		Queues: s.QueueSlots(), Concurrency: s.WorkerConcurrency, JobTimeout: s.JobTimeout,
		RetryBase: s.RetryBase, RetryCap: s.RetryCap, Timing: s.Timing(),
		DeadMax: s.DeadMax, DeadRetention: s.DeadRetention, DoneMax: s.DoneMax,
		ShutdownGrace: s.ShutdownGrace, LeaseDoubt: s.LeaseDoubt, Build: p.build, Logger: p.log,
		Observe: p.metrics.Observer(slices.Sorted(maps.Keys(handlers))...), History: p.history,
	})
	if err != nil {
		return nil, err
	}
	for jobType, h := range handlers {
		w.Handle(jobType, h)
	}
	p.metrics.Slots(w.Stats)
	if err := p.trace(w); err != nil {
		return nil, err
	}
	return w, nil
}

// queueList is the queues as QUEUES would name them.
func (p *process) queueList() string {
	var list []string
	for _, q := range p.settings.Queues {
		list = append(list, fmt.Sprintf("%s:%d", q.Queue, q.Slots))
	}
	return strings.Join(list, ",")
}
