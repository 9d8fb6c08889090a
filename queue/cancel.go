package queue

import "context"

// Cancel takes a job out. It returns the state in which it was found: Scheduled, and it is gone; or Processing, and whichever
// worker runs it ends its context with the cause worker.ErrCancelled within a second, and it will not be retried, not even
// if that worker dies. A job that is finished by then all the same is done. ErrNotFound; *StateError for dead and done.
func (c *Client) Cancel(ctx context.Context, queue, id string) (State, error) { return "", errNotBuilt }
