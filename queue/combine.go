package queue

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"
)

const (
	batchJobs  = 100
	batchBytes = 1 << 20
)

// pending is one job on its way to Redis.
type pending struct {
	queue, id, record string
	delay             time.Duration
	special           *special // nil for a plain job

	mu       sync.Mutex
	sent     bool // it is part of a flush
	answered bool
	due      time.Time
	err      error
	group    *group
}

// group is the jobs that one caller waits for.
type group struct {
	deadline time.Time // zero: none
	left     int       // not answered yet; guarded by combiner.mu
	done     chan struct{}
}

// combiner gathers the jobs of many callers into batches: what arrives while a flush is under way goes with the next one.
// Who finds no flush under way sends his own jobs himself, which saves a change of goroutines. What others hand in meanwhile is
// flushed by a goroutine that lives only while somebody waits, so that each caller can leave at its own deadline and
// nobody's deadline cuts off the others.
type combiner struct {
	// abort, if set, ends the flush under way: he who flushes for himself has left before his deadline.
	abort func()
	// ready, if set, makes sure that Redis answers before these jobs are sent. Until then those who wait can leave in the
	// knowledge that nothing was sent. reached tells whether it would do so without asking Redis.
	ready   func(ctx context.Context, jobs []*pending) error
	reached func(jobs []*pending) bool

	mu       sync.Mutex
	waiting  []*pending
	flushing bool
}

// add hands the jobs in and waits until all are answered or ctx ends.
func (b *combiner) add(ctx context.Context, flush func(context.Context, []*pending), jobs []*pending) {
	if len(jobs) == 0 || ctx.Err() != nil { // who has left already sends nothing
		return
	}
	b.mu.Lock()
	if !b.flushing && fits(jobs) == len(jobs) && (b.reached == nil || b.reached(jobs)) {
		b.flushing = true
		b.mu.Unlock()
		b.alone(ctx, flush, jobs)
		b.pass(flush)
		return
	}
	g := &group{left: len(jobs), done: make(chan struct{})}
	g.deadline, _ = ctx.Deadline()
	for _, p := range jobs {
		p.group = g
	}
	b.waiting = append(b.waiting, jobs...)
	start := !b.flushing
	b.flushing = true
	b.mu.Unlock()
	if start {
		go b.loop(flush)
	}
	select {
	case <-g.done:
	case <-ctx.Done():
		b.withdraw(g) // each job says for itself how far it came
	}
}

// alone flushes the caller's own jobs, which nobody else waits for. It returns when they are answered or ctx ends.
func (b *combiner) alone(ctx context.Context, flush func(context.Context, []*pending), jobs []*pending) {
	for _, p := range jobs {
		p.send()
	}
	if ctx.Done() != nil && b.abort != nil { // a deadline ends the flush by itself, but he may leave before
		aborted := make(chan struct{})
		stop := context.AfterFunc(ctx, func() { defer close(aborted); b.abort() })
		defer func() {
			if !stop() {
				<-aborted // or it would end the flush of somebody else
			}
		}()
	}
	flush(ctx, jobs)
}

// pass hands the flushing on to a loop if somebody waits.
func (b *combiner) pass(flush func(context.Context, []*pending)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.flushing = len(b.waiting) > 0; b.flushing {
		go b.loop(flush)
	} else {
		b.waiting = nil
	}
}

// fits is how many of the jobs, from the first on, go into one batch; at least one.
func fits(jobs []*pending) int {
	n, bytes := 0, 0
	for n < len(jobs) && n < batchJobs && (n == 0 || bytes+len(jobs[n].record) <= batchBytes) {
		bytes += len(jobs[n].record)
		n++
	}
	return n
}

// loop flushes until nobody waits.
func (b *combiner) loop(flush func(context.Context, []*pending)) {
	for {
		if err := b.reachNext(); err != nil {
			b.refuse(err)
			continue
		}
		batch, deadline := b.take()
		if len(batch) == 0 {
			return
		}
		ctx, cancel := context.Background(), context.CancelFunc(func() {})
		if !deadline.IsZero() { // a little earlier than those who wait, so that they learn how far it came
			margin := min(50*time.Millisecond, time.Until(deadline)/4)
			ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		}
		flush(ctx, batch)
		cancel()
		b.mu.Lock()
		for _, p := range batch {
			b.answered(p)
		}
		b.mu.Unlock()
		runtime.Gosched() // those who were answered may have more, and it goes with the next batch
	}
}

// reachNext asks whether Redis answers, if anybody waits.
func (b *combiner) reachNext() error {
	b.mu.Lock()
	next := slices.Clone(b.waiting[:min(len(b.waiting), batchJobs)])
	b.mu.Unlock()
	if len(next) == 0 || b.ready == nil {
		return nil
	}
	return b.ready(context.Background(), next)
}

// refuse tells everyone who waits that nothing was sent.
func (b *combiner) refuse(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.waiting {
		p.answer(time.Time{}, err)
		b.answered(p)
	}
	b.waiting = nil
}

// answered counts down those that the caller of p still waits for. b.mu is held.
func (b *combiner) answered(p *pending) {
	if p.group.left--; p.group.left == 0 {
		close(p.group.done)
	}
}

// take cuts the next batch, and the latest deadline of those who wait for it (zero if one of them has none).
func (b *combiner) take() (batch []*pending, deadline time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, forever := fits(b.waiting), false
	for _, p := range b.waiting[:n] {
		p.send()
		if forever = forever || p.group.deadline.IsZero(); p.group.deadline.After(deadline) {
			deadline = p.group.deadline
		}
	}
	batch = append(batch, b.waiting[:n]...)
	if b.waiting = b.waiting[n:]; n == 0 {
		b.waiting, b.flushing = nil, false
	}
	if forever {
		deadline = time.Time{}
	}
	return batch, deadline
}

// withdraw takes out the jobs of a caller that leaves before they were sent.
func (b *combiner) withdraw(g *group) {
	b.mu.Lock()
	defer b.mu.Unlock()
	kept := b.waiting[:0]
	for _, p := range b.waiting {
		if p.group != g {
			kept = append(kept, p)
		}
	}
	b.waiting = kept
}

// send notes that the job is part of a flush from now on.
func (p *pending) send() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = true
}

func (p *pending) answer(due time.Time, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered, p.due, p.err = true, due, err
}

// told says what is known of the job when its caller leaves.
func (p *pending) told() Enqueued {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.answered:
		done := Enqueued{ID: p.id, Due: p.due, Err: p.err}
		if p.special != nil && p.special.first != "" {
			done.ID, done.Replayed = p.special.first, true
		}
		return done
	case p.sent:
		return Enqueued{ID: p.id, Err: fmt.Errorf("%w before the deadline", ErrOutcomeUnknown)}
	default:
		return Enqueued{ID: p.id, Err: fmt.Errorf("%w: not sent before the deadline", ErrUnavailable)}
	}
}
