package ui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/punctualq/punctual/queue"
)

// errUntold is what the parts of Redis that are not told of answer with.
var errUntold = errors.New("not told")

// fake is a queue that answers every verb with what is in it, and notes what it was asked.
type fake struct {
	mu    sync.Mutex
	asked []string
	deeds []queue.Deed
	err   error                          // of every verb
	fails func(verb string) error        // of one
	hold  func(context.Context) error    // if set, comes before every verb
	jobs  map[string]queue.Info          // for Get
	list  func(queue.Listing) queue.Page // for List
	moved queue.Moved                    // for RedriveAll and PurgeAll
	due   func(id string, w queue.When) time.Time
	state queue.State // in which Cancel finds a job

	overviews []queue.Overview
	workers   []queue.WorkerState
	groups    []queue.DeadGroup
	others    int
	minutes   []queue.Minute
	server    queue.ServerInfo
	trail     []queue.Deed
	problems  []queue.Problem
	untold    bool // the pages' additions fail
	record    error
}

func (q *fake) ask(ctx context.Context, verb string, args ...any) error {
	words := []string{verb}
	for _, arg := range args {
		words = append(words, fmt.Sprintf("%+v", arg))
	}
	q.mu.Lock()
	q.asked = append(q.asked, strings.Join(words, " "))
	q.mu.Unlock()
	if q.hold != nil {
		if err := q.hold(ctx); err != nil {
			return err
		}
	}
	if q.fails != nil {
		if err := q.fails(words[0]); err != nil {
			return err
		}
	}
	return q.err
}

func (q *fake) count(verb string) (n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, asked := range q.asked {
		if asked == verb || strings.HasPrefix(asked, verb+" ") {
			n++
		}
	}
	return n
}

// changes are the verbs that were asked for and that change something.
func (q *fake) changes() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(q.asked), func(asked string) bool {
		verb, _, _ := strings.Cut(asked, " ")
		return slices.Contains([]string{"overviews", "overview", "workers", "list", "get", "minutes", "groups", "server", "trail"}, verb)
	})
}

func (q *fake) Get(ctx context.Context, name, id string) (queue.Info, error) {
	if err := q.ask(ctx, "get", name, id); err != nil {
		return queue.Info{}, err
	}
	info, ok := q.jobs[id]
	if !ok {
		return queue.Info{}, queue.ErrNotFound
	}
	return info, nil
}

func (q *fake) List(ctx context.Context, name string, l queue.Listing) (queue.Page, error) {
	if err := q.ask(ctx, "list", name, l); err != nil || q.list == nil {
		return queue.Page{}, err
	}
	return q.list(l), nil
}

func (q *fake) Cancel(ctx context.Context, name, id string) (queue.State, error) {
	return q.state, q.ask(ctx, "cancel", name, id)
}

func (q *fake) Reschedule(ctx context.Context, name, id string, when queue.When) (time.Time, error) {
	err := q.ask(ctx, "reschedule", name, id, when)
	if err != nil || q.due == nil {
		return time.Time{}, err
	}
	return q.due(id, when), nil
}

func (q *fake) Redrive(ctx context.Context, name, id string) error {
	return q.ask(ctx, "redrive", name, id)
}

func (q *fake) Edit(ctx context.Context, name, id string, c queue.Changes) (queue.Info, error) {
	words := []any{name, id, string(c.Payload)}
	if c.MaxRetry != nil {
		words = append(words, *c.MaxRetry)
	}
	if c.Metadata != nil {
		words = append(words, *c.Metadata)
	}
	return q.jobs[id], q.ask(ctx, "edit", words...)
}

func (q *fake) Overview(ctx context.Context, name string) (queue.Overview, error) {
	err := q.ask(ctx, "overview", name)
	for _, o := range q.overviews {
		if o.Queue == name {
			return o, err
		}
	}
	return queue.Overview{}, errors.Join(err, queue.ErrNoQueue)
}

func (q *fake) Overviews(ctx context.Context) ([]queue.Overview, error) {
	return q.overviews, q.ask(ctx, "overviews")
}

func (q *fake) Pause(ctx context.Context, name string) (bool, error) {
	return true, q.ask(ctx, "pause", name)
}

func (q *fake) Resume(ctx context.Context, name string) (bool, error) {
	return true, q.ask(ctx, "resume", name)
}

func (q *fake) Purge(ctx context.Context, name, id string) error {
	return q.ask(ctx, "purge", name, id)
}

func (q *fake) RedriveAll(ctx context.Context, name string, f queue.Filter) (queue.Moved, error) {
	return q.moved, q.ask(ctx, "redrive-all", name, fields(f))
}

func (q *fake) PurgeAll(ctx context.Context, name string, f queue.Filter) (queue.Moved, error) {
	return q.moved, q.ask(ctx, "purge-all", name, fields(f))
}

func (q *fake) Workers(ctx context.Context) ([]queue.WorkerState, error) {
	return q.workers, q.ask(ctx, "workers")
}

func (q *fake) Quiet(ctx context.Context, id string) error { return q.ask(ctx, "quiet", id) }
func (q *fake) Stop(ctx context.Context, id string) error  { return q.ask(ctx, "stop", id) }

// told is the error of what may be left untold.
func (q *fake) told(err error) error {
	if q.untold {
		return errUntold
	}
	return err
}

func (q *fake) DeadGroups(ctx context.Context, name string) ([]queue.DeadGroup, int, error) {
	return q.groups, q.others, q.told(q.ask(ctx, "groups", name))
}

func (q *fake) Minutes(ctx context.Context, name string, last int) ([]queue.Minute, error) {
	return q.minutes, q.told(q.ask(ctx, "minutes", name, last))
}

func (q *fake) Server(ctx context.Context, name string) (queue.ServerInfo, error) {
	return q.server, q.told(q.ask(ctx, "server", name))
}

func (q *fake) Trail(ctx context.Context, name string, limit int) ([]queue.Deed, error) {
	return q.trail, q.told(q.ask(ctx, "trail", name, limit))
}

func (q *fake) Record(_ context.Context, d queue.Deed) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.deeds = append(q.deeds, d)
	return q.record
}

func (q *fake) Health(context.Context) []queue.Problem { return q.problems }

// fields is a filter that is printed field by field.
type fields queue.Filter
