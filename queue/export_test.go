package queue

import "time"

// What tests outside the package look at.

// Tests say by Options.Timeout when they mean a lost reply; else a machine may take its time.
func init() { exchangeTimeout = time.Minute }

var DecodeJob = decodeJob

// Waiting is how many jobs wait for the next flush, and whether one is under way.
func (c *Client) Waiting() (int, bool) {
	c.combine.mu.Lock()
	defer c.combine.mu.Unlock()
	return len(c.combine.waiting), c.combine.flushing
}
