package queue

import (
	"context"
	"time"
)

// When is a due time by the clock of Redis: At, or In from now. The zero value is now.
type When struct {
	At time.Time
	In time.Duration
}

// Reschedule gives a scheduled job another due time, which it returns. A job that is due already and is told to run now
// keeps its due time. ErrNotFound; *StateError unless it is scheduled; ErrInvalid beyond MaxDelay.
func (c *Client) Reschedule(ctx context.Context, queue, id string, when When) (time.Time, error) {
	return time.Time{}, errNotBuilt
}
