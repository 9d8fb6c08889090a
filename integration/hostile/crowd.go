package main

import (
	"context"
	"sync"
	"time"

	"github.com/punctualq/punctual/worker"
)

// crowd counts the handlers that run, and those that wait to meet.
type crowd struct {
	size int

	mu      sync.Mutex
	running int
	killers int // of those that run, the ones that will end the process
	waiting int
	met     chan struct{} // closed when so many wait as the worker has slots
}

func newCrowd(size int) *crowd { return &crowd{size: size, met: make(chan struct{})} }

// count is middleware.
func (c *crowd) count(next worker.Handler) worker.Handler {
	return func(ctx context.Context, job worker.Job) error {
		c.add(1)
		defer c.add(-1)
		return next(ctx, job)
	}
}

func (c *crowd) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running += n
}

// meet returns when as many handlers wait here at once as the worker has slots: it proves that none was lost.
func (c *crowd) meet(ctx context.Context) error {
	c.mu.Lock()
	met := c.met
	if c.waiting++; c.waiting == c.size {
		close(met)
		c.met, c.waiting = make(chan struct{}), 0
	}
	c.mu.Unlock()
	select {
	case <-met:
		return nil
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if met == c.met {
		c.waiting--
	}
	return context.Cause(ctx)
}

// kills is told by a handler that will end the process.
func (c *crowd) kills() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killers++
}

// outlive returns when so much time has passed and no handler is about to end the process: who runs beside one is still there
// when it does.
func (c *crowd) outlive(ctx context.Context, least time.Duration) error {
	if err := pause(ctx, least); err != nil {
		return err
	}
	for {
		c.mu.Lock()
		killers := c.killers
		c.mu.Unlock()
		if killers == 0 {
			return nil
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// awaitOthers returns when so many handlers run beside the caller's, or most is over.
func (c *crowd) awaitOthers(ctx context.Context, others int, most time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for ctx.Err() == nil {
		c.mu.Lock()
		enough := c.running > others
		c.mu.Unlock()
		if enough {
			return
		}
		_ = pause(ctx, 5*time.Millisecond)
	}
}
