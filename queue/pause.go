package queue

import "context"

// Pause stops claims of a queue; what runs goes on. Resume lets them go on. Both say whether that changed anything.
func (c *Client) Pause(ctx context.Context, queue string) (changed bool, err error) {
	return false, errNotBuilt
}

// Resume: see Pause.
func (c *Client) Resume(ctx context.Context, queue string) (changed bool, err error) {
	return false, errNotBuilt
}
