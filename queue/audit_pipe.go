package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// failed is what an error of Redis means to the caller, who only reads. A key that is gone is no error.
func (a *auditor) failed(ctx context.Context, err error) error {
	switch {
	case err == nil, errors.Is(err, redis.Nil):
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("audit of queue %s: %w", a.queue, classify(err, false))
}

type pipeliner = redis.Pipeliner

// pipe runs a few reading commands about the queue that add adds; each of them keeps its own answer.
func (a *auditor) pipe(ctx context.Context, atomic bool, add func(pipeliner)) error {
	return a.pipeAt(ctx, keysOf(a.queue).meta(), atomic, add)
}

// pipeAt is pipe on the node that serves a key.
func (a *auditor) pipeAt(ctx context.Context, key string, atomic bool, add func(pipeliner)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, a.client.timeout)
	defer cancel()
	n, err := a.client.ask.nodeOf(bounded, key)
	if err != nil {
		return a.failed(ctx, err)
	}
	pipe := n.Pipeline()
	if atomic {
		pipe = n.TxPipeline()
	}
	add(pipe)
	if _, err = pipe.Exec(bounded); err != nil && a.client.cluster != nil {
		a.client.cluster.doubt() // a slot that moves meanwhile ends the audit
	}
	var answer redis.Error
	if errors.As(err, &answer) && strings.HasPrefix(answer.Error(), "WRONGTYPE") {
		return nil // of one command: TYPE, in the same pipeline, has told
	}
	return a.failed(ctx, err)
}
