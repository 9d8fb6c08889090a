package queue

import (
	"context"
	"fmt"
	"time"
)

var cancelScript = loadScript("cancel")

// controlTTL is how long a token on a control list waits for its worker. It only makes the worker look sooner.
const controlTTL = time.Minute

// Cancel takes a job out. It returns the state in which it was found: Scheduled, and it is gone; or Processing, and whichever
// worker runs it ends its context with the cause worker.ErrCancelled within a second, and it will not be retried, not even
// if that worker dies. A job that is finished by then all the same is done. ErrNotFound; *StateError for dead and done.
//
// After ErrOutcomeUnknown call it again: a job that was taken out meanwhile is ErrNotFound.
func (c *Client) Cancel(ctx context.Context, queue, id string) (State, error) {
	if !isQueueName(queue) {
		return "", errQueueName
	}
	ctx, stop := context.WithTimeout(ctx, c.timeout)
	defer stop()
	tell := c.telling(Event{Op: OpCancelJob, Queue: queue, ID: id})
	state, err := c.cancel(ctx, queue, id)
	tell(Event{ID: id, Outcome: Outcome(state)}, err)
	return state, err
}

func (c *Client) cancel(ctx context.Context, queue, id string) (State, error) {
	k := keysOf(queue)
	for range 20 {
		workers, err := c.registry(ctx, k)
		if err != nil {
			return "", err
		}
		words, err := c.change(ctx, queue, cancelCall(k, id, workers))
		switch {
		case err != nil:
			return "", err
		case words[0] == "again": // one registered meanwhile
		case words[0] == "missing":
			return "", ErrNotFound
		case words[0] == string(Dead), words[0] == string(Done):
			return State(words[0]), &StateError{State(words[0])}
		default:
			return State(words[0]), nil
		}
	}
	return "", fmt.Errorf("%w: cancel in queue %s: workers came and went in 20 attempts to look at all at once", ErrUnavailable, queue)
}

func cancelCall(k keys, id string, workers []string) *call {
	x := &call{script: cancelScript, args: []any{id, controlTTL.Milliseconds()},
		keys: []string{k.scheduled(), k.jobs(), k.attempts(), k.errors(), k.unique(), k.dead(), k.done(), k.cancelled(), k.stats(), k.workers()}}
	for _, w := range workers {
		x.keys = append(x.keys, k.processing(w), k.control(w))
		x.args = append(x.args, w)
	}
	return x
}
