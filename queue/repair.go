package queue

import (
	"context"
	"fmt"
)

var repairScript = loadScript("repair")

// fix mends what can be mended without guessing: jobs first, then what is beside them, and the counters last, which can only
// be compared with jobs that are in their places.
func (a *auditor) fix(ctx context.Context) error {
	if a.broken["*"] {
		return nil
	}
	for _, jobs := range []bool{true, false} {
		if !jobs { // one that was unreadable, and is dead by now, could not say which key it held
			if err := a.walkUnique(ctx); err != nil {
				return err
			}
		}
		for i := range a.report.Findings {
			if f := &a.report.Findings[i]; f.Fixable && !f.Fixed && f.Did == "" && f.ofJob() == jobs {
				if err := a.mend(ctx, f); err != nil {
					return err
				}
			}
		}
	}
	a.unsettled = a.report.Unlisted > 0
	for _, f := range a.report.Findings {
		a.unsettled = a.unsettled || f.unsettles() && !f.Fixed
	}
	before := len(a.report.Findings)
	if err := a.tally(ctx); err != nil {
		return err
	}
	for i := before; i < len(a.report.Findings); i++ {
		if f := &a.report.Findings[i]; f.Fixable {
			if err := a.mend(ctx, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// ofJob says whether the finding is one that repair mends.
func (f *Finding) ofJob() bool {
	switch f.Code {
	case "record-unreadable", "attempts-without-job", "errors-without-job":
		return true
	}
	return f.unsettles() && f.Code != "counter-malformed"
}

// mend mends one finding, and writes into it what was done.
func (a *auditor) mend(ctx context.Context, f *Finding) error {
	var words []string
	var err error
	switch {
	case f.Code == "queue-unlisted":
		words = []string{"fixed", "added"}
		err = a.pipeAt(ctx, keyQueues, false, func(p pipeliner) { p.SAdd(ctx, keyQueues, a.queue) })
	case f.ofJob():
		words, err = a.repair(ctx, f)
	default:
		words, err = a.change(ctx, tidyCall(a.keys, f))
	}
	if err != nil {
		return err
	}
	switch {
	case words[0] == "well":
		f.Fixed, f.Did = true, "it is well by now"
	case len(words) == 2:
		f.Fixed, f.Did = words[0] == "fixed", words[1]
	default:
		return fmt.Errorf("%w: a repair answered %q", ErrOutcomeUnknown, words)
	}
	return nil
}

// repair runs the script with the lists of all workers that are registered at that instant.
func (a *auditor) repair(ctx context.Context, f *Finding) ([]string, error) {
	for range 20 {
		workers := a.readable()
		if len(workers) < len(a.workers) {
			return []string{"left", "a processing list is of the wrong type: who knows what was on it"}, nil
		}
		words, err := a.change(ctx, repairCall(a.keys, f.ID, f.value, workers))
		if err != nil || words[0] != "again" {
			return words, err
		}
		if err := a.walkWorkers(ctx); err != nil {
			return nil, err
		}
	}
	return []string{"left", "workers come and go too fast: again later"}, nil
}

func repairCall(k keys, id, unreadable string, workers []string) *call {
	x := &call{script: repairScript,
		keys: []string{k.jobs(), k.scheduled(), k.dead(), k.done(), k.attempts(), k.errors(), k.workers(), k.wake(), k.stats(), k.unique(),
			k.groups()},
		args: []any{id, unreadable, DefaultMaxRetry}}
	for _, w := range workers {
		x.keys = append(x.keys, k.processing(w))
		x.args = append(x.args, w)
	}
	return x
}

// change runs a script that writes.
func (a *auditor) change(ctx context.Context, x *call) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	words, err := a.client.askOne(ctx, x)
	if err != nil {
		return nil, fmt.Errorf("repair of queue %s: %w", a.queue, err)
	}
	return words, nil
}
