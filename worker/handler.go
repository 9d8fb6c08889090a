package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/punctualq/punctual/queue"
)

// Job is what a handler gets: the job, and what it needs to be idempotent with.
type Job struct {
	queue.Job
	Attempt int    // 1 is the first run
	Worker  string // the worker's id
	Element string // <claim number>:<id>: names this very claim
}

// Handler runs a job. nil means done. An error means retry with backoff until max_retry is used up, then dead, unless it
// is Permanent or RetryAfter. The context ends at the job's timeout, at a shutdown after the grace period, and when the
// job is cancelled or the worker learns that it is not its own any more; context.Cause says which. Handlers run one after the other on the same
// goroutines: what is bound to a goroutine (runtime.LockOSThread, profiling labels) must be undone before they return.
type Handler func(ctx context.Context, job Job) error

// Middleware wraps every handler, the first one outermost.
type Middleware func(Handler) Handler

// Causes for which a handler's context ends, as context.Cause tells them.
var (
	ErrTimeout    = errors.New("job timeout")
	ErrShutdown   = errors.New("worker shuts down")
	ErrLost       = errors.New("the job is not this worker's any more")
	ErrCancelled  = errors.New("cancelled") // by queue.Client.Cancel: whatever the handler returns but nil, it is not retried
	ErrLeaseDoubt = errors.New("the worker's lease is in doubt")
)

// JSON makes a handler of a function that takes the payload decoded into T. A payload that does not fit is a permanent
// failure: it would not fit the next time either.
func JSON[T any](f func(ctx context.Context, payload T) error) Handler {
	return func(ctx context.Context, job Job) error {
		var payload T
		if len(job.Payload) > 0 {
			if err := json.Unmarshal(job.Payload, &payload); err != nil {
				return Permanent(fmt.Errorf("payload of job type %s %s", job.Type, misfit[T](err)))
			}
		}
		return f(ctx, payload)
	}
}

// misfit says why a payload does not fit, without quoting it: errors are logged and kept, payloads are not.
func misfit[T any](err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return fmt.Sprintf("does not fit %T: field %s must be %s", *new(T), wrong.Field, wrong.Type)
	}
	return fmt.Sprintf("does not fit %T", *new(T))
}

// Permanent makes an error final: the job goes to dead without a retry.
func Permanent(err error) error { return &verdict{err: err, permanent: true} }

// RetryAfter makes the retry wait d in place of the backoff. It counts as a retry.
func RetryAfter(d time.Duration, err error) error { return &verdict{err: err, after: &d} }

// verdict is an error that steers what becomes of the job.
type verdict struct {
	err       error
	permanent bool
	after     *time.Duration
}

func (v *verdict) Error() string {
	if v.err == nil {
		return "no reason given"
	}
	return v.err.Error()
}
func (v *verdict) Unwrap() error { return v.err }

// jobContext is the context of a handler. It knows the job, and by its worker the lease.
type jobContext struct {
	context.Context
	r *runner
	e *execution
}

type currentKey struct{}

func (c *jobContext) Value(key any) any {
	if _, ok := key.(currentKey); ok {
		return c
	}
	return c.Context.Value(key)
}

// Current returns the job that a handler's context belongs to.
func Current(ctx context.Context) (Job, bool) {
	c, ok := ctx.Value(currentKey{}).(*jobContext)
	if !ok {
		return Job{}, false
	}
	return c.e.job(), true
}

// LeaseInDoubt tells a handler that its worker has not reached Redis for so long that another may take the job over: a
// good moment to hold back an effect that must not happen twice.
func LeaseInDoubt(ctx context.Context) bool {
	c, ok := ctx.Value(currentKey{}).(*jobContext)
	if !ok {
		return false
	}
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	return c.e.lost || c.r.inDoubt()
}
