package worker

import (
	"context"
	"time"

	"github.com/punctualq/punctual/queue"
)

// memory is what a runner knows, guarded by runner.mu. It is keyed by list element, never by job id: a result can then
// only ever settle the claim that it belongs to.
type memory struct {
	info       queue.WorkerInfo
	registered bool
	awaited    bool // no heartbeat has told yet whether the id could be registered
	held       map[string]*execution
	running    int             // handlers that have not returned: they hold the slots
	stuck      int             // of these, those that were told of as stuck
	begin      []*execution    // of these, those whose handlers are to begin
	called     int             // executors on their way to them
	resting    int             // executors that have nothing to do and were not called
	lastBeat   time.Time       // when the last successful heartbeat was sent
	number     int64           // of the last claim that was sent; never reset while the process lives
	resolved   int64           // of the last claim that was answered or given up
	want       bool            // look for due jobs; cleared when a claim is sent, not when it is answered
	backlog    bool            // the last claim got all it asked for: the next result is settled with another claim anyway
	armed      time.Time       // this worker keeps time: look again then
	exchanging bool            // a round trip is under way
	unsure     bool            // an outcome is unknown: the own list must be read before anything else is done
	doubts     int             // counts the times that unsure was set
	failures   int             // exchanges in a row that were refused, fenced or not answered
	differs    int             // by how much the own list was longer than memory when last compared
	adopt      []string        // elements of the own list that memory knows nothing of
	cancelled  map[string]bool // elements of the own list that were being cancelled when the last heartbeat was answered
	quiet      bool            // it was told to claim nothing more; for as long as the process lives
	stopping   bool
}

// takesNone: it claims nothing more, and gives back what a claim under way brings yet.
func (m *memory) takesNone() bool { return m.stopping || m.quiet }

// phase of an execution.
type phase int

const (
	running  phase = iota
	finished       // has a result that Redis has not confirmed
	settling       // its result is on its way
)

// execution is one claim of one job in the hands of this worker.
type execution struct {
	claimed queue.Claimed
	worker  string // under which id it was claimed
	phase   phase
	abort   context.CancelCauseFunc // ends the context of the handler; nil unless it runs
	cause   error                   // why it is to end, or must not begin
	begun   time.Time               // when the handler was called
	ends    time.Time               // when its context ends, or has ended
	stuck   bool                    // it was told of, see findStuck
	lost    bool                    // not on the list any more: its result will be answered "lost"
	result  queue.Result
}

// job is what the handler gets.
func (e *execution) job() Job {
	return Job{Job: e.claimed.Job, Attempt: e.claimed.Attempt, Worker: e.worker, Element: e.claimed.Element}
}

// cancel ends the context of the handler, if it runs or is to run yet. The first cause counts. The caller holds runner.mu.
func (e *execution) cancel(cause error) {
	now := time.Now()
	switch {
	case e.cause != nil:
	case e.abort != nil && !now.Before(e.ends):
		e.cause = ErrTimeout
	default:
		e.cause, e.ends = cause, now
	}
	if e.abort != nil {
		e.abort(cause)
	}
}

// tellCancelled ends the handlers of what is being cancelled, and remembers it for what a claim under way brings yet. It returns how many
// were told.
func (m *memory) tellCancelled(elements []string) (told int) {
	m.cancelled = nil
	for _, element := range elements {
		if m.cancelled == nil {
			m.cancelled = map[string]bool{}
		}
		m.cancelled[element] = true
		if e := m.held[element]; e != nil && e.phase == running && e.cause == nil {
			e.cancel(ErrCancelled)
			told++
		}
	}
	return told
}

// renew takes a new worker id, to be registered by the next heartbeat. What was claimed under the old one is lost.
func (m *memory) renew() {
	m.info.ID = newID(m.info)
	m.cancelled = nil
	m.awaited = true
	m.registered, m.unsure, m.backlog, m.armed, m.adopt, m.want = false, false, false, time.Time{}, nil, true
	for _, e := range m.held {
		e.lost = true
		e.cancel(ErrLost)
	}
}

// doubt notes that the outcome of something is unknown.
func (m *memory) doubt() {
	m.unsure = true
	m.doubts++
}

// expected is how long the own list should be.
func (m *memory) expected() (n int) {
	for _, e := range m.held {
		if !e.lost {
			n++
		}
	}
	return n
}

// snapshot is what was known when a heartbeat was sent: its reply is compared with this, not with what came later.
type snapshot struct {
	worker   string
	doubts   int
	resolved int64
	known    map[string]bool // element → not judged: its settle was under way, or it was being taken in
}

func (m *memory) snapshot() snapshot {
	s := snapshot{worker: m.info.ID, doubts: m.doubts, resolved: m.resolved, known: make(map[string]bool, len(m.held))}
	for element, e := range m.held {
		s.known[element] = e.phase == settling
	}
	for _, element := range m.adopt {
		s.known[element] = true // when the reply comes it may have been run and settled
	}
	return s
}

// reconcile compares the own list with memory as a set, both ways. It judges only elements whose claim was answered or
// given up, and whose settle was not under way, when the heartbeat was sent. What memory does not know is put up for
// adoption; what is gone from the list is lost: its handler's context ends. It returns how many of each.
func (m *memory) reconcile(s snapshot, own []string) (unknown, gone int) {
	listed := make(map[string]bool, len(own))
	for _, element := range own {
		listed[element] = true
	}
	waiting := map[string]bool{}
	for _, element := range m.adopt {
		waiting[element] = true
	}
	for _, element := range own {
		_, was := s.known[element]
		if was || m.held[element] != nil || waiting[element] || queue.ClaimNumber(element) > s.resolved {
			continue
		}
		m.adopt = append(m.adopt, element)
		waiting[element] = true // a foreign hand may have listed it twice
		unknown++
	}
	for element, unjudged := range s.known {
		e := m.held[element]
		if e == nil || e.lost || unjudged || listed[element] || e.phase == settling {
			continue
		}
		gone++
		e.lost = true
		e.cancel(ErrLost)
		if e.phase == finished {
			delete(m.held, element) // a resend would only be answered "lost"
			m.want = true           // no claim will come with it
		}
	}
	if m.doubts == s.doubts {
		m.unsure = false
	}
	return unknown, gone
}
