package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

// start has the handler of a claimed job run by an executor. The caller holds runner.mu.
func (r *runner) start(e *execution) {
	e.ctx, e.cancel = context.WithCancelCause(context.Background())
	e.phase, e.worker = running, r.info.ID
	r.running++
	r.begin = append(r.begin, e)
	r.callExecutor()
}

// Executors are goroutines that run handlers one after the other; there are as many as handlers ever ran at a time. One is
// called when a handler is to begin, and calls the next if another one is to: so a handler waits for none before it, and
// quick ones are run by a few executors without a change of goroutines.

// callExecutor makes sure that an executor is on its way. The caller holds runner.mu.
func (r *runner) callExecutor() {
	switch {
	case r.called || len(r.begin) == 0:
	case r.resting > 0:
		r.called = true
		r.resting--
		r.ready <- struct{}{} // has room: only the one who was called takes from it
	default:
		r.called = true
		go r.executor()
	}
}

// executor lives until the runner has ended, or a handler takes it along.
func (r *runner) executor() {
	for {
		r.mu.Lock()
		r.called = false
		for len(r.begin) > 0 {
			e := r.begin[0]
			r.begin[0] = nil
			r.begin = r.begin[1:]
			r.callExecutor()
			r.mu.Unlock()
			r.execute(e)
			r.mu.Lock()
		}
		r.resting++
		r.mu.Unlock()
		select {
		case <-r.ready:
		case <-r.ended:
			return
		}
	}
}

// letBegin lets the handlers of what was just claimed begin before the next round trip is planned, for a while: those that
// are quick have then finished, and their results make one batch. Where nothing is to begin it returns at once.
func (r *runner) letBegin() {
	for since := time.Now(); ; {
		r.mu.Lock()
		waiting := len(r.begin)
		r.mu.Unlock()
		if waiting == 0 || time.Since(since) > time.Millisecond {
			return
		}
		runtime.Gosched()
	}
}

// execute calls the handler. The result is decided in a defer, whatever way the handler ends: returned, panicked, or took
// its goroutine with it. It costs an attempt, never the process or the slot.
func (r *runner) execute(e *execution) {
	job := Job{Job: e.claimed.Job, Attempt: e.claimed.Attempt, Worker: e.worker, Element: e.claimed.Element}
	timeout := job.Timeout
	if timeout <= 0 {
		timeout = r.config.JobTimeout
	}
	ctx, stop := context.WithTimeoutCause(e.ctx, timeout, ErrTimeout)
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
