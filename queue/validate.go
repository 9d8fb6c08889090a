package queue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Validate says whether Enqueue would take the job: nil, or every field that it refuses, each an *InvalidError.
func (j NewJob) Validate() error {
	_, err := j.normalized()
	return err
}

// normalized fills in the defaults and reports every field that cannot be taken.
func (j NewJob) normalized() (NewJob, error) {
	if j.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return j, fmt.Errorf("make a job id: %w", err)
		}
		j.ID = id.String()
	}
	if j.Queue == "" {
		j.Queue = DefaultQueue
	}
	if j.Type == "" {
		j.Type = DefaultType
	}
	var errs []error
	refuse := func(bad bool, field, reason string) {
		if bad {
			errs = append(errs, &InvalidError{field, reason})
		}
	}
	refuse(!isJobID(j.ID), "job_id", "must be 1 to 128 printable ASCII characters without spaces")
	refuse(!isQueueName(j.Queue), "queue", "must match [a-z0-9_-]{1,64}")
	refuse(!isJobType(j.Type), "type", "must match [a-z0-9._-]{1,64}")
	refuse(j.Delay < 0 || j.Delay > MaxDelay, "delay_seconds", "must be between 0 and 10 years (315360000)")
	refuse(j.MaxRetry < NoRetry || j.MaxRetry > MaxRetryLimit, "max_retry", "must be between 0 and 1000")
	refuse(j.Timeout < 0 || j.Timeout > MaxDelay, "timeout_seconds", "must not be negative or over 10 years")
	j.refuseSpecial(refuse)
	if j.Backoff != nil {
		backoff, reason := j.Backoff.normalized()
		refuse(reason != "", "backoff", reason)
		j.Backoff = backoff
	}
	if j.Payload != nil {
		var compact bytes.Buffer
		if err := json.Compact(&compact, j.Payload); err != nil {
			refuse(true, "payload", "must be JSON: "+err.Error())
		} else {
			j.Payload = compact.Bytes()
			refuse(len(j.Payload) > MaxPayload, "payload", fmt.Sprintf("must be at most %d bytes of JSON", MaxPayload))
		}
	}
	return j, errors.Join(errs...)
}

var traceParent = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// refuseSpecial looks at the fields that most jobs do not have.
func (j *NewJob) refuseSpecial(refuse func(bad bool, field, reason string)) {
	refuse(!j.At.IsZero() && j.Delay != 0, "run_at", "must not come with delay_seconds")
	refuse(time.Until(j.At) > MaxDelay, "run_at", "must not be over 10 years ahead")
	refuse(j.Retention < 0 || j.Retention > MaxDelay, "retention_seconds", "must be between 0 and 10 years (315360000)")
	refuse(j.Expires < 0 || j.Expires > MaxDelay, "expires_in_seconds", "must be between 0 and 10 years (315360000)")
	refuse(len(j.Metadata) > MaxMetadata, "metadata", "must have at most 16 entries")
	for key, value := range j.Metadata {
		refuse(!isKey(key, 64), "metadata", "keys must be 1 to 64 printable ASCII characters without spaces, quotes and backslashes")
		refuse(len(value) > 256 || !utf8.ValidString(value), "metadata", "values must be at most 256 bytes of UTF-8")
	}
	refuse(len(j.Subject) > 256 || !utf8.ValidString(j.Subject), "subject", "must be at most 256 bytes of UTF-8")
	refuse(j.TraceParent != "" && !traceParent.MatchString(j.TraceParent), "traceparent", "must be as W3C Trace Context has it")
	if u := j.Unique; u != nil {
		refuse(!isKey(u.Key, 128), "unique", "key must be 1 to 128 printable ASCII characters without spaces, quotes and backslashes")
		refuse(u.Until != "" && u.Until != UntilStart && u.Until != UntilDone, "unique", `until must be "start", "done" or a number of seconds`)
		refuse(u.Until == "" && u.For <= 0 || u.For < 0 || u.For > MaxDelay, "unique", "until must be more than 0 seconds, and at most 10 years (315360000)")
		refuse(u.Until != "" && u.For != 0, "unique", "until must not be both an event and a time")
	}
	if i := j.Idempotency; i != nil {
		refuse(len(i.Key) < 1 || len(i.Key) > 512 || !utf8.ValidString(i.Request), "idempotency_key", "must be 1 to 512 bytes")
	}
}
