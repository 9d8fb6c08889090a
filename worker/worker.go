package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/punctualq/punctual/queue"
)

// Worker runs the jobs of one or more queues in this process.
type Worker struct {
	queue    *queue.Client
	config   Config
	handlers map[string]Handler
	use      []Middleware
	mu       sync.Mutex
	runners  []*runner
}

// New makes a worker. Handle must name the handlers before Run.
func New(q *queue.Client, c Config) (*Worker, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Worker{queue: q, config: c, handlers: map[string]Handler{}}, nil
}

// Handle names the handler of a job type. A job of a type without a handler is retried with an error that says so: a
// rolling deploy may be under way.
func (w *Worker) Handle(jobType string, h Handler) { w.handlers[jobType] = h }

// Use adds middleware around every handler, the first one outermost.
func (w *Worker) Use(m ...Middleware) { w.use = append(w.use, m...) }

// Run works until ctx ends or queue.Client.Stop is called for one of its ids, then shuts down in order: it claims nothing more, lets handlers finish for the grace period,
// cancels them, waits up to 3 s, gives back what returned without charging the attempt, and deregisters. A handler that
// still runs keeps its job on the list, for the reaper. Run needs no Redis to start; it waits for it as long as it takes.
//
// It returns nil after an orderly shutdown, and an error that is queue.ErrLayout or queue.ErrTiming if this process must
// not work on these queues.
func (w *Worker) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var all []*runner
	shared := &outage{log: w.config.Logger} // an outage is one for all queues
	handlers := w.wrapped()
	handler := func(jobType string) Handler { return handlers[jobType] }
	for name, slots := range w.config.Queues {
		link, err := w.queue.Link(name)
		if err != nil {
			return fmt.Errorf("worker: %w", err)
		}
		r := newRunner(link, w.config, slots, handler)
		r.outage, r.stop = shared, stop
		all = append(all, r)
	}
	w.mu.Lock()
	w.runners = all
	w.mu.Unlock()
	errs := make([]error, len(all))
	var running sync.WaitGroup
	for i, r := range all {
		running.Go(func() {
			if errs[i] = r.run(ctx); errs[i] != nil {
				stop()
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// wrapped returns the handlers by type, with all middleware around each. It is called once a run, so that a middleware may
// keep something per handler, a limit say.
func (w *Worker) wrapped() map[string]Handler {
	all := map[string]Handler{}
	for jobType, h := range w.handlers {
		for i := len(w.use) - 1; i >= 0 && h != nil; i-- {
			h = w.use[i](h)
		}
		all[jobType] = h
	}
	return all
}

// Health tells why this worker cannot work now: what Client.Health says, queues that it is not registered with, and queues
// all of whose slots are taken by stuck handlers. A full Redis is no reason: workers are what empties it.
func (w *Worker) Health(ctx context.Context) []queue.Problem {
	problems := slices.DeleteFunc(w.queue.Health(ctx), func(p queue.Problem) bool { return p.Code == "redis-full" })
	w.mu.Lock()
	defer w.mu.Unlock()
	able := map[string]bool{} // empty before Run
	for _, r := range w.runners {
		able[r.link.Queue()] = r.able()
		if s := r.stats(); s.Stuck >= s.Slots {
			problems = append(problems, queue.Problem{Code: "worker-stuck", Reason: fmt.Sprintf(
				"all %d handlers of queue %s go on though their contexts have ended: none of its jobs can run here", s.Stuck, s.Queue)})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.config.Queues)) {
		if !able[name] {
			problems = append(problems, queue.Problem{Code: "worker-unregistered",
				Reason: "no heartbeat of this worker has reached queue " + name + " lately"})
		}
	}
	return problems
}
