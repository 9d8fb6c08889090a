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
	ID  string
	Due time.Time // by the clock of Redis; zero if Err is set
	Err error     // ErrExists, ErrConflict, ErrQueueFull, *UniqueError, or nil

	Replayed bool // the job is that of an earlier request with the same Idempotency
}

// Enqueue writes one job. It returns when Redis has it; from then on it runs at least once. With an error the job is not
// there (ErrUnavailable, ErrFull, ErrInvalid, ErrExists, ErrLayout), or it may be (ErrOutcomeUnknown): ask Get for its ID,
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
			waiting[i] = &pending{queue: job.Queue, id: job.ID, record: job.encode(now), delay: job.Delay}
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

// enqueueCall writes jobs of one queue.
func enqueueCall(jobs []*pending) *call {
	args := make([]any, 1, 1+3*len(jobs))
	args[0] = LayoutVersion
	for _, p := range jobs { // by pointers: a string in an interface costs an allocation
		args = append(args, &p.id, &p.record, delayMS(p.delay))
	}
	k := keysOf(jobs[0].queue)
	return &call{script: enqueueScript, keys: []string{k.jobs(), k.scheduled(), k.wake(), k.stats(), k.meta()}, args: args}
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
