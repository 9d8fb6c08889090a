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
	Err error     // ErrExists, or nil
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
	c.leastBusy(len(waiting)).add(ctx, waiting)
	var err error
	done := make([]Enqueued, len(jobs))
	for i, p := range waiting {
		done[i] = p.told()
		if err == nil && done[i].Err != nil && !errors.Is(done[i].Err, ErrExists) {
			err = done[i].Err
		}
	}
	return done, err
}

// delayMS rounds up: a job must not be early by the rest of a millisecond.
func delayMS(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }
