package history

import (
	"fmt"

	"github.com/punctualq/punctual/queue"
)

// cancel is one time that a job was to be taken out.
type cancel struct {
	span
	res   queue.Res   // invoke: never answered
	found queue.State // of an ok: scheduled, and it is gone, or processing
}

// may: nobody knows whether it ran.
func (x *cancel) may() bool { return x.res == queue.ResInvoke || x.res == queue.ResUnknown }

func (c *checker) takeCancel(e *Event) {
	key := procKey{e.Proc, e.Queue + "/" + e.ID}
	if e.Res == queue.ResInvoke {
		x := &cancel{span: span{e.MonoNS, forever}, res: e.Res}
		j := c.job(e.Queue, e.ID)
		j.cancels = append(j.cancels, x)
		c.cancels[key] = append(c.cancels[key], x)
		return
	}
	x := oldest(c.cancels, key)
	if x == nil {
		c.find("history", e.Queue, e.ID, "a cancel was answered that was never sent")
		return
	}
	x.res, x.found = e.Res, queue.State(e.Outcome)
	if e.Res != queue.ResUnknown {
		x.to = e.MonoNS
	}
}

// mayBeCancelled: it may have been taken out by a cancel that was sent until then.
func (j *job) mayBeCancelled(until int64) bool {
	for _, x := range j.cancels {
		if x.from <= until && (x.may() || x.res == queue.ResOK) {
			return true
		}
	}
	return false
}

// cancelled: what was taken out is not run and not retried any more, and nothing is dropped that nobody has cancelled.
func (c *checker) cancelled(j *job, lives int) {
	for _, n := range j.claims {
		for _, s := range n.settles {
			c.verdict.steps++
			if s.applied() && s.answer == queue.OutcomeCancelled && !j.mayBeCancelled(s.to) {
				c.find(Cancelled, j.queue, j.id, "the result of "+n.element+" was dropped, and nobody has cancelled the job")
			}
		}
	}
	if lives > 1 {
		return
	}
	for _, x := range j.cancels {
		if x.res != queue.ResOK {
			continue
		}
		if j.final != "" && !(x.found == queue.Processing && j.final == "processing") {
			c.find(Cancelled, j.queue, j.id, fmt.Sprintf("it was cancelled while %s, and is %s", x.found, j.final))
		}
		for _, n := range j.claims {
			c.verdict.steps++
			if n.from > x.to {
				c.find(Cancelled, j.queue, j.id, fmt.Sprintf("claimed by %s after it was cancelled", n.worker.id))
			}
			for _, s := range n.settles {
				if s.from > x.to && s.applied() && s.answer != queue.OutcomeDone && s.answer != queue.OutcomeCancelled {
					c.find(Cancelled, j.queue, j.id, fmt.Sprintf("the result of %s was taken as %s after it was cancelled", n.element, s.answer))
				}
			}
		}
	}
}
