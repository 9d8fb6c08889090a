package history

import (
	"fmt"
	"time"

	"github.com/punctualq/punctual/queue"
)

// worker is what the history tells of one worker id.
type worker struct {
	id, proc, queue string
	registered      span            // its last registration that may have happened
	gone            *span           // it was reaped, or left, and has not registered since
	reaped          span            // all reaps of it that may have happened, taken together
	letGo           bool            // it may have left: then its heartbeat is gone, whatever is on its list
	beat            span            // its last heartbeat that was answered
	running         map[*claim]bool // whose contexts have not ended
	reaps           []*reap         // all of it that may have moved jobs
}

// watch is what the history tells of the observation window of one queue. Only what is certain counts: an observation has
// happened some time between being sent and being answered, and one that was never answered may still have happened.
type watch struct {
	open    map[procKey]int64 // when those under way were sent
	latest  int64             // when the last one may have happened
	since   int64             // the window began then or later
	sinceBy int64             // and the observation that began it was answered then
}

const (
	slack   = int64(20 * time.Millisecond) // what clocks and roundings may differ by
	onItWay = int64(time.Minute)           // how long what was never answered may still be on its way
)

func (c *checker) worker(e *Event) *worker {
	w := c.workers[e.Worker]
	if w == nil {
		w = &worker{id: e.Worker, queue: e.Queue, running: map[*claim]bool{}}
		c.workers[e.Worker] = w
	}
	if e.Op != queue.OpReap {
		w.proc = e.Proc
	}
	return w
}

func (c *checker) watch(queue string) *watch {
	q := c.queues[queue]
	if q == nil {
		q = &watch{open: map[procKey]int64{}}
		c.queues[queue] = q
	}
	return q
}

func (c *checker) takeHeartbeat(e *Event) {
	key := procKey{e.Proc, string(e.Op) + e.Queue + e.Worker}
	q := c.watch(e.Queue)
	if e.Res == queue.ResInvoke {
		c.spans[key] = &span{e.MonoNS, forever}
		q.open[key] = e.MonoNS
		if e.Op == queue.OpHeartbeat {
			w := c.worker(e)
			c.overdue(w, e.MonoNS)
			if e.Mode == "new" {
				w.registered, w.gone, w.letGo = span{e.MonoNS, forever}, nil, false
			}
		}
		return
	}
	s := c.spans[key]
	if s == nil {
		c.find("history", e.Queue, "", "a heartbeat was answered that was never sent")
		return
	}
	delete(c.spans, key)
	delete(q.open, key)
	if e.Res != queue.ResUnknown {
		s.to = e.MonoNS
	}
	c.observed(q, *s, e.Res)
	if e.Op != queue.OpHeartbeat {
		return
	}
	w := c.worker(e)
	c.overdue(w, e.MonoNS)
	switch {
	case e.Res == queue.ResOK:
		w.beat = *s
		if e.Mode == "new" {
			w.registered = *s
		}
	case e.Res == queue.ResFail && e.Mode == "new":
		w.registered = span{}
	}
}

// observed notes an observation, and whether the window began anew with it.
func (c *checker) observed(q *watch, s span, res queue.Res) {
	if res != queue.ResOK {
		q.latest = max(q.latest, s.from+onItWay) // a failure that Redis did not answer may have happened, too
		return
	}
	gap := int64(c.rules.Timing.Interval) * 3 / 2
	if s.from-max(q.latest, c.lastOpen(q, s.from)) > gap+slack {
		q.since, q.sinceBy = s.from, s.to
	}
	q.latest = max(q.latest, s.to)
}

// lastOpen is when an observation that is under way may have happened at the latest, of those that were sent before.
func (c *checker) lastOpen(q *watch, before int64) (latest int64) {
	for key, from := range q.open {
		c.verdict.steps++
		if from+onItWay < before {
			delete(q.open, key) // whoever sent it was killed
		} else if from < before {
			latest = max(latest, from+onItWay)
		}
	}
	return latest
}

func (c *checker) takeReap(e *Event) {
	key := procKey{e.Proc, "reap" + e.Worker}
	w := c.worker(e)
	if e.Res == queue.ResInvoke {
		r := &reap{span: span{e.MonoNS, forever}, victim: w}
		c.reaps[key], w.reaps = r, append(w.reaps, r)
		return
	}
	r := c.reaps[key]
	if r == nil {
		c.find("history", e.Queue, "", "a reap was answered that was never sent")
		return
	}
	delete(c.reaps, key)
	r.idle = e.Res == queue.ResFail || e.Res == queue.ResOK && e.Outcome != "reaped"
	switch {
	case e.Res != queue.ResOK: // it may have happened all the same
		r.may()
	case e.Outcome == "reaped":
		r.to, r.left = e.MonoNS, e.Left > 0
		r.may()
		c.verdict.Reaps++
		c.proven(e, w, r.span)
		if w.registered.to < r.from {
			w.gone = &r.span
		}
	}
}

// reap is one reap under way.
type reap struct {
	span
	victim *worker
	idle   bool // it moved nothing
	left   bool // jobs were left on the list
}

// may notes that it may have happened.
func (r *reap) may() {
	all := &r.victim.reaped
	if all.to == 0 {
		*all = r.span
	}
	all.from, all.to = min(all.from, r.from), max(all.to, r.to)
}

// proven looks whether this reap may have had the proof that it needs (I11): no heartbeat of its victim within the TTL, a full
// window, and a recent observation.
func (c *checker) proven(e *Event, w *worker, s span) {
	t, q := c.rules.Timing, c.watch(e.Queue)
	if t.Interval <= 0 || c.rules.ClockSteps {
		return
	}
	if age := s.to - w.beat.from; !w.letGo && w.beat.to > 0 && w.beat.to <= s.from && age < int64(t.TTL)-slack {
		c.find("I11", e.Queue, "", fmt.Sprintf("%s was reaped %s after a heartbeat that was answered", w.id, time.Duration(age)))
	}
	if age := s.to - q.since; q.sinceBy > 0 && q.sinceBy <= s.from && age < int64(t.Interval)*5/2-slack {
		c.find("I11", e.Queue, "", fmt.Sprintf("%s was reaped when the observation window was %s old", w.id, time.Duration(age)))
	}
	if since := s.from - max(q.latest, c.lastOpen(q, s.to)); since > int64(t.Interval)*3/2+slack {
		c.find("I11", e.Queue, "", fmt.Sprintf("%s was reaped %s after the last observation", w.id, time.Duration(since)))
	}
}

func (c *checker) takeLeave(e *Event) {
	key := procKey{e.Proc, "leave" + e.Worker}
	w := c.worker(e)
	if e.Res == queue.ResInvoke {
		c.spans[key] = &span{e.MonoNS, forever}
		w.letGo = true
		return
	}
	s := c.spans[key]
	delete(c.spans, key)
	if s != nil && e.Res == queue.ResOK && e.Outcome == "left" && w.registered.to < s.from {
		w.gone = &span{s.from, e.MonoNS}
	}
}

// living: only a worker that is registered and not being reaped may claim (I10).
func (c *checker) living(n *claim, x *call) {
	w := n.worker
	switch {
	case w.registered.to == 0 || w.registered.from > n.to:
		c.find("I10", n.job.queue, n.job.id, "claimed by "+w.id+", which was not registered")
	case w.gone != nil && w.gone.to < x.from:
		c.find("I10", n.job.queue, n.job.id, "claimed by "+w.id+", which was reaped or had left before")
	}
}

// mayBeReaped: the worker may have been reaped between these.
func (w *worker) mayBeReaped(after, before int64) bool {
	return w.reaped.to > 0 && w.reaped.from <= before && w.reaped.to >= after
}

// deadline is when the contexts of a worker's handlers must have ended, unless another heartbeat succeeds.
func (c *checker) deadline(w *worker) int64 {
	limit := w.beat.from + int64(c.rules.Timing.InDoubtAfter()+c.rules.Tolerance)
	for _, a := range c.rules.Asleep {
		if a.Proc == w.proc && a.From <= limit && limit < a.To+int64(c.rules.Tolerance) {
			limit = a.To + int64(c.rules.Tolerance)
		}
	}
	return limit
}

// overdue finds handlers whose contexts should have ended by now (I12). A process that writes an event lives.
func (c *checker) overdue(w *worker, now int64) {
	if !c.rules.LeaseDoubtCancel || c.rules.Timing.Interval <= 0 || len(w.running) == 0 || now <= c.deadline(w) {
		return
	}
	for n := range w.running {
		c.verdict.steps++
		c.find("I12", n.job.queue, n.job.id, fmt.Sprintf("the context of %s on %s had not ended %s after the last heartbeat that succeeded was sent",
			n.element, w.id, time.Duration(now-w.beat.from)))
	}
	clear(w.running)
}

// takeRun: a handler is called, its context ends, it ends.
func (c *checker) takeRun(e *Event) {
	n := c.claims[claimKey{e.Worker, e.Element}]
	w := c.worker(e)
	if e.Op != queue.OpStart {
		c.overdue(w, e.MonoNS)
		delete(w.running, n)
		return
	}
	c.verdict.Runs++
	if n == nil {
		c.find("I5", e.Queue, e.ID, e.Worker+" runs "+e.Element+", which it never claimed")
		c.job(e.Queue, e.ID) // it is asked for, too
		return
	}
	if n.starts++; n.starts > 1 {
		c.find(Duplicated, e.Queue, e.ID, "element "+e.Element+" was run twice by "+e.Worker)
	}
	if t := c.rules.Timing; t.Interval > 0 && e.MonoNS > c.deadline(w) {
		c.find("I12", e.Queue, e.ID, fmt.Sprintf("started on %s %s after its last heartbeat that succeeded was sent", w.id,
			time.Duration(e.MonoNS-w.beat.from)))
	}
	w.running[n] = true
}
