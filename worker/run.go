package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

// start runs the handler of a claimed job in a goroutine of its own. The caller holds runner.mu.
func (r *runner) start(e *execution) {
	ctx, cancel := context.WithCancelCause(context.Background())
	e.phase, e.cancel = running, cancel
	r.running++
	go r.execute(ctx, e, r.info.ID)
}

// execute calls the handler. The result is decided in a defer, whatever way the handler ends: returned, panicked, or took
// its goroutine with it. It costs an attempt, never the process or the slot.
func (r *runner) execute(ctx context.Context, e *execution, worker string) {
	job := Job{Job: e.claimed.Job, Attempt: e.claimed.Attempt, Worker: worker, Element: e.claimed.Element}
	timeout := job.Timeout
	if timeout <= 0 {
		timeout = r.config.JobTimeout
	}
	ctx, stop := context.WithTimeoutCause(ctx, timeout, ErrTimeout)
	defer stop()
	ctx = context.WithValue(ctx, currentKey{}, current{job, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return e.lost || r.inDoubt()
	}})
	begin := time.Now()
	returned := false
	var err error
	defer func() {
		if value := recover(); !returned {
			err = errors.New("handler ended its goroutine without returning (runtime.Goexit)")
			if value != nil {
				err = fmt.Errorf("handler panicked: %s\n%s", text(value), debug.Stack())
			}
		}
		result := r.judge(ctx, job, err)
		if result.Failure != nil {
			result.Failure.TookMS = time.Since(begin).Milliseconds()
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.running--
		e.cancel(nil)
		e.finish(result)
		poke(r.look)
	}()
	h := r.handler(job.Type)
	if h == nil {
		err = fmt.Errorf("no handler for job type %q on this worker", job.Type)
	} else {
		err = h(ctx, job)
	}
	returned = true
}

// judge turns what a handler returned into the result of its job.
func (r *runner) judge(ctx context.Context, job Job, err error) (result queue.Result) {
	if err == nil {
		return queue.Result{Outcome: queue.OutcomeDone}
	}
	failure := &queue.Failure{Error: text(err), Attempt: job.Attempt, Worker: job.Worker}
	var v *verdict
	defer func() {
		if recover() != nil { // an error whose methods panic is still just a failure
			result = r.failed(job, nil, failure)
		}
	}()
	errors.As(err, &v)
	cause := context.Cause(ctx)
	interrupted := errors.Is(cause, ErrShutdown) || errors.Is(cause, ErrLeaseDoubt)
	if interrupted && (v == nil || !v.permanent) {
		return queue.Result{Outcome: queue.OutcomeRelease} // we ended it, so it costs no attempt
	}
	if errors.Is(cause, ErrTimeout) {
		failure.Error = fmt.Sprintf("%v: %s", ErrTimeout, failure.Error)
	}
	return r.failed(job, v, failure)
}

// failed decides between retry and dead.
func (r *runner) failed(job Job, v *verdict, failure *queue.Failure) queue.Result {
	if v != nil && v.permanent || job.Attempt > job.MaxRetry {
		return queue.Result{Outcome: queue.OutcomeDead, Failure: failure}
	}
	delay := backoff(r.config.RetryBase, r.config.RetryCap, job.Attempt)
	if v != nil && v.after != nil {
		delay = min(max(0, *v.after), queue.MaxDelay)
	}
	return queue.Result{Outcome: queue.OutcomeRetry, Delay: delay, Failure: failure}
}

// text is what an error or the value of a panic says, even if its methods panic, and no more of it than is kept.
func text(value any) (said string) {
	defer func() {
		if recover() != nil { // fmt itself gives up on a panic within a panic
			said = fmt.Sprintf("%T that cannot be printed", value)
		}
	}()
	said = fmt.Sprintf("%v", value)
	return strings.ToValidUTF8(said[:min(len(said), queue.MaxFailureText)], "")
}
