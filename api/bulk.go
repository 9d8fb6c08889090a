package api

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/punctualq/punctual/queue"
)

const maxBulk = 1000 // jobs of one request

// bulkResult is what became of one job: registered, or a problem as if it had been sent alone.
type bulkResult struct {
	Status   int      `json:"status"`
	JobID    string   `json:"job_id,omitempty"`
	Replayed bool     `json:"replayed,omitempty"`
	Problem  *problem `json:"problem,omitempty"`
}

// candidate is one job of a request for many.
type candidate struct {
	job queue.NewJob
	f   *form
	err error // why it is not handed to the queue
}

// registerBulk answers POST /api/dm-jobqueue/register/bulk: one result for each job, in order.
func (s *service) registerBulk(c *call) error {
	key, err := idempotencyKey(c.r.Header)
	if err != nil {
		return err
	}
	bodies, err := readBulk(c)
	if err != nil {
		return err
	}
	all := make([]candidate, len(bodies))
	var good []queue.NewJob // the queue takes all or none: what it would refuse is not among them
	for i, body := range bodies {
		own := key
		if key != "" {
			own = fmt.Sprintf("%s/%d", key, i)
		}
		x := &all[i]
		if x.job, x.f, x.err = c.newJob(body, own); x.err == nil {
			good = append(good, x.job)
		}
	}
	ctx, cancel := c.context()
	defer cancel()
	var done []queue.Enqueued
	if len(good) > 0 {
		if done, err = s.queue.EnqueueMany(ctx, good); len(done) != len(good) { // each of them was taken by itself
			return fmt.Errorf("the queue tells of %d jobs out of %d: %v", len(done), len(good), err)
		}
	}
	results := make([]bulkResult, len(all))
	for i, x := range all {
		var one queue.Enqueued
		if x.err == nil {
			one, done = done[0], done[1:]
			if x.err = one.Err; x.err != nil {
				x.err = s.refused(ctx, x.job, x.f, x.err)
			}
		}
		results[i] = c.bulkResult(i, x, one)
	}
	return c.answer(http.StatusOK, map[string]any{"results": results})
}

// bulkResult tells of one job, and notes for the log what is worth it.
func (c *call) bulkResult(i int, x candidate, done queue.Enqueued) bulkResult {
	if x.err == nil {
		c.entry.jobs++
		return bulkResult{Status: http.StatusCreated, JobID: done.ID, Replayed: done.Replayed}
	}
	t := tellsRegister
	if repeatable(x.job) {
		t = tellsRepeatable
	}
	p := c.entry.problemOf(x.err, t, done.ID)
	for n := range p.Errors {
		p.Errors[n].Pointer = fmt.Sprintf("/jobs/%d%s", i, p.Errors[n].Pointer)
	}
	if p.Status >= 500 && c.entry.err == nil {
		c.entry.err, c.entry.code = x.err, p.Code // the first will do
	}
	return bulkResult{Status: p.Status, Problem: p}
}

// readBulk returns the bodies of the jobs.
func readBulk(c *call) ([]json.RawMessage, error) {
	body, err := readBody(c.w, c.r, maxBulkBody)
	if err != nil {
		return nil, err
	}
	members, err := parseObject(body, []string{"jobs"})
	if err != nil {
		return nil, err
	}
	var jobs []json.RawMessage
	if raw := members["jobs"]; len(raw) == 0 || json.Unmarshal(raw, &jobs) != nil || len(jobs) == 0 || len(jobs) > maxBulk {
		return nil, &invalidJob{[]fieldError{{"/jobs", fmt.Sprintf("must be an array of 1 to %d jobs", maxBulk)}}}
	}
	return jobs, nil
}
