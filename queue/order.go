package queue

import (
	"cmp"
	"context"
	"slices"

	"github.com/redis/go-redis/v9"
)

var orderScript = loadScript("order")

// Orders that a worker can be told.
const (
	OrderQuiet = "quiet" // claim nothing more
	OrderStop  = "stop"  // shut down in order
)

// Quiet tells a worker to claim nothing more; what it runs goes on. It stays so until its process ends. ErrNoWorker.
func (c *Client) Quiet(ctx context.Context, worker string) error {
	return c.order(ctx, worker, OrderQuiet)
}

// Stop tells the process of a worker to shut down in order, as SIGTERM does, with all its queues. ErrNoWorker.
func (c *Client) Stop(ctx context.Context, worker string) error {
	return c.order(ctx, worker, OrderStop)
}

func (c *Client) order(ctx context.Context, worker, order string) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	queue, err := c.queueOfWorker(ctx, worker)
	if err != nil {
		return err
	}
	return c.orderIn(ctx, queue, worker, order)
}

func (c *Client) orderIn(ctx context.Context, queue, worker, order string) error {
	k := keysOf(queue)
	words, err := c.change(ctx, queue, &call{script: orderScript, args: []any{worker, order, controlTTL.Milliseconds()},
		keys: []string{k.workers(), k.meta(), k.control(worker), k.scheduled(), k.wake()}})
	if err == nil && words[0] == "missing" {
		err = ErrNoWorker
	}
	return err
}

// queueOfWorker finds the queue with which a worker is registered.
func (c *Client) queueOfWorker(ctx context.Context, worker string) (string, error) {
	queues, err := c.Queues(ctx)
	if err != nil {
		return "", err
	}
	found := make([]bool, len(queues))
	err = eachOf(queues, func(i int, queue string) error {
		key := keysOf(queue).workers()
		cmd := redis.NewStringCmd(ctx, "ZSCORE", key, worker)
		c.ask.do(ctx, key, cmd)
		if found[i] = cmd.Err() == nil; found[i] || cmd.Err() == redis.Nil {
			return nil
		}
		return classify(cmd.Err(), false) // reads only
	})
	if i := slices.Index(found, true); i >= 0 {
		return queues[i], nil
	}
	return "", cmp.Or(err, ErrNoWorker)
}
