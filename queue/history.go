package queue

import (
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"sync"
	"time"
)

// Op is what an Event tells of.
type Op string

// The operations of a history. Start, end, cancel and doubt are written by package worker.
const (
	OpEnqueue    Op = "enqueue"    // one job; due_ms of an ok is what Redis has
	OpClaim      Op = "claim"      // one call, by its number; an ok is followed by one line a job, with its id
	OpAdopt      Op = "adopt"      // a job of the own list whose claim was not answered: ok only
	OpSettle     Op = "settle"     // one result, by its element; outcome of an ok is what settle answered
	OpHeartbeat  Op = "heartbeat"  // mode new or renew
	OpObserve    Op = "observe"    // the tick of a process that only reaps
	OpReap       Op = "reap"       // worker is the victim, outcome of an ok the verdict
	OpLeave      Op = "leave"      // outcome of an ok: left or kept
	OpTrim       Op = "trim"       // count of an ok is how many were dropped
	OpReschedule Op = "reschedule" // due_ms of an ok is what it is then
	OpRedrive    Op = "redrive"    // one job
	OpPurge      Op = "purge"      // one job; mode is the state that it was dropped from
	OpEdit       Op = "edit"
	OpCancelJob  Op = "cancel-job" // outcome of an ok: scheduled (it is gone) or processing (it will not be retried)
	OpStart      Op = "start"      // a handler is about to be called: ok only, as the next three
	OpEnd        Op = "end"        // a handler has ended; outcome is the result that is to be settled
	OpCancel     Op = "cancel"     // the context of a running handler has ended; cause says why
	OpDoubt      Op = "doubt"      // the worker's lease is in doubt from now on
)

// Res is how far an operation is.
type Res string

// The results of an operation, as Jepsen has them.
const (
	ResInvoke  Res = "invoke"  // about to be sent: written before the first byte leaves
	ResOK      Res = "ok"      // answered, and it ran
	ResFail    Res = "fail"    // it did not run; outcome says why where Redis said so: exists, replayed, conflict, unique, queue-full, fenced
	ResUnknown Res = "unknown" // sent and not answered: it may have run, or may yet run
)

// Event is one line of a history: what a process was about to do, or came to know. Histories are for tests: a checker
// finds out from them, and without a look at this package's code, whether the promises were kept.
type Event struct {
	Seq    int64  `json:"seq"`     // 1, 2, 3, … in each process
	Proc   string `json:"proc"`    // a name that no other process has
	MonoNS int64  `json:"mono_ns"` // see HistoryTo
	Op     Op     `json:"op"`
	Res    Res    `json:"res"`

	RedisMS   int64   `json:"redis_ms,omitempty"` // when it ran, by the clock of Redis; 0 where the reply does not tell
	Queue     string  `json:"queue,omitempty"`
	Worker    string  `json:"worker,omitempty"`
	ID        string  `json:"id,omitempty"`
	Element   string  `json:"element,omitempty"`
	Number    int64   `json:"number,omitempty"`    // of a claim
	Count     int     `json:"count,omitempty"`     // wanted or got by a claim; length of the own list; rescheduled by a reap
	Dead      int     `json:"dead,omitempty"`      // buried by a reap
	Cancelled int     `json:"cancelled,omitempty"` // dropped by a reap, for they were being cancelled
	Left      int     `json:"left,omitempty"`      // still on the list after a reap
	Attempt   int     `json:"attempt,omitempty"`   // 1 is the first run
	MaxRetry  int     `json:"max_retry,omitempty"` // of a job that was claimed
	DelayMS   int64   `json:"delay_ms,omitempty"`  // of an enqueue or a retry
	DueMS     int64   `json:"due_ms,omitempty"`    // by the clock of Redis
	Outcome   Outcome `json:"outcome,omitempty"`
	Mode      string  `json:"mode,omitempty"`
	Cause     string  `json:"cause,omitempty"`
	Error     string  `json:"error,omitempty"`

	Goroutines int `json:"goroutines,omitempty"` // of the process, told with each heartbeat and observe
}

// HistoryTo makes an Options.History that writes each event to w as one line of JSON, in one Write before it returns. It numbers
// and dates them: mono_ns is a monotonic clock that all processes of one machine share (CLOCK_MONOTONIC on Linux; elsewhere the
// wall clock when the history began, going on monotonically). proc must name this process and no other. One history is for
// at most one worker per queue, or its claim numbers would not be unique. fail is told of the first Write that fails: a
// history with a hole proves nothing.
func HistoryTo(w io.Writer, proc string, fail func(error)) func(Event) {
	var mu sync.Mutex
	var seq int64
	return func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		seq++
		e.Seq, e.Proc, e.MonoNS = seq, proc, monotonic()
		if e.Op == OpHeartbeat || e.Op == OpObserve {
			e.Goroutines = runtime.NumGoroutine()
		}
		line, err := json.Marshal(e)
		if err == nil {
			_, err = w.Write(append(line, '\n'))
		}
		if err != nil && fail != nil {
			fail(err)
			fail = nil
		}
	}
}

// failedAs is what an error says of its operation.
func failedAs(err error) Res {
	if errors.Is(err, ErrOutcomeUnknown) {
		return ResUnknown
	}
	return ResFail
}

// answered completes the event of an operation that ran, or did not.
func (e Event) answered(err error) Event {
	e.Res = ResOK
	if err == nil {
		return e
	}
	e.Res, e.Error = failedAs(err), err.Error()
	switch {
	case errors.Is(err, ErrFenced):
		e.Outcome = "fenced"
	case errors.Is(err, ErrExists):
		e.Outcome = "exists"
	case errors.Is(err, ErrConflict):
		e.Outcome = "conflict"
	case errors.Is(err, ErrUnique):
		e.Outcome = "unique"
	case errors.Is(err, ErrQueueFull):
		e.Outcome = "queue-full"
	}
	return e
}

func unixMS(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// tellEnqueues writes of each job that it is about to be handed in, or, with done, what became of it.
func (c *Client) tellEnqueues(jobs []*pending, done []Enqueued) {
	if c.history == nil {
		return
	}
	for i, p := range jobs {
		e := Event{Op: OpEnqueue, Res: ResInvoke, Queue: p.queue, ID: p.id, DelayMS: delayMS(p.delay)}
		if done != nil {
			if e = e.answered(done[i].Err); done[i].Replayed {
				e.Res, e.Outcome = ResFail, "replayed" // this id was not written
			} else if e.Res == ResOK {
				e.DueMS = unixMS(done[i].Due)
				if p.special == nil || p.special.at == 0 {
					e.RedisMS = e.DueMS - e.DelayMS
				}
			}
		}
		c.history(e)
	}
}

// tellSent writes of each part of an exchange that it is about to be sent.
func (l *Link) tellSent(e *Exchange) {
	if l.client.history == nil {
		return
	}
	for i := range e.Results {
		l.client.history(l.settleEvent(e, i))
	}
	if e.Claim > 0 {
		l.client.history(Event{Op: OpClaim, Res: ResInvoke, Queue: l.queue, Worker: e.Worker, Number: e.Number, Count: e.Claim})
	}
}

func (l *Link) settleEvent(e *Exchange, i int) Event {
	r := &e.Results[i]
	_, id := splitElement(r.Element)
	return Event{Op: OpSettle, Res: ResInvoke, Queue: l.queue, Worker: e.Worker, ID: id, Element: r.Element, Outcome: r.Outcome,
		DelayMS: delayMS(max(r.Delay, 0))}
}

// tellExchanged writes what came back. settle is the call that reported results; nil if there were none.
func (l *Link) tellExchanged(e *Exchange, x *Exchanged, settle *call) {
	if l.client.history == nil {
		return
	}
	var settledMS int64
	if settle != nil && x.SettleErr == nil {
		settledMS = millis(settle.cmd.Val()[1])
	}
	for i := range e.Results {
		ev := l.settleEvent(e, i).answered(x.SettleErr)
		if ev.RedisMS = settledMS; x.SettleErr == nil {
			ev.Outcome = x.Settled[i]
		}
		l.client.history(ev)
	}
	if e.Claim == 0 {
		return
	}
	call := Event{Op: OpClaim, Queue: l.queue, Worker: e.Worker, Number: e.Number, RedisMS: unixMS(x.Claims.Now)}
	call.Count = len(x.Claims.Jobs)
	l.client.history(call.answered(x.ClaimErr))
	for i := range x.Claims.Jobs {
		l.client.history(x.Claims.Jobs[i].Event(OpClaim, e.Worker))
	}
}

// Event is a line of a history: the job is in the worker's hands now, by op.
func (c *Claimed) Event(op Op, worker string) Event {
	return Event{Op: op, Res: ResOK, Queue: c.Job.Queue, Worker: worker, ID: c.Job.ID, Element: c.Element, Number: ClaimNumber(c.Element),
		RedisMS: unixMS(c.At), DueMS: unixMS(c.Due), Attempt: c.Attempt, MaxRetry: c.Job.MaxRetry}
}

// telling writes that an operation is about to be sent, and returns what writes the answer.
func (c *Client) telling(e Event) func(answer Event, err error) {
	if c.history == nil {
		return func(Event, error) {}
	}
	e.Res = ResInvoke
	c.history(e)
	return func(answer Event, err error) {
		answer.Op, answer.Queue, answer.Worker, answer.ID, answer.Mode = e.Op, e.Queue, e.Worker, e.ID, e.Mode
		c.history(answer.answered(err))
	}
}

// tellVerb writes of each job that something is about to be done to it, or, with words or an error, what became of that.
func (c *Client) tellVerb(op Op, queue string, state State, batch []sighted, words []string, err error) {
	if c.history == nil {
		return
	}
	for i, s := range batch {
		e := Event{Op: op, Res: ResInvoke, Queue: queue, ID: s.id, Mode: string(state)}
		switch {
		case err != nil:
			e = e.answered(err)
		case words != nil:
			e.Outcome, e.RedisMS, e.Res = Outcome(words[2+i]), millis(words[1]), ResOK
			if e.Outcome != "redriven" && e.Outcome != "purged" {
				e.Res = ResFail
			}
		}
		c.history(e)
	}
}

func (p Pulse) event() Event { return Event{RedisMS: unixMS(p.Now), Count: len(p.Own)} }

func (r Reaped) event() Event {
	return Event{Outcome: Outcome(r.Verdict), Count: r.Rescheduled, Dead: r.Dead, Cancelled: r.Cancelled, Left: r.Left}
}

// leftEvent is the answer to a leave.
func leftEvent(left bool) Event {
	if left {
		return Event{Outcome: "left"}
	}
	return Event{Outcome: "kept"}
}
