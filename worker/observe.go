package worker

import (
	"time"

	"github.com/punctualq/punctual/queue"
)

// Observer is told of what a worker does on one queue, for metrics say. What is nil is not called. Its functions are called by
// several goroutines, some while the worker's memory is locked: they must return at once, and call nothing of this package.
type Observer struct {
	Claimed func(jobType string, lateness time.Duration) // a job was claimed so long after it was due, by the clock of Redis
	Ran     func(jobType string, took time.Duration)     // a handler has ended; a type without a handler is told of, too
	Settled func(jobType string, outcome queue.Outcome)  // Redis has answered what became of a claimed job
	Fenced  func()                                       // this worker was reaped, and goes on under a new id
}

// observer is that of one queue, with something to call in each place.
func (c Config) observer(name string) Observer {
	var o Observer
	if c.Observe != nil {
		o = c.Observe(name)
	}
	if o.Claimed == nil {
		o.Claimed = func(string, time.Duration) {}
	}
	if o.Ran == nil {
		o.Ran = func(string, time.Duration) {}
	}
	if o.Settled == nil {
		o.Settled = func(string, queue.Outcome) {}
	}
	if o.Fenced == nil {
		o.Fenced = func() {}
	}
	return o
}
