package ui

import (
	"context"
	"sync"
	"time"

	"github.com/punctualq/punctual/queue"
)

// What live updates may cost.
const (
	pollEvery = 2 * time.Second
	// pollBudget is how many commands a second the polls may cost Redis, those within scripts counted: where there are many queues and
	// workers they come less often, but every pollAtLeast.
	pollBudget  = 15
	pollAtLeast = 15 * time.Second
	// maxListeners bounds what one process holds open.
	maxListeners = 200
)

// snapshot is the queues and workers of one moment.
type snapshot struct {
	Overviews []queue.Overview
	Workers   []queue.WorkerState
	Err       error
	before    []queue.Overview // of the snapshot before, for rates
}

// hub looks at the queues for all browsers together: one poll for all of them, and none while nobody listens.
type hub struct {
	queue   Queue
	timeout time.Duration
	closing <-chan struct{}

	mu        sync.Mutex
	listeners map[chan *snapshot]bool
	running   bool
	last      *snapshot
}

func newHub(q Queue, timeout time.Duration, closing <-chan struct{}) *hub {
	return &hub{queue: q, timeout: timeout, closing: closing, listeners: map[chan *snapshot]bool{}}
}

// listen returns a channel that gets the latest snapshot, and soon the next. A listener that is slow misses some. leave ends it.
func (h *hub) listen() (news <-chan *snapshot, leave func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.listeners) >= maxListeners {
		return nil, nil, errFull
	}
	c := make(chan *snapshot, 1)
	h.listeners[c] = true
	if !h.running {
		h.running, h.last = true, nil // what was seen when somebody listened last is old
		go h.run()
	} else if h.last != nil {
		c <- h.last
	}
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.listeners, c)
	}, nil
}

// run polls until nobody listens any more.
func (h *hub) run() {
	var last *snapshot
	for {
		last = h.look(last)
		if !h.publish(last) {
			return
		}
		timer := time.NewTimer(pace(len(last.Overviews), len(last.Workers)))
		select {
		case <-timer.C:
		case <-h.closing:
			timer.Stop()
			h.mu.Lock()
			h.running = false
			h.mu.Unlock()
			return
		}
	}
}

// publish hands a snapshot to all who listen, and ends the polls if nobody does.
func (h *hub) publish(s *snapshot) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.listeners) == 0 {
		h.running = false
		return false
	}
	h.last = s
	for c := range h.listeners {
		select {
		case <-c: // the one before, which he has not read
		default:
		}
		c <- s
	}
	return true
}

func (h *hub) look(last *snapshot) *snapshot {
	ctx, cancel := context.WithTimeout(context.Background(), h.timeout)
	defer cancel()
	s := &snapshot{}
	if s.Overviews, s.Err = h.queue.Overviews(ctx); s.Err == nil {
		s.Workers, s.Err = h.queue.Workers(ctx)
	}
	if last != nil && s.Err == nil {
		s.before = last.Overviews
	}
	return s
}

// pace is how long to wait between polls. A poll asks for the names of the queues twice; each queue costs it the script overview with
// what is in it, and two commands for its workers; each worker two more.
func pace(queues, workers int) time.Duration {
	commands := 2 + 16*queues + 2*workers
	return min(max(pollEvery, time.Duration(commands)*time.Second/pollBudget), pollAtLeast)
}
