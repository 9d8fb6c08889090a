package queue

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Link is what one worker process holds to one queue: four connections of its own, so that bulk traffic cannot starve the
// heartbeat and neither waits behind a blocking pop. Exchange, Heartbeat, Wait and WaitControl may each be called by one goroutine.
type Link struct {
	client *Client
	queue  string
	keys   keys
	bulk   *line // exchange
	beat   *line // heartbeat, reap, leave, wake, trim, workers
	pop    *line // wait
	orders *line // wait for control
}

// Link makes the connections of a worker to a queue; they are dialed when needed.
func (c *Client) Link(queue string) (*Link, error) {
	if !isQueueName(queue) {
		return nil, errQueueName
	}
	return &Link{client: c, queue: queue, keys: keysOf(queue), bulk: c.newLine(1, c.timeout), beat: c.newLine(1, c.timeout),
		pop: c.newLine(1, -1), orders: c.newLine(1, -1)}, nil // a wait is as long as its context
}

// Queue returns the name of the queue.
func (l *Link) Queue() string { return l.queue }

// StopWaiting ends the connection of Wait, and with it a Wait under way; later ones fail. The rest of the link works on.
func (l *Link) StopWaiting() error { return l.pop.Close() }

// Close ends the connections; a Wait or WaitControl under way returns at once.
func (l *Link) Close() error {
	return errors.Join(l.bulk.Close(), l.beat.Close(), l.pop.Close(), l.orders.Close())
}

// ask runs one script on the heartbeat's line. If that finds that the master is another by now, it ends waits at the old one, where
// no token will come.
func (l *Link) ask(ctx context.Context, x *call) ([]string, error) {
	l.beat.run(ctx, x)
	if l.pop.only != nil {
		l.pop.only.abortLeft()
		l.orders.only.abortLeft()
	}
	words, err := x.words()
	if err == nil && len(words) == 0 {
		err = fmt.Errorf("%w: script %s answered nothing", ErrUnavailable, x.script.name)
	}
	return words, err
}

// Timing is how often workers send heartbeats, and how long one counts.
type Timing struct {
	Interval time.Duration
	TTL      time.Duration
}

// The rest of the timing follows from the two: a gap of 1.5 intervals without any heartbeat means that Redis may have been
// away; an observation window of 2.5 intervals without a gap is what reaping needs; and one interval is the margin by
// which a worker stops trusting its own lease before others may take it.

// InDoubtAfter is how long after it sent its last successful heartbeat a worker must doubt its lease: TTL − one interval.
func (t Timing) InDoubtAfter() time.Duration { return t.TTL - t.Interval }

// Check refuses a TTL below five intervals: a few lost heartbeats must not look like a death.
func (t Timing) Check() error {
	if t.Interval < 10*time.Millisecond {
		return fmt.Errorf("heartbeat interval %s must be at least 10ms", t.Interval)
	}
	if t.TTL < 5*t.Interval {
		return fmt.Errorf("heartbeat TTL %s must be at least five times the interval %s", t.TTL, t.Interval)
	}
	return nil
}

// KeeperLease is how long a timekeeper's lease lasts unless it is renewed with a heartbeat: 2.5 intervals.
func (t Timing) KeeperLease() time.Duration { return t.Interval * 5 / 2 }
