package queue

import (
	"context"
	"time"
)

// Filter says which jobs of a state a bulk verb is for.
type Filter struct {
	State   State         // of Purge: Dead (default), Scheduled or Done. Redrive is for Dead only
	Type    string        // "" for all
	MinAge  time.Duration // only those that have been dead (done, enqueued) for so long
	Subject string        // "" for all
	Limit   int           // most jobs to move; 0 means 1000, at most 100000
}

// Moved tells what a bulk verb did before its context ended.
type Moved struct {
	Jobs int  // moved
	Seen int  // looked at
	More bool // there may be more that match: call again
}

// Redrive brings a dead job back: due now, attempts reset, its failures kept. ErrNotFound; *StateError unless it is dead;
// ErrInvalid if its record could not be read and nothing can run it.
func (c *Client) Redrive(ctx context.Context, queue, id string) error { return errNotBuilt }

// RedriveAll brings back the dead jobs that match, the longest dead first, at most 100 a script, until Limit or until ctx is about to end.
func (c *Client) RedriveAll(ctx context.Context, queue string, f Filter) (Moved, error) {
	return Moved{}, errNotBuilt
}
