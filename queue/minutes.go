package queue

import (
	"context"
	"errors"
	"time"
)

// Minute is what happened in a queue in one minute by the clock of Redis.
type Minute struct {
	Start    time.Time
	Counters map[string]int64 // by how much the counters of Overview.Counters grew: enqueued, claimed, done, retried, dead, ...
	Late     []int64          // claims by lateness: Late[i] were at most LatenessBounds[i] late, and more than the bound before; the last are later than all
}

// Lateness estimates the p-quantile (0.5, 0.99) of the lateness of the minute's claims: the upper bound of its bucket; false if nothing was claimed.
func (m Minute) Lateness(p float64) (time.Duration, bool) { return 0, false }

// LatenessBounds are the upper bounds of the buckets of Minute.Late but the last, which has none.
var LatenessBounds = []time.Duration{5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute}

// Minutes returns the last minutes of a queue, at most 1440, oldest first and without gaps, the present one last and unfinished.
func (c *Client) Minutes(ctx context.Context, queue string, last int) ([]Minute, error) {
	return nil, errors.New("not built yet")
}
