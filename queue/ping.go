package queue

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// Ping returns how long the Redis that holds a queue took to answer a command that does nothing.
func (c *Client) Ping(ctx context.Context, queue string) (time.Duration, error) {
	if !isQueueName(queue) {
		return 0, errQueueName
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	cmd := redis.NewStatusCmd(ctx, "PING")
	began := time.Now()
	c.ask.do(ctx, keysOf(queue).scheduled(), cmd)
	return time.Since(began), classify(cmd.Err(), false) // it changes nothing
}
