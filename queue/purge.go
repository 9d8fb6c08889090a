package queue

import "context"

// Purge drops the jobs that match for good, at most 100 a script, until f.Limit or until ctx is about to end.
func (c *Client) Purge(ctx context.Context, queue string, f Filter) (Moved, error) {
	return Moved{}, errNotBuilt
}
