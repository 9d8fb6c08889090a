package queue

import (
	"context"

	"github.com/redis/go-redis/v9"
)

var pauseScript = loadScript("pause")

// Pause stops claims of a queue; what runs goes on, and jobs are taken in as ever. Resume lets them go on. Both say whether
// that changed anything. ErrNoQueue for a queue that was never used.
func (c *Client) Pause(ctx context.Context, queue string) (changed bool, err error) {
	return c.pause(ctx, queue, "pause")
}

// Resume: see Pause. A worker that has nothing to do is woken at once.
func (c *Client) Resume(ctx context.Context, queue string) (changed bool, err error) {
	return c.pause(ctx, queue, "resume")
}

func (c *Client) pause(ctx context.Context, queue, verb string) (bool, error) {
	if !isQueueName(queue) {
		return false, errQueueName
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := c.mustKnow(ctx, queue); err != nil {
		return false, err
	}
	k := keysOf(queue)
	words, err := c.change(ctx, queue, &call{script: pauseScript, args: []any{verb}, keys: []string{k.meta(), k.scheduled(), k.wake()}})
	return err == nil && words[0] == "changed", err
}

// mustKnow is ErrNoQueue for a queue that nobody has used.
func (c *Client) mustKnow(ctx context.Context, queue string) error {
	if _, ok := c.known.Load(queue); ok {
		return nil
	}
	cmd := redis.NewBoolCmd(ctx, "SISMEMBER", keyQueues, queue)
	c.ask.do(ctx, keyQueues, cmd)
	if err := cmd.Err(); err != nil {
		return classify(err, false) // reads only
	}
	if !cmd.Val() {
		return ErrNoQueue
	}
	return nil
}
