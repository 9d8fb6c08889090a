package history

import (
	"fmt"

	"github.com/punctualq/punctual/queue"
)

// place is where one job is, as the promises have it: absent → scheduled → processing → absent (done), dead, or scheduled
// again. The zero value is absent.
type place struct {
	where           string // "", scheduled, processing, dead
	worker, element string // of processing
	attempt         int    // how many were begun and not given back
	ending          bool   // of processing: it is being cancelled
}

func (p place) String() string {
	switch p.where {
	case "":
		return "absent"
	case "processing":
		return fmt.Sprintf("processing as %s by %s, attempt %d", p.element, p.worker, p.attempt)
	}
	return fmt.Sprintf("%s after attempt %d", p.where, p.attempt)
}

// step is one operation on one job. One that is not certain was sent and not answered: it may run at any time later, and
// then changes nothing if it does not fit, so that to run it last is not to run it.
type step struct {
	op              queue.Op
	certain         bool
	worker, element string
	attempt         int           // of a claim; 0: not known
	outcome         queue.Outcome // of a settle: what it did, or, not certain, what it was to do; of an enqueue that was refused: exists; of a cancel: where the job was
	left            bool          // of a reap: it may have left this job on the list
	from            string        // of a purge: the state
}

func (s step) String() string {
	text := string(s.op)
	switch s.op {
	case queue.OpClaim:
		text = fmt.Sprintf("%s claims %s, attempt %d", s.worker, s.element, s.attempt)
	case queue.OpSettle:
		text = fmt.Sprintf("%s settles %s: %s", s.worker, s.element, s.outcome)
	case queue.OpReap:
		text = s.worker + " is reaped"
	case queue.OpPurge:
		text += " of " + s.from
	case queue.OpEnqueue, queue.OpCancelJob:
		text += " " + string(s.outcome)
	}
	if !s.certain {
		text += "?"
	}
	return text
}

// machine is what one job may do.
type machine struct {
	retries int  // max_retry
	trimmed bool // dead jobs of its queue may have been dropped
	edited  bool // max_retry may have been another at any time
}

// next returns where the job may be after a step; nowhere if the step cannot have been answered so.
func (m machine) next(p place, s step) []place {
	to, fits := p, false
	switch s.op {
	case queue.OpEnqueue:
		return m.enqueue(p, s)
	case queue.OpClaim:
		fits = p.where == "scheduled" && (s.attempt == 0 || s.attempt == p.attempt+1)
		to = place{where: "processing", worker: s.worker, element: s.element, attempt: p.attempt + 1}
	case queue.OpSettle:
		fits = p.where == "processing" && p.worker == s.worker && p.element == s.element
		if s.outcome == queue.OutcomeLost {
			fits = !fits
			break
		}
		to = settled(p, s.outcome)
		if s.certain { // the answer says whether it was being cancelled
			fits = fits && (s.outcome == queue.OutcomeDone || p.ending == (s.outcome == queue.OutcomeCancelled))
		}
	case queue.OpCancelJob:
		fits = p.where != "" && p.where != "dead" && (!s.certain || p.where == string(s.outcome))
		if to.ending = true; p.where == "scheduled" {
			to = place{}
		}
	case queue.OpReap:
		fits = p.where == "processing" && p.worker == s.worker
		if to = (place{where: "scheduled", attempt: p.attempt}); p.attempt > m.retries {
			to.where = "dead"
		}
		if p.ending {
			to = place{}
		}
		if fits && m.edited && !p.ending {
			return []place{p, {where: "scheduled", attempt: p.attempt}, {where: "dead", attempt: p.attempt}}
		}
		if fits && s.left {
			return []place{p, to}
		}
	case queue.OpReschedule, queue.OpEdit, queue.OpRedrive, queue.OpPurge:
		to, fits = s.done(p)
	}
	switch {
	case fits:
		return []place{to}
	case s.certain && s.op != queue.OpReap: // a reap may well find other jobs on the list, and not this one
		return nil
	}
	return []place{p}
}

func (m machine) enqueue(p place, s step) (to []place) {
	there := p.where != ""
	refused := s.outcome == "exists"
	if there && (refused || !s.certain) {
		to = append(to, p)
	}
	if !refused && (!there || p.where == "dead" && m.trimmed) {
		to = append(to, place{where: "scheduled"})
	}
	return to
}

// settled is where a job is after a result of it was taken.
func settled(p place, outcome queue.Outcome) place {
	if p.ending {
		return place{}
	}
	switch outcome {
	case queue.OutcomeRetry:
		return place{where: "scheduled", attempt: p.attempt}
	case queue.OutcomeRelease:
		return place{where: "scheduled", attempt: p.attempt - 1}
	case queue.OutcomeDone:
		return place{}
	}
	return place{where: "dead", attempt: p.attempt}
}
