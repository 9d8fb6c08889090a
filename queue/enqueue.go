package queue

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var enqueueScript = loadScript("enqueue")

// Enqueued tells of one job that was handed in.
type Enqueued struct {
	ID  string    // of a replayed one, that of the first
	Due time.Time // by the clock of Redis; zero if Err is set, or Replayed
	Err error     // ErrExists, ErrConflict, ErrQueueFull, *UniqueError, or nil

	Replayed bool // an earlier request with the same Idempotency has written the job; it may have run since, and be gone
}

// Enqueue writes one job. It returns when Redis has it; from then on it runs at least once. With an error the job is not
// there (ErrUnavailable, ErrFull, ErrInvalid, ErrExists, ErrConflict, ErrUnique, ErrQueueFull, ErrLayout), or it may be (ErrOutcomeUnknown): ask Get for its ID,
// which is returned with every error but ErrInvalid, or choose the ID yourself and hand the job in again.
// Calls from many goroutines share one round trip; each returns at its own deadline.
func (c *Client) Enqueue(ctx context.Context, job NewJob) (Enqueued, error) {
	done, err := c.EnqueueMany(ctx, []NewJob{job})
	if len(done) == 0 {
		return Enqueued{}, err
	}
	if err == nil {
		err = done[0].Err
	}
	return done[0], err
}

// EnqueueMany writes jobs in order, in batches of at most 100 jobs and 1 MiB. If any job is invalid nothing is written
// and the error names each; otherwise it tells of each job in the order given: its Err says what became of it, and the error
// is the first of them that is not ErrExists.
func (c *Client) EnqueueMany(ctx context.Context, jobs []NewJob) ([]Enqueued, error) {
	now := time.Now()
	waiting := make([]*pending, len(jobs))
	var invalid []error
	for i, job := range jobs {
		job, err := job.normalized()
		if err == nil {
			waiting[i] = &pending{queue: job.Queue, id: job.ID, record: job.encode(now), delay: job.Delay, special: job.special()}
		}
		if err != nil {
			if len(jobs) > 1 {
				err = fmt.Errorf("job %d: %w", i, err)
			}
			invalid = append(invalid, err)
		}
	}
	if len(invalid) > 0 {
		return nil, errors.Join(invalid...)
	}
	c.tellEnqueues(waiting, nil)
	c.lanes.add(ctx, waiting)
	var err error
	done := make([]Enqueued, len(jobs))
	for i, p := range waiting {
		done[i] = p.told()
		if err == nil && done[i].Err != nil && !errors.Is(done[i].Err, ErrExists) {
			err = done[i].Err
		}
	}
	c.tellEnqueues(waiting, done)
	return done, err
}

// enqueueCall writes jobs of one queue, which may have most scheduled ones; 0: any number.
func enqueueCall(jobs []*pending, most int) *call {
	plain := plainJobs(jobs)
	args := make([]any, 3, 3+3*plain+9*(len(jobs)-plain))
	args[0], args[1], args[2] = LayoutVersion, most, plain
	for _, p := range jobs[:plain] { // by pointers: a string in an interface costs an allocation
		args = append(args, &p.id, &p.record, delayMS(p.delay))
	}
	k := keysOf(jobs[0].queue)
	x := &call{script: enqueueScript, keys: []string{k.jobs(), k.scheduled(), k.wake(), k.stats(), k.meta()}, args: args}
	if plain < len(jobs) {
		x.keys = append(x.keys, k.unique())
		for _, p := range jobs[plain:] {
			x.addSpecial(k, p)
		}
	}
	return x
}

// enqueued reads the reply: the time and a word for each job behind it, or why none was written.
func enqueued(x *call, jobs []*pending) ([]string, error) {
	words, err := x.words()
	switch {
	case err != nil:
		return nil, err
	case len(words) == 2 && words[0] == "layout":
		return nil, layoutError(jobs[0].queue, words[1])
	case len(words) != 2+len(jobs):
		return nil, fmt.Errorf("%w: script enqueue answered %d words", ErrOutcomeUnknown, len(words))
	}
	return words, nil
}

// delayMS rounds up: a job must not be early by the rest of a millisecond.
func delayMS(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }
