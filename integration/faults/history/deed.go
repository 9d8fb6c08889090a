package history

import (
	"fmt"
	"slices"

	"github.com/punctualq/punctual/queue"
)

// deed is one time that people did something to a job that no worker had: they gave it another due time, edited, redrove or
// purged it.
type deed struct {
	span
	op      queue.Op
	res     queue.Res // invoke: never answered
	at, due int64     // ms by the clock of Redis
	from    string    // of a purge: the state
}

// applied: it was done. May: nobody knows.
func (d *deed) applied() bool { return d.res == queue.ResOK }
func (d *deed) may() bool     { return d.res == queue.ResInvoke || d.res == queue.ResUnknown }

func (c *checker) takeDeed(e *Event) {
	key := procKey{e.Proc, string(e.Op) + " " + e.Queue + "/" + e.ID}
	if e.Res == queue.ResInvoke {
		d := &deed{span: span{e.MonoNS, forever}, op: e.Op, res: e.Res, from: e.Mode}
		j := c.job(e.Queue, e.ID)
		j.deeds = append(j.deeds, d)
		c.deeds[key] = append(c.deeds[key], d)
		return
	}
	d := oldest(c.deeds, key)
	if d == nil {
		c.find("history", e.Queue, e.ID, "a "+string(e.Op)+" was answered that was never sent")
		return
	}
	if d.res, d.at, d.due = e.Res, e.RedisMS, e.DueMS; e.Res != queue.ResUnknown {
		d.to = e.MonoNS
	}
}

// count is how often something was, or may have been, done to the job.
func (j *job) count(op queue.Op) (n int) {
	for _, d := range j.deeds {
		if d.op == op && d.res != queue.ResFail {
			n++
		}
	}
	return n
}

// purged: a job that was dropped is not there, and nobody claims it any more.
func (c *checker) purged(j *job, lives int) {
	for _, d := range j.deeds {
		c.verdict.steps++
		if d.op != queue.OpPurge || !d.applied() || lives > 1 {
			continue
		}
		if j.final != "" {
			c.find("I7", j.queue, j.id, "it was purged, and still "+j.final)
		}
		for _, n := range j.claims {
			if n.span.from > d.to {
				c.find("I8", j.queue, j.id, "claimed by "+n.worker.id+" after it was purged")
				return
			}
		}
	}
}

// dues are the due times that a claim may have seen: the one that made the job wait at since, or what people have set
// after that; those that fall into the same ms come in an order that nobody knows. Empty: nobody knows.
func (n *claim) dues(since, due int64) (dues []int64) {
	var set []*deed
	latest := int64(0)
	for _, d := range n.job.deeds {
		if d.op != queue.OpReschedule {
			continue
		}
		if d.may() && d.span.from <= n.to {
			return nil
		}
		if d.applied() && d.at >= since-1 && d.at <= n.at+1 {
			set, latest = append(set, d), max(latest, d.at)
		}
	}
	if due > 0 && (len(set) == 0 || latest <= since+1 || latest >= n.at-1) {
		dues = append(dues, due)
	}
	for _, d := range set {
		if d.at >= latest-1 || latest >= n.at-1 {
			dues = append(dues, d.due)
		}
	}
	return dues
}

// inTime compares a claim with the due times that it may have seen (I4, I13).
func (c *checker) inTime(n *claim, dues []int64) {
	switch {
	case len(dues) == 0:
	case n.at < slices.Min(dues):
		c.find(Early, n.job.queue, n.job.id, fmt.Sprintf("claimed %d ms before it should have been due", slices.Min(dues)-n.at))
	case !slices.Contains(dues, n.due) && !c.loose:
		c.find("I13", n.job.queue, n.job.id, fmt.Sprintf("it was due at %d, and should have been at %d", n.due, dues[0]))
	}
}

// done is where a job may be after a deed, and whether it fits. That a job expired is told by no history.
func (s step) done(p place) (to place, fits bool) {
	died := p.where == "dead" || p.where == "scheduled" && p.attempt == 0
	switch {
	case s.op == queue.OpRedrive:
		return place{where: "scheduled"}, died
	case s.op == queue.OpPurge && s.from == string(queue.Dead):
		return place{}, died
	case s.op == queue.OpPurge && s.from == string(queue.Done):
		return p, p.where == ""
	case s.op == queue.OpPurge:
		return place{}, p.where == "scheduled"
	}
	return p, p.where == "scheduled"
}
