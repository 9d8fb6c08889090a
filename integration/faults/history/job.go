package history

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/punctualq/punctual/queue"
)

// judge looks at all that is known of one job.
func (c *checker) judge(j *job) {
	slices.SortFunc(j.claims, func(a, b *claim) int {
		if c.rules.ClockSteps {
			return cmp.Compare(a.to, b.to)
		}
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.attempt, b.attempt), cmp.Compare(a.to, b.to))
	})
	lives, acked := c.handedIn(j)
	done, dead := c.finished(j, lives)
	var started *claim
	for i, n := range j.claims {
		c.verdict.steps++
		var last *claim
		if i > 0 {
			last = j.claims[i-1]
			c.follows(last, n, lives)
		}
		c.onSchedule(n, last, lives)
		c.attempts(n, last, lives)
		c.fences(n, i, lives)
		if n.starts > 0 {
			if started != nil {
				c.again(started, n, lives)
			}
			started = n
		}
	}
	if started != nil {
		c.verdict.Started++
	}
	c.purged(j, lives)
	c.cancelled(j, lives)
	c.conserved(j, lives, acked, done, dead)
}

// handedIn counts the lives of a job: it has another each time it may have been handed in, for one that is done is forgotten, and
// each time it was redriven.
func (c *checker) handedIn(j *job) (lives int, acked bool) {
	tried, known := false, false
	for _, n := range j.enqueues {
		c.verdict.steps++
		tried = true
		known = known || n.exists
		acked = acked || n.res == queue.ResOK
		if n.res != queue.ResFail {
			lives++
		}
	}
	if tried {
		c.verdict.Attempted++
	}
	if acked {
		c.verdict.Acked++
	}
	there := len(j.claims) > 0 || j.final != ""
	switch {
	case lives > 0 && !acked && there:
		c.verdict.Findings = append(c.verdict.Findings, Finding{Rule: Recovered, Queue: j.queue, ID: j.id, Allowed: true,
			Reason: "its caller was not told that it was taken"})
	case lives == 0 && !known && tried && there:
		c.find(Unexpected, j.queue, j.id, "its caller was told that it was not taken")
	case !tried:
		c.find(Unexpected, j.queue, j.id, "nobody has handed it in")
	}
	return max(lives, 1) + j.count(queue.OpRedrive), acked
}

// finished counts what ended a job (I7), and says whether it is, or may be, done, and whether it is known to have died.
func (c *checker) finished(j *job, lives int) (done, dead bool) {
	ends, certainly := 0, false
	for _, n := range j.claims {
		applied := 0
		for _, s := range n.settles {
			c.verdict.steps++
			if s.applied() {
				applied++
				if s.answer == queue.OutcomeDone || s.answer == queue.OutcomeDead || s.answer == queue.OutcomeCancelled {
					ends++
				}
			}
			certainly = certainly || s.applied() && s.answer == queue.OutcomeDone
			done = done || s.may() && s.wanted == queue.OutcomeDone
			dead = dead || s.applied() && s.answer == queue.OutcomeDead
		}
		if applied > 1 {
			c.find("I6", j.queue, j.id, fmt.Sprintf("%d results of %s were taken", applied, n.element))
		}
	}
	if ends > lives {
		c.find("I7", j.queue, j.id, fmt.Sprintf("it ended %d times, and was handed in %d times", ends, lives))
	}
	if certainly && lives == 1 && j.final != "" {
		c.find("I7", j.queue, j.id, "it is done, and still "+j.final)
	}
	if certainly {
		c.verdict.Done++
	}
	if dead {
		c.verdict.Dead++
	}
	return done || certainly, dead
}

// follows: a claim is right only if the one before it was settled, or its worker reaped (I5, I8).
func (c *checker) follows(last, n *claim, lives int) {
	for _, s := range last.settles {
		c.verdict.steps++
		ended := s.answer == queue.OutcomeDone || s.answer == queue.OutcomeDead || s.answer == queue.OutcomeCancelled
		switch {
		case s.applied() && ended && lives == 1:
			c.find("I8", n.job.queue, n.job.id, fmt.Sprintf("claimed again by %s after it was %s", n.worker.id, s.answer))
			return
		case s.applied(), s.may() && s.from <= n.to && (lives > 1 || s.wanted == queue.OutcomeRetry || s.wanted == queue.OutcomeRelease):
			return
		}
	}
	if !last.worker.mayBeReaped(last.from, n.to) {
		c.find("I5", n.job.queue, n.job.id, fmt.Sprintf("claimed as %s by %s while %s held it as %s", n.element, n.worker.id,
			last.worker.id, last.element))
	}
}

// onSchedule: not before the due time, which is also reckoned here from what made it wait (I4, I13).
func (c *checker) onSchedule(n, last *claim, lives int) {
	if n.guessed {
		return
	}
	c.late[max(0, n.at-n.due)]++
	c.onTime++
	if n.at < n.due {
		c.find(Early, n.job.queue, n.job.id, fmt.Sprintf("claimed %d ms before it was due", n.due-n.at))
		return
	}
	if lives > 1 {
		return
	}
	due, since := int64(0), int64(0)
	if last == nil {
		for _, q := range n.job.enqueues {
			due = max(due, q.due)
		}
	} else {
		since = last.at
		for _, s := range last.settles {
			if s.applied() && s.answer == queue.OutcomeRetry {
				due, since = s.at+s.delay, s.at
			} else if s.applied() && s.answer == queue.OutcomeRelease {
				due, since = s.at, s.at
			}
		}
	}
	c.inTime(n, n.dues(since, due))
}

// attempts: at most max_retry + 1, and one more with each claim, unless the one before was given back (I8).
func (c *checker) attempts(n, last *claim, lives int) {
	if n.attempt > n.retries+1 && n.job.count(queue.OpEdit) == 0 { // people may take retries away that were begun
		c.find("I8", n.job.queue, n.job.id, fmt.Sprintf("attempt %d, and max_retry is %d", n.attempt, n.retries))
	}
	if lives > 1 || n.guessed || last != nil && last.guessed { // of one that was taken in later the attempt was read later
		return
	}
	before, refund := 0, false
	if last != nil {
		before = last.attempt
		for _, s := range last.settles {
			refund = refund || s.wanted == queue.OutcomeRelease && (s.may() || s.applied())
		}
	}
	least := before + 1
	if refund {
		least--
	}
	if n.attempt < max(1, least) || n.attempt > before+1 && !c.loose {
		c.find("I8", n.job.queue, n.job.id, fmt.Sprintf("attempt %d follows attempt %d", n.attempt, before))
	}
}

// fences: a result that comes after a later claim of the same job changes nothing, and one is lost only for a reason (I6).
func (c *checker) fences(n *claim, i, lives int) {
	excused := false // an earlier report of the same result may have been the one that counted
	for _, s := range n.settles {
		c.verdict.steps++
		if i+1 < len(n.job.claims) && s.applied() && !c.rules.ClockSteps {
			if next := n.job.claims[i+1]; !next.guessed && s.at > next.at && lives == 1 {
				c.find("I6", n.job.queue, n.job.id, fmt.Sprintf("the result of %s on %s was taken as %s after %s had claimed it", n.element,
					n.worker.id, s.answer, next.worker.id))
			}
		}
		if s.res == queue.ResOK && s.answer == queue.OutcomeLost && !excused && !n.worker.mayBeReaped(n.from, s.to) {
			c.find("I6", n.job.queue, n.job.id, fmt.Sprintf("the result of %s on %s was refused, and nobody has reaped it", n.element, n.worker.id))
		}
		if s.applied() && s.answer == queue.OutcomeRetry && n.attempt > n.retries {
			c.find("I8", n.job.queue, n.job.id, fmt.Sprintf("retried after attempt %d, and max_retry is %d", n.attempt, n.retries))
		}
		excused = excused || s.may() || s.applied()
	}
}

// again: a job was run once more. Unless it was to be retried that is a duplicate, and allowed only if its worker died, was
// cut off, or could not report.
func (c *checker) again(before, n *claim, lives int) {
	f := Finding{Rule: Duplicated, Queue: n.job.queue, ID: n.job.id}
	for _, s := range before.settles {
		c.verdict.steps++
		again := s.wanted == queue.OutcomeRetry || s.wanted == queue.OutcomeRelease
		switch {
		case again && (s.applied() || s.may()), s.applied() && lives > 1:
			return
		case s.may():
			f.Allowed, f.Reason = true, before.worker.id+" could not report "+string(s.wanted)
		}
	}
	if before.worker.mayBeReaped(before.from, n.to) {
		f.Allowed, f.Reason = true, before.worker.id+" was reaped"
	}
	if !f.Allowed {
		f.Reason = fmt.Sprintf("run by %s and again by %s", before.worker.id, n.worker.id)
	}
	c.verdict.Findings = append(c.verdict.Findings, f)
}

// conserved: what was acknowledged is finished or there (I2).
func (c *checker) conserved(j *job, lives int, acked, done, dead bool) {
	judged := slices.ContainsFunc(c.rules.Final, func(s State) bool { return s.Queue == j.queue })
	if !judged || !acked || done || j.final != "" || j.count(queue.OpPurge) > 0 || j.mayBeCancelled(forever) {
		return
	}
	reaped := slices.ContainsFunc(j.claims, func(n *claim) bool { return n.worker.mayBeReaped(n.from, forever) })
	switch {
	case c.trimmed > 0 && (dead || reaped || c.loose): // it may be one of those
	case dead:
		c.find(Lost, j.queue, j.id, "it was dead, and is not there")
	case len(j.claims) == 0:
		c.find(Lost, j.queue, j.id, "acknowledged, never claimed, and not there")
	default:
		c.find(Lost, j.queue, j.id, fmt.Sprintf("acknowledged, claimed %d times, never done, and not there", len(j.claims)))
	}
}
