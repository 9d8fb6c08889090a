package history

import (
	"time"

	"github.com/punctualq/punctual/queue"
)

// span is when an operation may have run in Redis: between the moment that it was about to be sent and its answer.
type span struct{ from, to int64 }

type (
	jobKey   struct{ queue, id string }
	claimKey struct{ worker, element string }
	procKey  struct{ proc, name string } // what one process does one at a time
	callKey  struct {
		proc, queue string
		number      int64
	}
)

// job is what the history tells of one id.
type job struct {
	jobKey
	enqueues []*enqueue
	cancels  []*cancel
	claims   []*claim
	deeds    []*deed
	final    string // where it is at the end; "" nowhere, or nobody knows
}

// enqueue is one time that a job was handed in.
type enqueue struct {
	span
	res    queue.Res // invoke: never answered
	exists bool
	due    int64
}

// claim is one claim of one job.
type claim struct {
	span
	job              *job
	worker           *worker
	element          string
	attempt, retries int
	at, due          int64 // ms by the clock of Redis
	guessed          bool  // its answer was lost: at is reckoned, due is unknown
	starts           int
	settles          []*settle
}

// settle is one time that the result of a claim was reported.
type settle struct {
	span
	res    queue.Res // invoke: never answered
	wanted queue.Outcome
	answer queue.Outcome
	at     int64 // ms by the clock of Redis
	delay  int64
	stale  bool // claimed under an id that the worker has had before: it must be answered lost
}

// applied: it changed the job. May: nobody knows.
func (s *settle) applied() bool { return s.res == queue.ResOK && s.answer != queue.OutcomeLost }
func (s *settle) may() bool     { return s.res == queue.ResInvoke || s.res == queue.ResUnknown }

// call is one claim call.
type call struct {
	span
	worker, queue string
	number        int64
	answered      bool
	untold        int // jobs it was answered with, and the process was killed before it wrote so
}

// unknown: it may have taken jobs that nobody knows of.
func (x *call) unknown() bool { return !x.answered || x.untold > 0 }

// checker goes over a history once, and then over each job.
type checker struct {
	rules   Rules
	verdict Verdict

	jobs     map[jobKey]*job
	order    []*job
	claims   map[claimKey]*claim
	numbers  map[procKey]bool // elements that a process has claimed, under whatever worker id
	calls    map[callKey]*call
	workers  map[string]*worker
	queues   map[string]*watch
	enqueues map[procKey][]*enqueue // under way
	cancels  map[procKey][]*cancel  // under way
	settles  map[claimKey]*settle   // under way
	deeds    map[procKey][]*deed    // under way
	spans    map[procKey]*span      // of heartbeats and leaves under way
	reaps    map[procKey]*reap      // under way
	clocks   map[string]*Event      // the last event of each process that tells the time of Redis

	late    map[int64]int
	onTime  int
	trimmed int
	loose   bool // a claim was never answered: it may have taken jobs that nobody knows of
}

// Check judges a history, in a time that grows as its length does.
func Check(h History, rules Rules) Verdict {
	if rules.Tolerance <= 0 {
		rules.Tolerance = 500 * time.Millisecond
	}
	c := gather(h, rules)
	for _, j := range c.order {
		c.judge(j)
	}
	c.verdict.Jobs = len(c.order)
	c.verdict.Lateness = percentiles(c.late, c.onTime)
	return c.verdict
}

// gather reads all events.
func gather(h History, rules Rules) *checker {
	c := &checker{rules: rules, jobs: map[jobKey]*job{}, claims: map[claimKey]*claim{}, numbers: map[procKey]bool{}, calls: map[callKey]*call{},
		workers: map[string]*worker{}, queues: map[string]*watch{}, enqueues: map[procKey][]*enqueue{}, cancels: map[procKey][]*cancel{},
		settles: map[claimKey]*settle{}, deeds: map[procKey][]*deed{}, spans: map[procKey]*span{}, reaps: map[procKey]*reap{},
		clocks: map[string]*Event{}, late: map[int64]int{}}
	for _, e := range h.Events {
		c.verdict.steps++
		c.take(e)
		if e.RedisMS > 0 {
			c.clocks[e.Proc] = e
		}
	}
	c.verdict.Events = len(h.Events)
	for _, x := range c.calls {
		c.verdict.steps++
		c.loose = c.loose || x.unknown()
	}
	for _, r := range c.reaps {
		c.verdict.steps++
		r.may()
	}
	for _, s := range rules.Final {
		for place, ids := range map[string][]string{"scheduled": s.Scheduled, "processing": s.Processing, "dead": s.Dead} {
			for _, id := range ids {
				c.verdict.steps++
				c.job(s.Queue, id).final = place
			}
		}
	}
	return c
}

func (c *checker) take(e *Event) {
	switch e.Op {
	case queue.OpEnqueue:
		c.takeEnqueue(e)
	case queue.OpCancelJob:
		c.takeCancel(e)
	case queue.OpClaim, queue.OpAdopt:
		c.takeClaim(e)
	case queue.OpSettle:
		c.takeSettle(e)
	case queue.OpHeartbeat, queue.OpObserve:
		c.takeHeartbeat(e)
	case queue.OpReap:
		c.takeReap(e)
	case queue.OpLeave:
		c.takeLeave(e)
	case queue.OpTrim:
		if e.Res == queue.ResOK {
			c.trimmed += e.Count
		}
	case queue.OpStart, queue.OpEnd, queue.OpCancel:
		c.takeRun(e)
	case queue.OpReschedule, queue.OpEdit, queue.OpRedrive, queue.OpPurge:
		c.takeDeed(e)
	}
}

func (c *checker) find(rule, queue, id, reason string) {
	c.verdict.Findings = append(c.verdict.Findings, Finding{Rule: rule, Queue: queue, ID: id, Reason: reason})
}

func (c *checker) job(queue, id string) *job {
	key := jobKey{queue, id}
	j := c.jobs[key]
	if j == nil {
		j = &job{jobKey: key}
		c.jobs[key], c.order = j, append(c.order, j)
	}
	return j
}

// oldest takes out the first of those that are under way, which is whose answer comes next; nil if there is none.
func oldest[T any](underway map[procKey][]*T, key procKey) *T {
	waiting := underway[key]
	if len(waiting) == 0 {
		return nil
	}
	if underway[key] = waiting[1:]; len(waiting) == 1 {
		delete(underway, key)
	}
	return waiting[0]
}

func (c *checker) takeEnqueue(e *Event) {
	key := procKey{e.Proc, e.Queue + "/" + e.ID}
	if e.Res == queue.ResInvoke {
		n := &enqueue{span: span{e.MonoNS, forever}, res: queue.ResInvoke}
		j := c.job(e.Queue, e.ID)
		j.enqueues = append(j.enqueues, n)
		c.enqueues[key] = append(c.enqueues[key], n)
		return
	}
	n := oldest(c.enqueues, key)
	if n == nil {
		c.find("history", e.Queue, e.ID, "an enqueue was answered that was never sent")
		return
	}
	n.res, n.due, n.exists = e.Res, e.DueMS, e.Outcome == "exists"
	if e.Res != queue.ResUnknown {
		n.to = e.MonoNS
	}
}

func (c *checker) takeClaim(e *Event) {
	key := callKey{e.Proc, e.Queue, e.Number}
	x := c.calls[key]
	switch {
	case e.Res == queue.ResInvoke:
		if x != nil {
			c.find("I5", e.Queue, "", "worker "+e.Worker+" used the claim number of an earlier claim again")
		}
		c.calls[key] = &call{span: span{e.MonoNS, forever}, worker: e.Worker, queue: e.Queue, number: e.Number}
	case x == nil:
		c.find("history", e.Queue, e.ID, "a claim was answered that was never sent")
	case e.ID == "":
		if e.Res != queue.ResUnknown {
			x.to, x.answered, x.untold = e.MonoNS, true, e.Count
		}
	default:
		if e.Op == queue.OpClaim {
			x.untold--
		}
		c.claimed(e, x)
	}
}

// claimed: a worker has a job in its hands.
func (c *checker) claimed(e *Event, x *call) {
	key := claimKey{e.Worker, e.Element}
	if c.claims[key] != nil {
		if e.Op == queue.OpClaim {
			c.find("I5", e.Queue, e.ID, "element "+e.Element+" was claimed twice by "+e.Worker)
		}
		return
	}
	j := c.job(e.Queue, e.ID)
	n := &claim{span: span{x.from, e.MonoNS}, job: j, worker: c.worker(e), element: e.Element, attempt: e.Attempt, retries: e.MaxRetry,
		at: e.RedisMS, due: e.DueMS, guessed: e.Op == queue.OpAdopt}
	if n.guessed { // when it was claimed is not known, but when the claim was sent
		n.due = 0
		if clock := c.clocks[e.Proc]; clock != nil {
			n.at = clock.RedisMS + (x.from-clock.MonoNS)/int64(time.Millisecond)
		}
	}
	c.claims[key] = n
	c.numbers[procKey{e.Proc, e.Element}] = true
	j.claims = append(j.claims, n)
	c.verdict.Claims++
	c.living(n, x)
}

func (c *checker) takeSettle(e *Event) {
	key := claimKey{e.Worker, e.Element}
	if e.Res == queue.ResInvoke {
		s := &settle{span: span{e.MonoNS, forever}, res: e.Res, wanted: e.Outcome, delay: e.DelayMS}
		c.settles[key] = s
		if n := c.claims[key]; n != nil {
			n.settles = append(n.settles, s)
		} else if s.stale = c.numbers[procKey{e.Proc, e.Element}]; !s.stale {
			c.find("I6", e.Queue, e.ID, e.Worker+" settles "+e.Element+", which it never claimed")
		}
		return
	}
	s := c.settles[key]
	if s == nil {
		c.find("history", e.Queue, e.ID, "a settle was answered that was never sent")
		return
	}
	delete(c.settles, key)
	s.res, s.answer, s.at = e.Res, e.Outcome, e.RedisMS
	if e.Res != queue.ResUnknown {
		s.to = e.MonoNS
	}
	if s.stale && s.applied() {
		c.find("I6", e.Queue, e.ID, e.Worker+" has settled "+e.Element+" as "+string(s.answer)+", which it had claimed under another id")
	}
}
