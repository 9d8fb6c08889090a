package queue

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/redis/go-redis/v9"
)

var forgetScript = loadScript("forget")

// Forget removes a queue that is of no use any more, its counters and its name included. It is for queues that a program has made
// for itself: another process that has used the queue goes on without making its name known again. ErrInUse, with nothing changed,
// while there is a job or a registered worker.
func (c *Client) Forget(ctx context.Context, queue string) error {
	if !isQueueName(queue) {
		return errQueueName
	}
	words, err := c.change(ctx, queue, forgetCall(keysOf(queue)))
	switch {
	case err != nil:
		return err
	case len(words) == 3 && words[0] == "kept":
		return fmt.Errorf("%w: %s jobs and %s workers are left", ErrInUse, words[1], words[2])
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	c.known.Delete(queue)
	c.mayChange.Delete(queue)
	cmd := redis.NewIntCmd(ctx, "SREM", keyQueues, queue)
	c.ask.do(ctx, keyQueues, cmd)
	return classify(cmd.Err(), true)
}

func forgetCall(k keys) *call {
	x := &call{script: forgetScript, keys: []string{k.jobs(), k.scheduled(), k.dead(), k.done(), k.workers()}}
	for _, key := range slices.Sorted(maps.Keys(k.types())) {
		if !slices.Contains(x.keys, key) {
			x.keys = append(x.keys, key)
		}
	}
	return x
}
