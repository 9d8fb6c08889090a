package api

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/punctualq/punctual/queue"
)

// fakeQueue takes every job, and answers every verb with what is in it, or with err. It validates nothing: see realQueue.
type fakeQueue struct {
	mu       sync.Mutex
	jobs     []queue.NewJob
	asked    []string // verbs with their arguments
	err      error
	enqueue  func(context.Context) error // if set, decides the error of every verb
	problems func(context.Context) []queue.Problem
	limit    func(subject string, rate float64, burst int) (time.Duration, error)

	enqueued  []queue.Enqueued // if set, the answer of EnqueueMany
	replayed  bool
	info      queue.Info
	getErr    error
	page      queue.Page
	state     queue.State
	due       time.Time
	overviews []queue.Overview
	moved     queue.Moved
	changed   bool
	workers   []queue.WorkerState
	deeds     []queue.Deed // recorded
	recordErr error
}

// ask notes the verb and decides its error.
func (q *fakeQueue) ask(ctx context.Context, verb string, args ...any) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	words := []string{verb}
	for _, arg := range args {
		words = append(words, fmt.Sprintf("%+v", arg))
	}
	q.asked = append(q.asked, strings.Join(words, " "))
	if q.enqueue != nil {
		return q.enqueue(ctx)
	}
	return q.err
}

func (q *fakeQueue) Enqueue(ctx context.Context, job queue.NewJob) (queue.Enqueued, error) {
	err := q.ask(ctx, "enqueue")
	if err == nil {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.jobs = append(q.jobs, job)
	}
	id := testJobID
	if job.ID != "" {
		id = job.ID
	}
	return queue.Enqueued{ID: id, Err: err, Replayed: q.replayed}, err
}

func (q *fakeQueue) EnqueueMany(ctx context.Context, jobs []queue.NewJob) ([]queue.Enqueued, error) {
	err := q.ask(ctx, "enqueue", len(jobs))
	q.jobs = append(q.jobs, jobs...)
	if q.enqueued != nil {
		return q.enqueued, err
	}
	done := make([]queue.Enqueued, len(jobs))
	for i := range done {
		done[i] = queue.Enqueued{ID: fmt.Sprint("id-", i), Err: err}
	}
	return done, err
}

func (q *fakeQueue) Get(ctx context.Context, name, id string) (queue.Info, error) {
	err := q.ask(ctx, "get", name, id)
	if q.getErr != nil {
		err = q.getErr
	}
	return q.info, err
}

func (q *fakeQueue) List(ctx context.Context, name string, l queue.Listing) (queue.Page, error) {
	return q.page, q.ask(ctx, "list", name, l)
}

func (q *fakeQueue) Cancel(ctx context.Context, name, id string) (queue.State, error) {
	return q.state, q.ask(ctx, "cancel", name, id)
}

func (q *fakeQueue) Reschedule(ctx context.Context, name, id string, when queue.When) (time.Time, error) {
	return q.due, q.ask(ctx, "reschedule", name, id, when)
}

func (q *fakeQueue) Redrive(ctx context.Context, name, id string) error {
	return q.ask(ctx, "redrive", name, id)
}

func (q *fakeQueue) Edit(ctx context.Context, name, id string, change queue.Changes) (queue.Info, error) {
	words := []any{name, id, "payload=" + string(change.Payload)}
	if change.MaxRetry != nil {
		words = append(words, fmt.Sprint("max_retry=", *change.MaxRetry))
	}
	if change.Metadata != nil {
		words = append(words, fmt.Sprint("metadata=", *change.Metadata))
	}
	return q.info, q.ask(ctx, "edit", words...)
}

func (q *fakeQueue) Overview(ctx context.Context, name string) (queue.Overview, error) {
	if err := q.ask(ctx, "overview", name); err != nil {
		return queue.Overview{}, err
	}
	for _, o := range q.overviews {
		if o.Queue == name {
			return o, nil
		}
	}
	return queue.Overview{}, queue.ErrNoQueue
}

func (q *fakeQueue) Overviews(ctx context.Context) ([]queue.Overview, error) {
	return q.overviews, q.ask(ctx, "overviews")
}

func (q *fakeQueue) Pause(ctx context.Context, name string) (bool, error) {
	return q.changed, q.ask(ctx, "pause", name)
}

func (q *fakeQueue) Resume(ctx context.Context, name string) (bool, error) {
	return q.changed, q.ask(ctx, "resume", name)
}

func (q *fakeQueue) Purge(ctx context.Context, name, id string) error {
	return q.ask(ctx, "purge", name, id)
}

func (q *fakeQueue) RedriveAll(ctx context.Context, name string, f queue.Filter) (queue.Moved, error) {
	return q.moved, q.ask(ctx, "redrive-all", name, fields(f))
}

func (q *fakeQueue) PurgeAll(ctx context.Context, name string, f queue.Filter) (queue.Moved, error) {
	return q.moved, q.ask(ctx, "purge-all", name, fields(f))
}

func (q *fakeQueue) Workers(ctx context.Context) ([]queue.WorkerState, error) {
	return q.workers, q.ask(ctx, "workers")
}

func (q *fakeQueue) Quiet(ctx context.Context, worker string) error {
	return q.ask(ctx, "quiet", worker)
}

func (q *fakeQueue) Stop(ctx context.Context, worker string) error { return q.ask(ctx, "stop", worker) }

func (q *fakeQueue) Health(ctx context.Context) []queue.Problem {
	if q.problems == nil {
		return nil
	}
	return q.problems(ctx)
}

func (q *fakeQueue) DeadGroups(ctx context.Context, name string) ([]queue.DeadGroup, int, error) {
	return nil, 0, q.ask(ctx, "dead-groups", name)
}

func (q *fakeQueue) Minutes(ctx context.Context, name string, last int) ([]queue.Minute, error) {
	return nil, q.ask(ctx, "minutes", name, last)
}

func (q *fakeQueue) Server(ctx context.Context, name string) (queue.ServerInfo, error) {
	return queue.ServerInfo{}, q.ask(ctx, "server", name)
}

func (q *fakeQueue) Trail(ctx context.Context, name string, limit int) ([]queue.Deed, error) {
	return q.deeds, q.ask(ctx, "trail", name, limit)
}

// Record keeps the deed apart from what was asked.
func (q *fakeQueue) Record(_ context.Context, d queue.Deed) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.deeds = append(q.deeds, d)
	return q.recordErr
}

// fields is a filter that is printed field by field.
type fields queue.Filter
