package worker

import (
	"fmt"
	"slices"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// store stands in for one queue in Redis: the scripts as package queue tells of them, each one step under a lock. Its clock
// is wrong by skew on purpose: nothing in this package may compare a time of Redis with one of its own.
type store struct {
	t  *testing.T
	mu sync.Mutex

	jobs     map[string]*record
	due      map[string]time.Time // scheduled
	lists    map[string][]string  // processing
	registry map[string]time.Time // worker → when its heartbeat runs out
	reaping  map[string]bool
	told     map[string]bool // ids that learned of their registration
	infos    map[string]queue.WorkerInfo
	others   []queue.WorkerInfo // told by Workers beside our own

	cancelled map[string]bool   // ids
	orders    map[string]string // worker → what it was told
	control   map[string]*bell  // worker → its control list

	token   bool
	waiters []chan struct{}
	keeper  struct {
		id         string
		due, until time.Time
	}
	done, dead, released, lost, gone []string // ids, in the order of their settling

	overdue []string // told to heartbeats, one each
	network
}

type record struct {
	queue.Job
	attempts int
	corrupt  error
	failures []queue.Failure
}

const skew = -37*time.Minute - 400*time.Microsecond

func newStore(t *testing.T) *store {
	s := &store{t: t, jobs: map[string]*record{}, due: map[string]time.Time{}, lists: map[string][]string{},
		registry: map[string]time.Time{}, reaping: map[string]bool{}, told: map[string]bool{}, infos: map[string]queue.WorkerInfo{},
		cancelled: map[string]bool{}, orders: map[string]string{}, control: map[string]*bell{}}
	s.network.init()
	t.Cleanup(s.conserved)
	return s
}

// now is the clock of Redis: whole milliseconds.
func (s *store) now() time.Time { return time.Now().Add(skew).Truncate(time.Millisecond) }

// add enqueues a job that is due after d.
func (s *store) add(id string, d time.Duration, change ...func(*record)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &record{Job: queue.Job{ID: id, Queue: "q", Type: "test", MaxRetry: 10}}
	for _, f := range change {
		f(r)
	}
	s.jobs[id] = r
	s.schedule(id, s.now().Add(d), true)
}

func (s *store) addMany(n int, prefix string) {
	for i := range n {
		s.add(fmt.Sprintf("%s%04d", prefix, i), 0)
	}
}

// schedule puts a job into scheduled; a new head pushes the wake token.
func (s *store) schedule(id string, due time.Time, push bool) {
	head := s.head()
	s.due[id] = due
	if push && (head == "" || due.Before(s.due[head])) {
		s.push()
	}
}

func (s *store) waiting() []string {
	ids := make([]string, 0, len(s.due))
	for id := range s.due {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool {
		a, b := s.due[ids[i]], s.due[ids[j]]
		return a.Before(b) || a.Equal(b) && ids[i] < ids[j]
	})
	return ids
}

func (s *store) head() (head string) {
	for id, due := range s.due {
		if head == "" || due.Before(s.due[head]) || due.Equal(s.due[head]) && id < head {
			head = id
		}
	}
	return head
}

// push is LPUSH wake where there is no token: the longest waiter gets it.
func (s *store) push() {
	if len(s.waiters) > 0 {
		close(s.waiters[0])
		s.waiters = s.waiters[1:]
	} else {
		s.token = true
	}
}

func (s *store) claim(e queue.Exchange) (queue.Claims, error) {
	if !s.told[e.Worker] {
		s.t.Errorf("claim by %s, which cannot know of any registration", e.Worker)
	}
	if s.registry[e.Worker].IsZero() || s.reaping[e.Worker] {
		return queue.Claims{}, queue.ErrFenced
	}
	now, next := s.now(), time.Time{}
	c := queue.Claims{Now: now}
	for _, id := range s.waiting() {
		due := s.due[id]
		if len(c.Jobs) == e.Claim || due.After(now) {
			next = due
			break
		}
		r := s.jobs[id]
		r.attempts++
		delete(s.due, id)
		element := fmt.Sprintf("%d:%s", e.Number, id)
		s.lists[e.Worker] = append(s.lists[e.Worker], element)
		c.Jobs = append(c.Jobs, queue.Claimed{Element: element, Job: r.Job, Attempt: r.attempts, Due: due, At: now, Corrupt: r.corrupt})
	}
	c.NextDue, c.Armed = next, s.keepTime(e, next, len(c.Jobs) == e.Claim, now)
	c.Held = len(s.lists[e.Worker])
	return c, nil
}

// keepTime decides who keeps time after a claim, as claim.lua does.
func (s *store) keepTime(e queue.Exchange, next time.Time, full bool, now time.Time) bool {
	k := &s.keeper
	if k.until.Before(now) {
		k.id = ""
	}
	mine := k.id == e.Worker
	switch {
	case full:
		if !next.IsZero() && (!next.After(now) || mine || k.id == "" || k.due.After(next)) {
			s.push()
		}
		if mine {
			k.id = ""
		}
	case next.IsZero():
		if mine {
			k.id = ""
		}
	case k.id == "" || mine || next.Before(k.due):
		k.id, k.due, k.until = e.Worker, next, now.Add(e.Lease)
		return true
	}
	return false
}

func (s *store) settle(e queue.Exchange) []queue.Outcome {
	var out []queue.Outcome
	for _, r := range e.Results {
		i := slices.Index(s.lists[e.Worker], r.Element)
		_, id := splitTest(r.Element)
		if i < 0 {
			s.lost = append(s.lost, r.Element)
			out = append(out, queue.OutcomeLost)
			continue
		}
		s.lists[e.Worker] = slices.Delete(s.lists[e.Worker], i, i+1)
		j := s.jobs[id]
		if r.Failure != nil {
			j.failures = append(j.failures, *r.Failure)
		}
		outcome := r.Outcome
		if s.cancelled[id] && outcome != queue.OutcomeDone {
			outcome = queue.OutcomeCancelled
		}
		delete(s.cancelled, id)
		switch outcome {
		case queue.OutcomeDone:
			delete(s.jobs, id)
			s.done = append(s.done, id)
		case queue.OutcomeCancelled:
			delete(s.jobs, id)
			s.gone = append(s.gone, id)
		case queue.OutcomeRetry:
			s.schedule(id, s.now().Add(r.Delay), e.Claim == 0)
		case queue.OutcomeRelease:
			j.attempts--
			s.released = append(s.released, id)
			s.schedule(id, s.now(), e.Claim == 0)
		case queue.OutcomeDead, queue.OutcomeCorrupt:
			s.dead = append(s.dead, id)
			outcome = queue.OutcomeDead
		default:
			s.t.Errorf("settle: outcome %q of %s", r.Outcome, r.Element)
		}
		out = append(out, outcome)
	}
	return out
}

func (s *store) heartbeat(w queue.WorkerInfo, t queue.Timing, first bool) (queue.Pulse, error) {
	if !first && !s.told[w.ID] {
		s.t.Errorf("renewal by %s, which cannot know of any registration", w.ID)
	}
	if !first && (s.registry[w.ID].IsZero() || s.reaping[w.ID]) {
		return queue.Pulse{}, queue.ErrFenced
	}
	now := s.now()
	s.told[w.ID] = true
	s.registry[w.ID], s.infos[w.ID] = now.Add(t.TTL), w
	if s.keeper.id == w.ID && !s.keeper.until.Before(now) {
		s.keeper.until = now.Add(t.KeeperLease())
	}
	p := queue.Pulse{Now: now, Own: slices.Clone(s.lists[w.ID]), Order: s.orders[w.ID]}
	for _, element := range p.Own {
		if _, id := splitTest(element); s.cancelled[id] {
			p.Cancelled = append(p.Cancelled, element)
		}
	}
	if head := s.head(); head != "" {
		p.NextDue = s.due[head]
	}
	if len(s.overdue) > 0 {
		p.Overdue, s.overdue = s.overdue[0], s.overdue[1:]
	}
	return p, nil
}

// reap takes back up to n jobs of a worker, as another worker would: without asking whether it is dead.
func (s *store) reap(victim string, n int) queue.Reaped {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reapLocked(victim, n)
}

func (s *store) reapLocked(victim string, n int) queue.Reaped {
	if s.registry[victim].IsZero() {
		return queue.Reaped{Verdict: "gone"}
	}
	list := s.lists[victim]
	n = min(n, len(list))
	for _, element := range list[:n] {
		_, id := splitTest(element)
		if s.cancelled[id] {
			delete(s.cancelled, id)
			delete(s.jobs, id)
			s.gone = append(s.gone, id)
			continue
		}
		s.schedule(id, s.now().Add(500*time.Millisecond), true)
	}
	s.lists[victim] = slices.Clone(list[n:])
	s.reaping[victim] = len(s.lists[victim]) > 0
	if !s.reaping[victim] {
		delete(s.registry, victim)
	}
	return queue.Reaped{Verdict: "reaped", Rescheduled: n, Left: len(s.lists[victim])}
}

func (s *store) leave(worker string) bool {
	if s.keeper.id == worker {
		s.keeper.id = ""
	}
	if len(s.due) > 0 && !s.token {
		s.push()
	}
	if len(s.lists[worker]) > 0 {
		return false
	}
	delete(s.registry, worker)
	return true
}
