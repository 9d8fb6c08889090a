package queue

import "time"

// What tests outside the package look at.

// Tests say by Options.Timeout when they mean a lost reply; else a machine may take its time.
func init() { exchangeTimeout = time.Minute }

var DecodeJob = decodeJob

// Waiting is how many jobs wait for the next flush, and how many flushes are under way.
func (c *Client) Waiting() (waiting, flushing int) {
	for _, l := range c.lanes.all() {
		l.combine.mu.Lock()
		waiting += len(l.combine.waiting)
		if l.combine.flushing {
			flushing++
		}
		l.combine.mu.Unlock()
	}
	return waiting, flushing
}
