package api

import (
	"cmp"
	"context"
	"time"

	"github.com/punctualq/punctual/queue"
)

// guardedQueue is a queue behind breakers: that of the queue in question, or one for what concerns them all. Health alone is asked in
// any case: it is what tells how Redis is.
type guardedQueue struct {
	Queue
	breakers *breakers
}

func (q *guardedQueue) Enqueue(ctx context.Context, job queue.NewJob) (queue.Enqueued, error) {
	return guard(q.breakers, cmp.Or(job.Queue, queue.DefaultQueue), func() (queue.Enqueued, error) { return q.Queue.Enqueue(ctx, job) })
}

// EnqueueMany goes by the queue of the first job.
func (q *guardedQueue) EnqueueMany(ctx context.Context, jobs []queue.NewJob) ([]queue.Enqueued, error) {
	name := queue.DefaultQueue
	if len(jobs) > 0 {
		name = cmp.Or(jobs[0].Queue, name)
	}
	return guard(q.breakers, name, func() ([]queue.Enqueued, error) { return q.Queue.EnqueueMany(ctx, jobs) })
}

func (q *guardedQueue) Get(ctx context.Context, name, id string) (queue.Info, error) {
	return guard(q.breakers, name, func() (queue.Info, error) { return q.Queue.Get(ctx, name, id) })
}

func (q *guardedQueue) List(ctx context.Context, name string, l queue.Listing) (queue.Page, error) {
	return guard(q.breakers, name, func() (queue.Page, error) { return q.Queue.List(ctx, name, l) })
}

func (q *guardedQueue) Cancel(ctx context.Context, name, id string) (queue.State, error) {
	return guard(q.breakers, name, func() (queue.State, error) { return q.Queue.Cancel(ctx, name, id) })
}

func (q *guardedQueue) Reschedule(ctx context.Context, name, id string, when queue.When) (time.Time, error) {
	return guard(q.breakers, name, func() (time.Time, error) { return q.Queue.Reschedule(ctx, name, id, when) })
}

func (q *guardedQueue) Redrive(ctx context.Context, name, id string) error {
	return guardError(q.breakers, name, func() error { return q.Queue.Redrive(ctx, name, id) })
}

func (q *guardedQueue) Purge(ctx context.Context, name, id string) error {
	return guardError(q.breakers, name, func() error { return q.Queue.Purge(ctx, name, id) })
}

func (q *guardedQueue) Edit(ctx context.Context, name, id string, change queue.Changes) (queue.Info, error) {
	return guard(q.breakers, name, func() (queue.Info, error) { return q.Queue.Edit(ctx, name, id, change) })
}

func (q *guardedQueue) Overview(ctx context.Context, name string) (queue.Overview, error) {
	return guard(q.breakers, name, func() (queue.Overview, error) { return q.Queue.Overview(ctx, name) })
}

func (q *guardedQueue) Overviews(ctx context.Context) ([]queue.Overview, error) {
	return guard(q.breakers, "", func() ([]queue.Overview, error) { return q.Queue.Overviews(ctx) })
}

func (q *guardedQueue) Pause(ctx context.Context, name string) (bool, error) {
	return guard(q.breakers, name, func() (bool, error) { return q.Queue.Pause(ctx, name) })
}

func (q *guardedQueue) Resume(ctx context.Context, name string) (bool, error) {
	return guard(q.breakers, name, func() (bool, error) { return q.Queue.Resume(ctx, name) })
}

func (q *guardedQueue) RedriveAll(ctx context.Context, name string, f queue.Filter) (queue.Moved, error) {
	return guard(q.breakers, name, func() (queue.Moved, error) { return q.Queue.RedriveAll(ctx, name, f) })
}

func (q *guardedQueue) PurgeAll(ctx context.Context, name string, f queue.Filter) (queue.Moved, error) {
	return guard(q.breakers, name, func() (queue.Moved, error) { return q.Queue.PurgeAll(ctx, name, f) })
}

func (q *guardedQueue) Workers(ctx context.Context) ([]queue.WorkerState, error) {
	return guard(q.breakers, "", func() ([]queue.WorkerState, error) { return q.Queue.Workers(ctx) })
}

func (q *guardedQueue) Quiet(ctx context.Context, worker string) error {
	return guardError(q.breakers, "", func() error { return q.Queue.Quiet(ctx, worker) })
}

func (q *guardedQueue) Stop(ctx context.Context, worker string) error {
	return guardError(q.breakers, "", func() error { return q.Queue.Stop(ctx, worker) })
}

func (q *guardedQueue) Limit(ctx context.Context, subject string, rate float64, burst int) (time.Duration, error) {
	return guard(q.breakers, "limit of "+subject, func() (time.Duration, error) { return q.Queue.Limit(ctx, subject, rate, burst) })
}

func (q *guardedQueue) Minutes(ctx context.Context, name string, last int) ([]queue.Minute, error) {
	return guard(q.breakers, name, func() ([]queue.Minute, error) { return q.Queue.Minutes(ctx, name, last) })
}

func (q *guardedQueue) Server(ctx context.Context, name string) (queue.ServerInfo, error) {
	return guard(q.breakers, name, func() (queue.ServerInfo, error) { return q.Queue.Server(ctx, name) })
}

func (q *guardedQueue) Trail(ctx context.Context, name string, limit int) ([]queue.Deed, error) {
	return guard(q.breakers, name, func() ([]queue.Deed, error) { return q.Queue.Trail(ctx, name, limit) })
}

func (q *guardedQueue) Record(ctx context.Context, d queue.Deed) error {
	return guardError(q.breakers, d.Queue, func() error { return q.Queue.Record(ctx, d) })
}

func (q *guardedQueue) DeadGroups(ctx context.Context, name string) (groups []queue.DeadGroup, others int, err error) {
	groups, err = guard(q.breakers, name, func() (all []queue.DeadGroup, err error) {
		all, others, err = q.Queue.DeadGroups(ctx, name)
		return all, err
	})
	return groups, others, err
}
