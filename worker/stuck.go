package worker

import (
	"slices"
	"strings"
	"time"
)

// findStuck tells of the handlers that go on though their contexts ended at least so long ago, of each once. Nothing is done to
// them: Go cannot end a goroutine. Their slots stay taken and their jobs stay on the list, so that nothing runs twice at
// a time or more than the slots allow. The caller holds runner.mu.
func (r *runner) findStuck(after time.Duration) {
	for _, e := range r.held {
		ignored := time.Since(e.ends)
		if e.abort == nil || e.stuck || ignored < after {
			continue
		}
		if e.cause == nil {
			e.cause = ErrTimeout
		}
		e.stuck = true
		r.stuck++
		r.tellStuck(e, "handler goes on though its context has ended: its slot stays taken until it returns")
	}
}

// unstick notes that a handler has returned. The caller holds runner.mu.
func (r *runner) unstick(e *execution) {
	if e.stuck {
		r.stuck--
		r.tellStuck(e, "stuck handler has returned at last: its slot is free")
	}
}

func (r *runner) tellStuck(e *execution, message string) {
	r.log.Warn().Str("job", e.claimed.Job.ID).Str("type", e.claimed.Job.Type).Int("attempt", e.claimed.Attempt).Str("worker", e.worker).
		AnErr("cause", e.cause).Dur("ran_ms", time.Since(e.begun)).Dur("ended_ms_ago", time.Since(e.ends)).Msg(message)
}

// Stats are the figures of one queue of a worker at one moment.
type Stats struct {
	Queue   string
	Slots   int // handlers that may run at a time
	Running int // handlers that have not returned, and those about to begin: each holds a slot
	Stuck   int // of these, handlers that go on though their contexts ended Config.StuckAfter ago
}

// Stats returns the figures of each queue, none before Run. Stuck is counted at each heartbeat.
func (w *Worker) Stats() []Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Stats
	for _, r := range w.runners {
		all = append(all, r.stats())
	}
	slices.SortFunc(all, func(a, b Stats) int { return strings.Compare(a.Queue, b.Queue) })
	return all
}

func (r *runner) stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Stats{Queue: r.link.Queue(), Slots: r.slots, Running: r.running, Stuck: r.stuck}
}
