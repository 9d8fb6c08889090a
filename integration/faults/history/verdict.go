package history

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

// Rules are what a history is judged by.
type Rules struct {
	// Final is what was left in Redis at the end, one State a queue. Without one nobody can tell what was lost from that queue.
	Final []State
	// Timing is that of the workers. Without it neither reaps nor leases are judged.
	Timing queue.Timing
	// LeaseDoubtCancel: the workers ran with LEASE_DOUBT=cancel.
	LeaseDoubtCancel bool
	// Tolerance is how much later than promised a context may end, and a handler start. Default 500 ms: the machine is shared.
	Tolerance time.Duration
	// Asleep is when processes could not run: one that is stopped cannot end a context before it goes on.
	Asleep []Asleep
	// ClockSteps: the clock of Redis was set meanwhile, so it does not tell the order of claims, nor how long a TTL was.
	ClockSteps bool
}

// Asleep is a time during which one process was stopped, by the clock of histories (see Now).
type Asleep struct {
	Proc     string
	From, To int64
}

// State is what one queue holds: ids.
type State struct {
	Queue                       string
	Scheduled, Processing, Dead []string
}

// The rules that a Finding can name, beside those of faults.md, I5 to I13.
const (
	Lost       = "lost"       // acknowledged, and neither finished nor there
	Unexpected = "unexpected" // there or run, and nobody has handed it in: I3
	Duplicated = "duplicated" // run again though nobody wanted it to be retried
	Recovered  = "recovered"  // its caller was not told, and it was there: as promised
	Cancelled  = "cancelled"  // cancelled, and yet claimed or retried; or dropped though nobody had cancelled it
	Early      = "early"      // claimed before it was due: I4
)

// Finding is one thing that was found about one job.
type Finding struct {
	Rule   string
	Queue  string
	ID     string
	Reason string
	// Allowed: it is as promised. A job is run again when its worker died, was cut off, or could not report.
	Allowed bool
}

func (f Finding) String() string {
	return fmt.Sprintf("%s: %s/%s: %s", f.Rule, f.Queue, f.ID, f.Reason)
}

// Verdict is what a history shows.
type Verdict struct {
	Events, Claims, Runs, Reaps                 int
	Jobs, Attempted, Acked, Started, Done, Dead int // jobs; dead: by a worker's own report
	Lateness                                    Lateness
	Findings                                    []Finding // also what is allowed

	steps int // of the checker
}

// Lateness is claim time minus due time, by the clock of Redis.
type Lateness struct{ P50, P95, P99, Max time.Duration }

// Of returns what was found by one rule.
func (v Verdict) Of(rule string) (found []Finding) {
	for _, f := range v.Findings {
		if f.Rule == rule {
			found = append(found, f)
		}
	}
	return found
}

// Broken returns what must not be. Rules named in except are left out: a Redis that loses data breaks some of them.
func (v Verdict) Broken(except ...string) (broken []Finding) {
	for _, f := range v.Findings {
		if !f.Allowed && !slices.Contains(except, f.Rule) {
			broken = append(broken, f)
		}
	}
	return broken
}

// Err is nil if nothing is Broken.
func (v Verdict) Err(except ...string) error {
	broken := v.Broken(except...)
	if len(broken) == 0 {
		return nil
	}
	var text strings.Builder
	fmt.Fprintf(&text, "the history of %d jobs breaks %d rules:", v.Jobs, len(broken))
	for i, f := range broken {
		if i == 20 {
			fmt.Fprintf(&text, "\n  … and %d more", len(broken)-i)
			break
		}
		text.WriteString("\n  " + f.String())
	}
	return fmt.Errorf("%s", text.String())
}

// percentiles of counted ms.
func percentiles(counts map[int64]int, total int) (l Lateness) {
	if total == 0 {
		return l
	}
	seen := 0
	for _, ms := range sortedKeys(counts) {
		d := time.Duration(ms) * time.Millisecond
		before := seen
		seen += counts[ms]
		for _, p := range []struct {
			share float64
			into  *time.Duration
		}{{.5, &l.P50}, {.95, &l.P95}, {.99, &l.P99}, {1, &l.Max}} {
			if rank := int(p.share*float64(total-1) + .5); before <= rank && rank < seen {
				*p.into = d
			}
		}
	}
	return l
}

func sortedKeys(counts map[int64]int) []int64 {
	keys := make([]int64, 0, len(counts))
	for k := range counts {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
