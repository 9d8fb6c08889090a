package queue

import (
	"context"
	"time"
)

// WorkerState is a registered worker as others see it. A process that works on several queues is a worker of each, under an id of each.
type WorkerState struct {
	WorkerInfo
	Queue      string
	Processing int       // jobs in hand
	LastBeat   time.Time // its last heartbeat, by the clock of Redis
	Living     bool      // its heartbeat has not run out
	Order      string    // "", "quiet" or "stop": what it was told
}

// Workers returns the registered workers of all queues, by queue and id.
func (c *Client) Workers(ctx context.Context) ([]WorkerState, error) { return nil, errNotBuilt }

// Quiet tells a worker to claim nothing more; what it runs goes on. ErrNoWorker.
func (c *Client) Quiet(ctx context.Context, worker string) error { return errNotBuilt }

// Stop tells the process of a worker to shut down in order, as SIGTERM does. ErrNoWorker.
func (c *Client) Stop(ctx context.Context, worker string) error { return errNotBuilt }
