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

// start puts the handler of a claimed job up to be begun, see letBegin. The caller holds runner.mu.
func (r *runner) start(e *execution) {
	e.phase, e.worker = running, r.info.ID
	r.running++
	r.begin = append(r.begin, e)
}

// letBegin has executors begin the handlers that are to begin, and returns when all have. Executors are goroutines that run
// handlers one after the other, about as many as handlers ever ran at a time. One more is called whenever those
// that were called got stuck in a handler: so no handler waits for another, quick ones are run by one or two executors
// without a change of goroutines, and their results make one batch. Handlers that take the processor for themselves would
// hold up the results of others: after a while every one that is left gets an executor of its own.
func (r *runner) letBegin() {
	const patience = time.Millisecond
	var since time.Time
	for before := 0; ; runtime.Gosched() {
		r.mu.Lock()
		left := len(r.begin)
		late := false
		switch {
		case left == 0:
		case since.IsZero():
			since = time.Now()
			r.callExecutors(1)
		case time.Since(since) > patience:
			late = true
			r.callExecutors(left)
		case left == before:
			r.callExecutors(1)
		}
		before = left
		r.mu.Unlock()
		if left == 0 || late {
			return
		}
	}
}

// callExecutors makes sure that so many executors are on their way. The caller holds runner.mu.
func (r *runner) callExecutors(n int) {
	for ; r.called < n; r.called++ {
		if r.resting > 0 {
			r.resting--
			r.ready <- struct{}{} // has room for each that rests
		} else {
			go r.executor()
		}
	}
}

// executor lives until the runner has ended, or a handler takes it along.
func (r *runner) executor() {
	// The parent of the contexts of its handlers, one after the other. It is replaced when one of them was cancelled.
	base, cancel := context.WithCancelCause(context.Background())
	for {
		r.mu.Lock()
		r.called--
		for len(r.begin) > 0 {
			e := r.begin[0]
			r.begin[0] = nil
			r.begin = r.begin[1:]
			if e.cause != nil || e.lost || r.inDoubt() { // told since it was claimed that it must not start
				r.running--
				e.finish(queue.Result{Outcome: queue.OutcomeRelease})
				poke(r.look)
				continue
			}
			if base.Err() != nil {
				base, cancel = context.WithCancelCause(context.Background())
			}
			e.abort, e.begun = cancel, time.Now()
			e.ends = e.begun.Add(r.timeout(e))
			r.mu.Unlock()
			r.execute(base, e)
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

// timeout is how long a run of a job may take.
func (r *runner) timeout(e *execution) time.Duration {
	if own := e.claimed.Job.Timeout; own > 0 {
		return own
	}
	return r.config.JobTimeout
}

// execute calls the handler. The result is decided in a defer, whatever way the handler ends: returned, panicked, or took
// its goroutine with it. It costs an attempt, never the process or the slot.
func (r *runner) execute(base context.Context, e *execution) {
	job := e.job()
	timed, stop := context.WithDeadlineCause(base, e.begun.Add(r.timeout(e)), ErrTimeout)
	defer stop()
	ctx := &jobContext{timed, r, e}
	tellEnd := r.tellStart(ctx, e)
	returned := false
	var err error
	var result queue.Result
	defer func() { r.conclude(e, result, tellEnd) }() // also if reading the error takes the goroutine along
	defer func() {
		if value := recover(); !returned {
			err = errors.New("handler ended its goroutine without returning (runtime.Goexit)")
			if value != nil {
				err = fmt.Errorf("handler panicked: %s\n%s", text(value), debug.Stack())
			}
		}
		result = r.judge(ctx, job, err)
	}()
	h := r.handler(job.Type)
	if h == nil {
		err = fmt.Errorf("no handler for job type %q on this worker", job.Type)
	} else {
		err = h(ctx, job)
	}
	returned = true
}

// conclude frees the slot of a handler and puts its result up to be settled.
func (r *runner) conclude(e *execution, result queue.Result, tellEnd func(queue.Outcome)) {
	if result.Outcome == "" {
		result = r.failed(e.job(), nil, &queue.Failure{Error: "what the handler returned or panicked with ended its goroutine while it was read",
			Attempt: e.claimed.Attempt, Worker: e.worker})
	}
	took := time.Since(e.begun)
	r.observe.Ran(e.claimed.Job.Type, took)
	if result.Failure != nil {
		result.Failure.TookMS = took.Milliseconds()
	}
	tellEnd(result.Outcome)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running--
	r.unstick(e)
	e.abort = nil
	e.finish(result)
	poke(r.look)
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
	delay := r.retryDelay(job)
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
