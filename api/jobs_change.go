package api

import (
	"net/http"

	"github.com/punctualq/punctual/queue"
)

// runJob answers POST /api/dm-jobqueue/jobs/{job_id}/run.
func (s *service) runJob(c *call) error {
	name, id, err := c.one()
	if err != nil {
		return err
	}
	return s.moveDue(c, &form{}, name, id, queue.When{})
}

// rescheduleJob answers POST /api/dm-jobqueue/jobs/{job_id}/reschedule.
func (s *service) rescheduleJob(c *call) error {
	name, id, err := c.one()
	if err != nil {
		return err
	}
	f, err := c.readObject("delay_seconds", "run_at")
	if err != nil {
		return err
	}
	if !f.has("delay_seconds") && !f.has("run_at") {
		f.refuse("delay_seconds", "must be there, or run_at")
	}
	delay, at := f.due(0)
	if err := f.check(queue.NewJob{ID: "x", Delay: delay, At: at}.Validate()); err != nil {
		return err
	}
	return s.moveDue(c, f, name, id, queue.When{In: delay, At: at})
}

func (s *service) moveDue(c *call, f *form, name, id string, when queue.When) error {
	ctx, cancel := c.context()
	defer cancel()
	due, err := s.queue.Reschedule(ctx, name, id, when)
	if err != nil {
		return f.of(err)
	}
	return c.answer(http.StatusOK, dueJSON{id, moment(due)})
}

type dueJSON struct {
	JobID string `json:"job_id"`
	Due   moment `json:"due_at"`
}

// editJob answers PATCH /api/dm-jobqueue/jobs/{job_id}. Unlike elsewhere null says something: it takes the payload or the metadata away.
func (s *service) editJob(c *call) error {
	name, id, err := c.one()
	if err != nil {
		return err
	}
	body, err := readBody(c.w, c.r, maxBody)
	if err != nil {
		return err
	}
	names := []string{"payload", "max_retry", "metadata"}
	members, err := parseMembers(body, names)
	if err != nil {
		return err
	}
	f := &form{members: members, names: names}
	change, err := f.changes()
	if err != nil {
		return err
	}
	ctx, cancel := c.context()
	defer cancel()
	info, err := s.queue.Edit(ctx, name, id, change)
	if err != nil {
		return f.of(err)
	}
	return c.answer(http.StatusOK, jobOf(info))
}

// changes returns what is to change. The queue's rules for a new job hold for a changed one.
func (f *form) changes() (queue.Changes, error) {
	var change queue.Changes
	would := queue.NewJob{ID: "x"}
	if f.has("payload") {
		change.Payload = f.payload()
		would.Payload = change.Payload
	}
	if f.has("max_retry") {
		would.MaxRetry = f.maxRetry()
		change.MaxRetry = new(max(0, would.MaxRetry))
	}
	if f.has("metadata") {
		would.Metadata = map[string]string{}
		if string(f.members["metadata"]) != "null" {
			would.Metadata = f.texts("metadata")
		}
		change.Metadata = &would.Metadata
	}
	return change, f.check(would.Validate())
}
