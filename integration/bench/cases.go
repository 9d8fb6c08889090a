package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// bench runs cases.
type bench struct {
	runs  int
	quick bool
	log   io.Writer
}

// figures is what one measurement of one side saw, by param; extras are further figures of a param.
type figures struct {
	values  map[string]float64
	extras  map[string]map[string]float64
	checked counts
}

// benchCase is one case. Each run measures all its sides in turn, so that a slow minute of the machine hits them alike.
type benchCase struct {
	name   string
	unit   map[string]string // of each param, in no order
	params []string          // in the order in which they are shown
	sides  []string
	// measure does it once, with a Redis of its own.
	measure func(ctx context.Context, m *measurement) (figures, error)
}

// allCases in the order in which they are run. A param is written as it stands in the result.
func allCases() []benchCase {
	all := slices.Concat(throughputCases(), timingCases(), costCases(), httpCases())
	slices.SortStableFunc(all, func(a, b benchCase) int { return slices.Index(caseNames, a.name) - slices.Index(caseNames, b.name) })
	return all
}

var caseNames = []string{"enqueue", "drain", "burst", "lateness", "idle", "memory", "scale", "http", "fanout", "workers"}

// choose returns the cases of a list separated by commas; all if it is empty.
func choose(list string) ([]benchCase, error) {
	if list == "" {
		return allCases(), nil
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if !slices.Contains(caseNames, name) {
			return nil, fmt.Errorf("no case is called %q: take some of %s", name, strings.Join(caseNames, ","))
		}
	}
	return slices.DeleteFunc(allCases(), func(c benchCase) bool { return !slices.Contains(names, c.name) }), nil
}

// runAll runs the cases and shows each line as soon as it is known. The error names all that was lost, run twice or early.
func (b *bench) runAll(ctx context.Context, cases []benchCase, show func(line)) (lines []line, err error) {
	var wrong []error
	for _, c := range cases {
		done, checked, err := b.runCase(ctx, c)
		if ctx.Err() != nil {
			return lines, errInterrupted
		}
		if err != nil {
			return lines, fmt.Errorf("case %s: %w", c.name, err)
		}
		for _, l := range done {
			show(l)
		}
		lines = append(lines, done...)
		for _, s := range c.sides {
			if n := checked[s]; n != (counts{}) && s != asynq { // what Asynq does is shown, and is not for us to fail on
				wrong = append(wrong, fmt.Errorf("case %s: %s lost %d jobs, ran %d twice and started %d early", c.name, s, n.Lost, n.Twice, n.Early))
			}
		}
	}
	return lines, errors.Join(wrong...)
}

func (b *bench) runCase(ctx context.Context, c benchCase) ([]line, map[string]counts, error) {
	values, extras, checked := map[string][]sample{}, map[string]map[string][]sample{}, map[string]counts{}
	for run := range b.runs {
		for _, param := range c.params {
			values[param] = append(values[param], sample{})
		}
		for _, s := range c.sides {
			fmt.Fprintf(b.log, "%s: run %d of %d, %s ...\n", c.name, run+1, b.runs, s)
			f, err := b.once(ctx, c, s, run)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", s, err)
			}
			checked[s] = checked[s].plus(f.checked)
			for param, v := range f.values {
				if c.unit[param] == "" {
					return nil, nil, fmt.Errorf("%s: nobody has said what %q is", s, param)
				}
				values[param][run][s] = v
			}
			for param, more := range f.extras {
				for figure, v := range more {
					if extras[param] == nil {
						extras[param] = map[string][]sample{}
					}
					extras[param][figure] = append(extras[param][figure], sample{s: v})
				}
			}
		}
	}
	var lines []line
	for _, param := range c.params {
		lines = append(lines, makeLine(c.name, param, c.unit[param], values[param], extras[param], checked))
	}
	return lines, checked, nil
}

var (
	errInterrupted = errors.New("interrupted")
	errSlow        = errors.New("not done within 10 minutes")
)

// once is one measurement. It has 10 minutes.
func (b *bench) once(ctx context.Context, c benchCase, side string, run int) (figures, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Minute, errSlow)
	defer cancel()
	s, err := sideOf(side)
	if err != nil {
		return figures{}, err
	}
	m := &measurement{side: s, family: family{ctx: ctx}, name: side, quick: b.quick, run: run,
		seen: figures{values: map[string]float64{}, extras: map[string]map[string]float64{}}}
	f, err := c.measure(ctx, m)
	m.close()
	if err != nil && ctx.Err() != nil { // what else is said then is only that the children are gone
		err = context.Cause(ctx)
	}
	return f, err
}

// sleep ends early, with an error, when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// measurement is one side in one run of one case.
type measurement struct {
	side
	family
	*server
	name  string
	quick bool
	run   int
	seen  figures
}

// fresh gives the next part of the measurement a Redis of its own.
func (m *measurement) fresh(ctx context.Context) error {
	m.close()
	s, err := startServer(ctx)
	m.server = s
	return err
}

func (m *measurement) close() {
	m.family.end()
	m.family.all = nil
	if m.server != nil {
		m.server.close()
		m.server = nil
	}
}

// n is a number of jobs, or fewer in quick mode.
func (m *measurement) n(full, quick int) int {
	if m.quick {
		return quick
	}
	return full
}

// child starts a child for this side and this Redis.
func (m *measurement) child(t task) (*child, error) {
	t.Side = m.name
	if t.URL == "" {
		t.URL = m.url
	}
	return m.start(t)
}

// saw notes a figure, and add a further one of the same param.
func (m *measurement) saw(param string, v float64) { m.seen.values[param] = v }

func (m *measurement) add(param, figure string, v float64) {
	if m.seen.extras[param] == nil {
		m.seen.extras[param] = map[string]float64{}
	}
	m.seen.extras[param][figure] = v
}

func (m *measurement) check(c counts) { m.seen.checked = m.seen.checked.plus(c) }

// holds checks that Redis holds just n jobs.
func (m *measurement) holds(ctx context.Context, n int) error {
	left, err := m.left(ctx, m.Client)
	m.check(counts{Lost: max(0, n-left), Twice: max(0, left-n)})
	return err
}

// drained waits until Redis holds no job any more, or none has gone for 30 s: then it says how many are left.
func (m *measurement) drained(ctx context.Context) (left int, err error) {
	last, since := -1, time.Now()
	for {
		n, err := m.left(ctx, m.Client)
		if err != nil || n == 0 {
			return n, err
		}
		if n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) > 30*time.Second {
			return n, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// finish stops the workers and returns their joined ledger.
func finish(workers []*child) (page, float64, error) {
	pages, cpu := make([]page, len(workers)), 0.0
	for i, w := range workers {
		r, err := w.ask("stop")
		if err != nil {
			return page{}, 0, err
		}
		if r.Page == nil {
			return page{}, 0, errors.New("a worker has no ledger")
		}
		pages[i] = *r.Page
		cpu += r.CPU
	}
	return merge(pages), cpu, nil
}

// blockedFor notes how long scripts have held up Redis.
func (m *measurement) blockedFor(ctx context.Context, param string) error {
	p99, longest, err := m.blocked(ctx)
	m.add(param, scriptP99, p99)
	m.add(param, slowestMS, longest)
	return err
}
