package queue

// What tests outside the package look at.

var DecodeJob = decodeJob

// Waiting is how many jobs wait for the next flush, and whether one is under way.
func (c *Client) Waiting() (int, bool) {
	c.combine.mu.Lock()
	defer c.combine.mu.Unlock()
	return len(c.combine.waiting), c.combine.flushing
}
