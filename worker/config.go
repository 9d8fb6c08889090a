// Package worker runs jobs: it claims them from a queue, hands them to handlers, and settles what became of them. It has
// the loops that package queue does not: the exchange, the heartbeat, the wait for the wake token, the reaper.
package worker

import (
	"fmt"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/punctualq/punctual/queue"
)

// LeaseDoubt says what happens to running handlers when this worker can no longer be sure that it still holds its jobs.
type LeaseDoubt string

const (
	// DoubtContinue lets handlers run on and settles their results when Redis returns: an outage of Redis costs no job a
	// second run. If only this worker was cut off, another may run the same jobs meanwhile.
	DoubtContinue LeaseDoubt = "continue"
	// DoubtCancel ends the contexts of running handlers before another worker may take their jobs.
	DoubtCancel LeaseDoubt = "cancel"
)

// Config of a worker. Zero values mean the defaults.
type Config struct {
	Queues        map[string]int // slots per queue; 0 slots means Concurrency. Default: {"default": Concurrency}
	Concurrency   int            // jobs at a time per queue. Default 10
	JobTimeout    time.Duration  // of one run, for jobs that have none of their own. Default 30 min
	RetryBase     time.Duration  // most delay before the first retry. Default 1 s
	RetryCap      time.Duration  // most delay before any retry. Default 1 h
	Timing        queue.Timing   // heartbeat interval (default 2 s) and TTL (default 10 s)
	DeadMax       int            // dead jobs kept per queue. Default 100000
	DeadRetention time.Duration  // how long dead jobs are kept. Default 2160 h
	DoneMax       int            // done jobs kept per queue, of those that have a retention. Default 100000
	ShutdownGrace time.Duration  // how long handlers may finish at a shutdown. Default 25 s
	LeaseDoubt    LeaseDoubt     // default DoubtContinue
	StuckAfter    time.Duration  // how long a handler may go on after its context ended before it is told of. Default 10 s
	Build         string         // told in the heartbeat: what tells builds apart
	Logger        zerolog.Logger // default: no log
	// Observe, if set, is asked once for each queue who is to be told of what happens there.
	Observe func(queue string) Observer
	// History, if set, is told of handlers: it must be the one that the queue.Client has. For tests, see queue.HistoryTo.
	History func(queue.Event)
}

// withDefaults fills in what is zero and refuses what cannot work.
func (c Config) withDefaults() (Config, error) {
	set(&c.Concurrency, 10)
	set(&c.JobTimeout, 30*time.Minute)
	set(&c.RetryBase, time.Second)
	set(&c.RetryCap, time.Hour)
	c.Timing = timing(c.Timing)
	set(&c.DeadMax, 100_000)
	set(&c.DeadRetention, 2160*time.Hour)
	set(&c.DoneMax, 100_000)
	set(&c.ShutdownGrace, 25*time.Second)
	set(&c.LeaseDoubt, DoubtContinue)
	set(&c.StuckAfter, 10*time.Second)
	if err := c.check(); err != nil {
		return c, fmt.Errorf("worker: %w", err)
	}
	if len(c.Queues) == 0 {
		c.Queues = map[string]int{queue.DefaultQueue: c.Concurrency}
	}
	queues := map[string]int{}
	for name, slots := range c.Queues {
		set(&slots, c.Concurrency)
		if slots < 1 {
			return c, fmt.Errorf("worker: queue %s has %d slots: must be at least 1", name, slots)
		}
		queues[name] = slots
	}
	c.Queues = queues
	return c, nil
}

// check refuses what cannot work, of a Config that has its defaults.
func (c Config) check() error {
	switch {
	case c.Concurrency < 1:
		return fmt.Errorf("concurrency %d must be at least 1", c.Concurrency)
	case c.JobTimeout < 0:
		return fmt.Errorf("job timeout %s must not be negative", c.JobTimeout)
	case c.RetryBase < 0 || c.RetryCap < c.RetryBase:
		return fmt.Errorf("retry base %s, retry cap %s: must be positive, the cap not below the base", c.RetryBase, c.RetryCap)
	case c.DeadMax < 0 || c.DeadRetention < 0:
		return fmt.Errorf("%d dead jobs kept, dead retention %s: must not be negative", c.DeadMax, c.DeadRetention)
	case c.DoneMax < 0:
		return fmt.Errorf("%d done jobs kept: must not be negative", c.DoneMax)
	case c.ShutdownGrace < 0:
		return fmt.Errorf("shutdown grace %s must not be negative", c.ShutdownGrace)
	case c.StuckAfter < 0:
		return fmt.Errorf("stuck after %s must not be negative", c.StuckAfter)
	case c.LeaseDoubt != DoubtContinue && c.LeaseDoubt != DoubtCancel:
		return fmt.Errorf("lease doubt %q must be %q or %q", c.LeaseDoubt, DoubtContinue, DoubtCancel)
	}
	return c.Timing.Check()
}

// timing fills in what is zero.
func timing(t queue.Timing) queue.Timing {
	set(&t.Interval, 2*time.Second)
	set(&t.TTL, 5*t.Interval)
	return t
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// info describes this process in heartbeats.
func (c Config) info(slots int) queue.WorkerInfo {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "unknown"
	}
	dir, _ := os.Getwd() // a working folder that is gone is told as none
	return queue.WorkerInfo{Host: host, PID: os.Getpid(), Started: time.Now().Truncate(time.Second), Concurrency: slots,
		Build: c.Build, Dir: dir}
}
