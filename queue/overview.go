package queue

import (
	"context"
	"time"
)

// Overview is one queue in figures, all of one moment.
type Overview struct {
	Queue      string
	Now        time.Time // by the clock of Redis
	Scheduled  int       // all that wait, due or not
	Due        int       // of these, due already
	Processing int
	Dead       int
	Done       int       // kept by their retention
	OldestDue  time.Time // of the jobs that are due; zero if none is
	NextDue    time.Time // of the jobs that are not due yet; zero if there is none
	Paused     bool
	Workers    int              // registered
	Counters   map[string]int64 // the counters of the hash stats, see Architecture.md
}

// Lateness is for how long the oldest due job has been due.
func (o Overview) Lateness() time.Duration {
	if o.OldestDue.IsZero() {
		return 0
	}
	return o.Now.Sub(o.OldestDue)
}

// Overview returns the figures of one queue; ErrNoQueue if nothing was ever put into it.
func (c *Client) Overview(ctx context.Context, queue string) (Overview, error) {
	return Overview{}, errNotBuilt
}

// Overviews returns the figures of all queues, by name.
func (c *Client) Overviews(ctx context.Context) ([]Overview, error) { return nil, errNotBuilt }
