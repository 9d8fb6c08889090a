package api

import (
	"errors"
	"net/http"

	"github.com/punctualq/punctual/queue"
)

// ownSubject returns whose jobs the caller may read: "" for all. A token without scopes reads what it has registered itself,
// and one that says nobody has registered nothing.
func (c *call) ownSubject() (string, error) {
	switch {
	case c.caller.may(scopeRead):
		return "", nil
	case c.caller.subject == "":
		return "", refuse(errForbidden, "this needs a token with the scope "+scopeRead+", or one with a sub, which may read its own jobs")
	}
	return c.caller.subject, nil
}

// one returns the queue and the id of the job that the path names.
func (c *call) one() (name, id string, err error) {
	if name, err = c.queueName(); err != nil {
		return "", "", err
	}
	if id = c.pathVar("job_id", 128); id == "" {
		return "", "", queue.ErrNotFound // no job can be called so
	}
	c.entry.jobID = id
	c.deed = queue.Deed{Queue: name, Target: id, Jobs: 1}
	return name, id, nil
}

// listJobs answers GET /api/dm-jobqueue/jobs.
func (s *service) listJobs(c *call) error {
	subject, err := c.ownSubject()
	if err != nil {
		return err
	}
	name, err := c.queueName()
	if err != nil {
		return err
	}
	l, err := c.listing()
	if err != nil {
		return err
	}
	l.Subject = subject
	ctx, cancel := c.context()
	defer cancel()
	page, err := s.queue.List(ctx, name, l)
	if err != nil {
		return err
	}
	answer := jobsPage{Jobs: make([]jobJSON, len(page.Jobs)), Next: page.Next}
	for i, job := range page.Jobs {
		answer.Jobs[i] = jobOf(job)
	}
	return c.answer(http.StatusOK, answer)
}

type jobsPage struct {
	Jobs []jobJSON `json:"jobs"`
	Next string    `json:"next_cursor,omitempty"`
}

// getJob answers GET /api/dm-jobqueue/jobs/{job_id}. The job of somebody else is not there for who may read only his own.
func (s *service) getJob(c *call) error {
	subject, err := c.ownSubject()
	if err != nil {
		return err
	}
	name, id, err := c.one()
	if err != nil {
		return err
	}
	ctx, cancel := c.context()
	defer cancel()
	info, err := s.queue.Get(ctx, name, id)
	if err != nil {
		return err
	}
	if subject != "" && info.Subject != subject {
		return queue.ErrNotFound
	}
	return c.answer(http.StatusOK, jobOf(info))
}

// jobStatus is the answer of a verb that has changed the state of a job.
type jobStatus struct {
	JobID  string `json:"job_id"`
	Status string `json:"status"`
}

// cancelJob answers DELETE /api/dm-jobqueue/jobs/{job_id}.
func (s *service) cancelJob(c *call) error {
	name, id, err := c.one()
	if err != nil {
		return err
	}
	ctx, cancel := c.context()
	defer cancel()
	was, err := s.queue.Cancel(ctx, name, id)
	switch {
	case err != nil:
		return err
	case was == queue.Processing:
		return c.answer(http.StatusAccepted, jobStatus{id, "cancelling"})
	}
	return c.answer(http.StatusOK, jobStatus{id, "cancelled"})
}

// redriveJob answers POST /api/dm-jobqueue/jobs/{job_id}/redrive.
func (s *service) redriveJob(c *call) error {
	name, id, err := c.one()
	if err != nil {
		return err
	}
	ctx, cancel := c.context()
	defer cancel()
	err = s.queue.Redrive(ctx, name, id)
	if errors.Is(err, queue.ErrInvalid) {
		return refuse(queue.ErrInvalid, "the record of this job could not be read: there is nothing that could be run again")
	}
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, jobStatus{id, string(queue.Scheduled)})
}

// purgeJob answers POST /api/dm-jobqueue/jobs/{job_id}/purge.
func (s *service) purgeJob(c *call) error {
	name, id, err := c.one()
	if err != nil {
		return err
	}
	ctx, cancel := c.context()
	defer cancel()
	if err := s.queue.Purge(ctx, name, id); err != nil {
		return err
	}
	return c.answer(http.StatusOK, jobStatus{id, "purged"})
}
