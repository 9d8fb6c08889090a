package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/punctualq/punctual/queue"
)

// queueJSON is a queue in figures.
type queueJSON struct {
	Queue      string `json:"queue"`
	Scheduled  int    `json:"scheduled"`
	Due        int    `json:"due"`
	Processing int    `json:"processing"`
	Dead       int    `json:"dead"`
	Done       int    `json:"done"`
	OldestDue  moment `json:"oldest_due,omitzero"` // absent if nothing is due
	NextDue    moment `json:"next_due,omitzero"`   // absent if nothing waits for its time
	LatenessMS int64  `json:"lateness_ms"`
	Paused     bool   `json:"paused"`
	Workers    int    `json:"workers"`
}

func queueOf(o queue.Overview) queueJSON {
	return queueJSON{Queue: o.Queue, Scheduled: o.Scheduled, Due: o.Due, Processing: o.Processing, Dead: o.Dead, Done: o.Done,
		OldestDue: moment(o.OldestDue), NextDue: moment(o.NextDue), LatenessMS: o.Lateness().Milliseconds(), Paused: o.Paused, Workers: o.Workers}
}

// overviews returns the figures of all queues that the caller may see.
func (s *service) overviews(c *call) ([]queue.Overview, error) {
	ctx, cancel := c.context()
	defer cancel()
	all, err := s.queue.Overviews(ctx)
	var seen []queue.Overview
	for _, o := range all {
		if c.caller.sees(o.Queue) {
			seen = append(seen, o)
		}
	}
	return seen, err
}

// listQueues answers GET /api/dm-jobqueue/queues.
func (s *service) listQueues(c *call) error {
	all, err := s.overviews(c)
	if err != nil {
		return err
	}
	queues := make([]queueJSON, len(all))
	for i, o := range all {
		queues[i] = queueOf(o)
	}
	return c.answer(http.StatusOK, map[string]any{"queues": queues})
}

// pathQueue returns the queue that the path names.
func (c *call) pathQueue() (string, error) {
	name := c.pathVar("queue", 64)
	if !isQueueName(name) {
		return "", queue.ErrNoQueue // none can be called so
	}
	c.deed.Queue = name
	return name, c.permit(name)
}

// getQueue answers GET /api/dm-jobqueue/queues/{queue}.
func (s *service) getQueue(c *call) error {
	name, err := c.pathQueue()
	if err != nil {
		return err
	}
	ctx, cancel := c.context()
	defer cancel()
	o, err := s.queue.Overview(ctx, name)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, queueOf(o))
}

type pausedJSON struct {
	Queue   string `json:"queue"`
	Paused  bool   `json:"paused"`
	Changed bool   `json:"changed"`
}

// pauseQueue answers POST /api/dm-jobqueue/queues/{queue}/pause.
func (s *service) pauseQueue(c *call) error { return c.setPaused(true, s.queue.Pause) }

// resumeQueue answers POST /api/dm-jobqueue/queues/{queue}/resume.
func (s *service) resumeQueue(c *call) error { return c.setPaused(false, s.queue.Resume) }

func (c *call) setPaused(paused bool, do func(context.Context, string) (bool, error)) error {
	name, err := c.pathQueue()
	if err != nil {
		return err
	}
	ctx, cancel := c.context()
	defer cancel()
	changed, err := do(ctx, name)
	if err != nil {
		return err
	}
	c.unchanged = !changed
	return c.answer(http.StatusOK, pausedJSON{name, paused, changed})
}

// redriveQueue answers POST /api/dm-jobqueue/queues/{queue}/redrive.
func (s *service) redriveQueue(c *call) error {
	return c.moveMany(s.queue.RedriveAll, "type", "older_than_seconds", "limit", "cursor")
}

// purgeQueue answers POST /api/dm-jobqueue/queues/{queue}/purge.
func (s *service) purgeQueue(c *call) error {
	return c.moveMany(s.queue.PurgeAll, "state", "type", "older_than_seconds", "limit", "cursor")
}

type movedJSON struct {
	Moved      int    `json:"moved"`
	Unreadable int    `json:"unreadable,omitempty"`
	More       bool   `json:"more"`
	Cursor     string `json:"cursor,omitempty"`
}

func movedOf(m queue.Moved, more bool) movedJSON {
	return movedJSON{m.Jobs, m.Unreadable, more, m.Next}
}

// moveMany does as much as fits into the time of one request.
func (c *call) moveMany(do func(context.Context, string, queue.Filter) (queue.Moved, error), fields ...string) error {
	name, err := c.pathQueue()
	if err != nil {
		return err
	}
	f, err := c.readObject(fields...)
	if err != nil {
		return err
	}
	filter, err := f.filter()
	if err != nil {
		return err
	}
	ctx, cancel := c.context()
	defer cancel()
	moved, err := do(ctx, name, filter)
	c.entry.jobs = moved.Jobs // of one that failed then, too: the trail tells of these
	c.deed.Target, c.deed.Jobs = filter.String(), moved.Jobs
	switch {
	case err == nil:
		return c.answer(http.StatusOK, movedOf(moved, moved.More))
	case moved.Jobs == 0:
		return f.of(err)
	case errors.Is(err, queue.ErrUnavailable) && !errors.Is(err, queue.ErrOutcomeUnknown):
		return c.answer(http.StatusOK, movedOf(moved, true)) // these are moved, and no others
	}
	c.entry.tells.maybe = fmt.Sprintf("%d jobs were moved, and perhaps some more", moved.Jobs)
	return err
}

const maxMove = 100_000 // jobs of one request

// filter returns which jobs a verb for many is for.
func (f *form) filter() (queue.Filter, error) {
	filter := queue.Filter{Type: f.name("type")}
	if f.has("state") {
		filter.State = queue.State(f.name("state"))
		if filter.State != queue.Dead && filter.State != queue.Scheduled && filter.State != queue.Done {
			f.refuse("state", "must be dead, scheduled or done")
		}
	}
	const oldest = int64(queue.MaxDelay / time.Second)
	age := f.integer("older_than_seconds", 0, oldest)
	if age < 0 || age > oldest {
		f.refuse("older_than_seconds", fmt.Sprintf("must be between 0 and %d", oldest))
	}
	filter.MinAge = time.Duration(age) * time.Second
	limit := f.integer("limit", 0, maxMove)
	if f.has("limit") && (limit < 1 || limit > maxMove) {
		f.refuse("limit", fmt.Sprintf("must be between 1 and %d", maxMove))
	}
	filter.Limit, filter.Cursor = int(limit), f.name("cursor")
	return filter, f.check(queue.NewJob{ID: "x", Type: filter.Type}.Validate())
}
