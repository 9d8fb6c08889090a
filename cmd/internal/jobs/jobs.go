// Package jobs has the job types that come with the worker process: message, and for development sleep and fail.
package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/punctualq/punctual/worker"
)

// decode reads a payload strictly. One that does not fit is a permanent failure: it would not fit the next time either. The
// decoder's own words may quote the payload, which is never logged: they are left out.
func decode(job worker.Job, into any, want string) error {
	d := json.NewDecoder(bytes.NewReader(job.Payload))
	d.DisallowUnknownFields()
	if d.Decode(into) != nil {
		return worker.Permanent(fmt.Errorf("payload of job type %s must be %s", job.Type, want))
	}
	return nil
}

// given tells whether a job has a payload; null is none.
func given(job worker.Job) bool {
	return len(job.Payload) > 0 && !bytes.Equal(bytes.TrimSpace(job.Payload), []byte("null"))
}

const longestSleep = 365 * 24 * 60 * 60 // seconds

// Sleep runs {"seconds": n} for n seconds, or until its context ends; it then fails with the cause.
func Sleep(ctx context.Context, job worker.Job) error {
	const want = `{"seconds": n} with n from 0 to a year`
	var payload struct {
		Seconds *float64 `json:"seconds"`
	}
	if err := decode(job, &payload, want); err != nil {
		return err
	}
	if payload.Seconds == nil || *payload.Seconds < 0 || *payload.Seconds > longestSleep {
		return worker.Permanent(errors.New("payload of job type sleep must be " + want))
	}
	timer := time.NewTimer(time.Duration(*payload.Seconds * float64(time.Second)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Fail fails: {"times": n} the first n attempts, {} or no payload always; {"permanent": true} makes the failure final.
func Fail(_ context.Context, job worker.Job) error {
	var payload struct {
		Times     *int `json:"times"`
		Permanent bool `json:"permanent"`
	}
	if given(job) {
		if err := decode(job, &payload, `{"times": n}, {"permanent": true} or none`); err != nil {
			return err
		}
	}
	err := fmt.Errorf("fails as it was told to, attempt %d", job.Attempt)
	switch {
	case payload.Times != nil && job.Attempt > *payload.Times:
		return nil
	case payload.Permanent:
		return worker.Permanent(err)
	}
	return err
}
