package history

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/punctualq/punctual/queue"
)

// ErrUndecided is that of a history which is too big for Linearizable, or has a job that is: nothing is known to be wrong.
var ErrUndecided = errors.New("not decided whether the history is linearizable")

// What Linearizable takes on: events of a history, operations on one job, failures to draw, time for all and for one job.
const (
	mostEvents   = 20_000
	mostSteps    = 300
	mostPictures = 5
	allWithin    = 20 * time.Second
	oneWithin    = 3 * time.Second
)

// Linearizable asks of each job whether there is an order of all operations on it, each at one instant between being sent and
// being answered, in which every answer is right; an operation that was not answered may have run at any time since, or never.
// It needs no clock of Redis. The history must begin with an empty queue, Redis must not have lost anything, nor anybody
// mended it. An error names the jobs for which there is none, and the pages in pictureDir, which is made if need be, that show the operations and how
// far an order could be found; or it is ErrUndecided.
func Linearizable(h History, pictureDir string) error {
	if len(h.Events) > mostEvents {
		return fmt.Errorf("%w: %d events, and %d is the limit", ErrUndecided, len(h.Events), mostEvents)
	}
	c := gather(h, Rules{})
	deadline := time.Now().Add(allWithin)
	var broken []error
	undecided := 0
	for _, j := range c.order {
		switch result, info := c.decide(j, deadline); {
		case result == porcupine.Unknown:
			undecided++
		case result == porcupine.Illegal && len(broken) < mostPictures:
			broken = append(broken, c.draw(j, info, pictureDir))
		}
	}
	switch {
	case len(broken) > 0:
		return errors.Join(broken...)
	case undecided > 0:
		return fmt.Errorf("%w: %d of %d jobs", ErrUndecided, undecided, len(c.order))
	}
	return nil
}

// decide looks at one job, first without the claims that nobody knows of: few jobs need one as an explanation.
func (c *checker) decide(j *job, deadline time.Time) (porcupine.CheckResult, porcupine.LinearizationInfo) {
	result, info := c.search(j, nil, deadline)
	if calls := c.unknownClaims(j); result == porcupine.Illegal && len(calls) > 0 {
		return c.search(j, calls, deadline)
	}
	return result, info
}

// search looks for an order.
func (c *checker) search(j *job, unknown []*call, deadline time.Time) (porcupine.CheckResult, porcupine.LinearizationInfo) {
	steps, within := c.operations(j, unknown), min(oneWithin, time.Until(deadline))
	if len(steps) > mostSteps || within <= 0 {
		return porcupine.Unknown, porcupine.LinearizationInfo{}
	}
	return porcupine.CheckOperationsVerbose(c.model(j), steps, within)
}

// model is the machine of one job for porcupine.
func (c *checker) model(j *job) porcupine.Model {
	m := machine{retries: math.MaxInt, trimmed: c.trimmed > 0, edited: j.count(queue.OpEdit) > 0}
	for _, n := range j.claims {
		m.retries = n.retries
	}
	nondeterministic := porcupine.NondeterministicModel{
		Init: func() []any { return []any{place{}} },
		Step: func(state, input, _ any) (next []any) {
			for _, p := range m.next(state.(place), input.(step)) {
				next = append(next, p)
			}
			return next
		},
		DescribeOperation: func(input, _ any) string { return input.(step).String() },
		DescribeState:     func(state any) string { return state.(place).String() },
	}
	return nondeterministic.ToModel()
}

// unknownClaims are the claim calls that may have taken this job though no worker says so: they were not answered, or their
// process was killed before it wrote the answer down, and their worker may have been reaped since.
func (c *checker) unknownClaims(j *job) (calls []*call) {
	var last int64
	for _, n := range j.claims {
		last = max(last, n.to)
	}
	for _, x := range c.calls {
		w := c.workers[x.worker]
		if x.queue == j.queue && x.unknown() && x.from < last && w != nil && w.mayBeReaped(x.from, last) {
			calls = append(calls, x)
		}
	}
	slices.SortFunc(calls, func(a, b *call) int { return cmp.Compare(a.from, b.from) })
	return calls
}

// operations are all that was done to one job.
func (c *checker) operations(j *job, unknown []*call) (all []porcupine.Operation) {
	add := func(s span, input step) {
		if !input.certain {
			s.to = forever
		}
		all = append(all, porcupine.Operation{Input: input, Call: s.from, Return: s.to})
	}
	for _, n := range j.enqueues {
		switch {
		case n.exists:
			add(n.span, step{op: queue.OpEnqueue, certain: true, outcome: "exists"})
		case n.res != queue.ResFail:
			add(n.span, step{op: queue.OpEnqueue, certain: n.res == queue.ResOK})
		}
	}
	for _, d := range j.deeds {
		if d.res != queue.ResFail {
			add(d.span, step{op: d.op, certain: d.applied(), from: d.from})
		}
	}
	for _, x := range j.cancels {
		if x.res != queue.ResFail {
			add(x.span, step{op: queue.OpCancelJob, certain: x.res == queue.ResOK, outcome: queue.Outcome(x.found)})
		}
	}
	var holders []*worker
	for _, n := range j.claims {
		s := step{op: queue.OpClaim, certain: true, worker: n.worker.id, element: n.element, attempt: n.attempt}
		if n.guessed {
			s.attempt = 0 // it was read later
		}
		add(n.span, s)
		for _, r := range n.settles {
			s := step{op: queue.OpSettle, certain: r.res == queue.ResOK, worker: n.worker.id, element: n.element, outcome: r.wanted}
			if s.certain {
				s.outcome = r.answer
			}
			if r.res != queue.ResFail {
				add(r.span, s)
			}
		}
		holders = append(holders, n.worker)
	}
	for _, x := range unknown {
		add(x.span, step{op: queue.OpClaim, worker: x.worker, element: fmt.Sprintf("%d:%s", x.number, j.id)})
		holders = append(holders, c.workers[x.worker])
	}
	slices.SortFunc(holders, func(a, b *worker) int { return cmp.Compare(a.id, b.id) })
	for _, w := range slices.Compact(holders) {
		for _, r := range w.reaps {
			if !r.idle {
				add(r.span, step{op: queue.OpReap, certain: r.to != forever, worker: w.id, left: r.left})
			}
		}
	}
	inLanes(all)
	return all
}

// inLanes gives each operation a line of the picture of its own, as long as it lasts.
func inLanes(all []porcupine.Operation) {
	slices.SortStableFunc(all, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	var ends []int64
	for i := range all {
		lane := slices.IndexFunc(ends, func(end int64) bool { return end < all[i].Call })
		if lane < 0 {
			lane, ends = len(ends), append(ends, 0)
		}
		all[i].ClientId, ends[lane] = lane, all[i].Return
	}
}

var unfit = regexp.MustCompile(`[^A-Za-z0-9_.-]`)

// draw writes the page that shows why there is no order, and says where it is.
func (c *checker) draw(j *job, info porcupine.LinearizationInfo, dir string) error {
	path := filepath.Join(dir, "linear-"+unfit.ReplaceAllString(j.queue+"-"+j.id, "_")+".html")
	if err := cmp.Or(os.MkdirAll(dir, 0o755), porcupine.VisualizePath(c.model(j), info, path)); err != nil {
		path = "not drawn: " + err.Error()
	}
	return fmt.Errorf("%s/%s is not linearizable: no order of its operations explains all answers (%s)", j.queue, j.id, path)
}
