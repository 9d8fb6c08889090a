package queue

import (
	"context"
	"time"
)

// Limit counts one more request of a subject against rate a second with bursts of burst, over all processes that share this
// Redis (GCRA). wait is 0 if it may go on, else how long to wait before it is tried again.
func (c *Client) Limit(ctx context.Context, subject string, rate float64, burst int) (wait time.Duration, err error) {
	return 0, errNotBuilt
}
