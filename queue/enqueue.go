package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
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
	c.combine.add(ctx, c.flush, waiting)
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

// flush sends one batch, a script a queue in one pipeline, and gives each job its answer.
func (c *Client) flush(ctx context.Context, batch []*pending) {
	byQueue := map[string][]*pending{}
	var order []string
	for _, p := range batch {
		if byQueue[p.queue] == nil {
			order = append(order, p.queue)
			if err := c.remember(ctx, p.queue); err != nil { // Redis is away, or its answer is: do not even start
				for _, p := range batch {
					p.answer(time.Time{}, err)
				}
				return
			}
		}
		byQueue[p.queue] = append(byQueue[p.queue], p)
	}
	calls := make([]*call, len(order))
	for i, q := range order {
		k := keysOf(q)
		args := make([]any, 1, 1+3*len(byQueue[q]))
		args[0] = LayoutVersion
		for _, p := range byQueue[q] { // by pointers: a string in an interface costs an allocation
			args = append(args, &p.id, &p.record, delayMS(p.delay))
		}
		calls[i] = &call{script: enqueueScript, keys: []string{k.jobs(), k.scheduled(), k.wake(), k.stats(), k.meta()}, args: args}
	}
	c.enqueue.run(ctx, calls...)
	for i, q := range order {
		words, err := calls[i].words()
		c.suspect = c.suspect || errors.Is(err, ErrOutcomeUnknown) || errors.Is(err, ErrUnavailable)
		if err == nil && len(words) == 2 && words[0] == "layout" {
			err = layoutError(q, words[1])
		} else if err == nil && len(words) != 2+len(byQueue[q]) {
			err = fmt.Errorf("%w: script enqueue answered %d words", ErrOutcomeUnknown, len(words))
		}
		for n, p := range byQueue[q] {
			switch {
			case err != nil:
				p.answer(time.Time{}, err)
			case words[2+n] == "exists":
				p.answer(time.Time{}, ErrExists)
			default:
				p.answer(time.UnixMilli(millis(words[1])).Add(time.Duration(delayMS(p.delay))*time.Millisecond), nil)
			}
		}
	}
}

// reach makes sure that Redis answers: the queues are known to it, and after a failure a PING comes back. Nothing is on its
// way before that, so nobody is told of an unknown outcome who only waited for a connection.
func (c *Client) reach(ctx context.Context, queues []string) error {
	for _, q := range queues {
		if err := c.remember(ctx, q); err != nil {
			return err
		}
	}
	if !c.suspect {
		return nil
	}
	var answer redis.Error
	if err := c.enqueue.Ping(ctx).Err(); err != nil && !errors.As(err, &answer) {
		return classify(err, false)
	}
	c.suspect = false
	return nil
}

// delayMS rounds up: a job must not be early by the rest of a millisecond.
func delayMS(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }
