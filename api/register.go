package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/punctualq/punctual/queue"
)

// register answers POST /api/dm-jobqueue/register.
func (s *service) register(c *call) error {
	key, err := idempotencyKey(c.r.Header)
	if err != nil {
		return err
	}
	body, err := readBody(c.w, c.r, maxBody)
	if err != nil {
		return err
	}
	job, f, err := c.newJob(body, key)
	if err != nil {
		return err
	}
	if repeatable(job) {
		c.entry.tells = tellsRepeatable
	}
	ctx, cancel := c.context()
	defer cancel()
	done, err := s.queue.Enqueue(ctx, job)
	c.entry.jobID = done.ID
	if err != nil {
		return s.refused(ctx, job, f, err)
	}
	if done.Replayed {
		c.w.Header().Set("Idempotency-Replayed", "true")
	}
	c.w.Header().Set("Location", location(job.Queue, done.ID))
	return c.answer(http.StatusCreated, registered{done.ID, "registered"})
}

type registered struct {
	JobID  string `json:"job_id"`
	Status string `json:"status"`
}

// location is the path of a job.
func location(name, id string) string {
	path := pathJobs + url.PathEscape(id)
	if name != "" && name != queue.DefaultQueue {
		path += "?queue=" + name
	}
	return path
}

// newJob makes the job that a body describes. Its form is there for what the queue refuses later.
func (c *call) newJob(body []byte, key string) (queue.NewJob, *form, error) {
	members, err := parseObject(body, fieldNames)
	if err != nil {
		return queue.NewJob{}, nil, err
	}
	f := &form{members: members, names: fieldNames, maxDelay: c.gate.maxDelay}
	job := f.job()
	job.Subject, job.TraceParent = c.caller.subject, traceParent(c.r.Header)
	if err := f.check(job.Validate()); err != nil {
		return job, f, err
	}
	if key != "" {
		job.Idempotency = idempotency(key, c.entry.route.template, c.caller, job, members)
	}
	return job, f, c.permit(cmp.Or(job.Queue, queue.DefaultQueue))
}

// repeatable tells whether the same request finds its job again.
func repeatable(job queue.NewJob) bool { return job.ID != "" || job.Idempotency != nil }

// refused puts what became of a job that was not registered in terms of its request.
func (s *service) refused(ctx context.Context, job queue.NewJob, f *form, err error) error {
	switch {
	case errors.Is(err, queue.ErrInvalid):
		return f.check(err)
	case errors.Is(err, queue.ErrExists) && job.ID != "":
		taken := &clash{err: errJobExists, jobID: job.ID}
		if info, err := s.queue.Get(ctx, cmp.Or(job.Queue, queue.DefaultQueue), job.ID); err == nil {
			taken.state = info.State // without it the answer is still right
		}
		return taken
	}
	return err
}
