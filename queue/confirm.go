package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// WaitAOF, as Options.EnqueueWait, is a write to the disk of the primary.
const WaitAOF = -1

// ErrNotDurable: the job is written, and was not confirmed in time as Options.EnqueueWait wants it. A crash of Redis may lose it.
// It is an ErrOutcomeUnknown as well.
var ErrNotDurable error = notDurable{}

type notDurable struct{}

func (notDurable) Error() string        { return "written by the primary, but not confirmed" }
func (notDurable) Is(target error) bool { return target == ErrOutcomeUnknown }

// confirmation is what must confirm each enqueue beside the primary's memory: 0 nothing, n replicas, or WaitAOF.
type confirmation int

// command is what goes behind the scripts of a pipeline; nil: nothing. It takes at most half of the time that is left: an idle Redis
// ends it up to 100 ms late, and there may be a second one. Redis takes 0 ms for ever.
func (n confirmation) command(ctx context.Context, timeout time.Duration) *redis.Cmd {
	if n == 0 {
		return nil
	}
	wait := timeout / 2
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline)/2)
	}
	return n.within(ctx, max(1, wait.Milliseconds()))
}

func (n confirmation) within(ctx context.Context, ms int64) *redis.Cmd {
	if n == WaitAOF {
		return redis.NewCmd(ctx, "WAITAOF", 1, 0, ms)
	}
	return redis.NewCmd(ctx, "WAIT", int(n), ms)
}

// verdict reads the answer: nil if all confirmed. No answer means that the wait was not even sent, or not answered.
func (n confirmation) verdict(answer *redis.Cmd) error {
	if n == 0 {
		return nil
	}
	v, err := answer.Result()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotDurable, err)
	}
	if both, ok := v.([]any); ok && len(both) > 0 { // of WAITAOF: by the primary, by replicas
		v = both[0]
	}
	switch got, _ := v.(int64); {
	case n == WaitAOF && got < 1:
		return fmt.Errorf("%w: its append-only file was not synced in time (with appendfsync everysec that may take more than a second)", ErrNotDurable)
	case got < int64(n):
		return fmt.Errorf("%w: by %d of %d replicas in time", ErrNotDurable, got, n)
	}
	return nil
}

// canConfirm makes sure, before the first job of a queue is sent, that its server knows and permits the wait at all. It is quick.
func (c *Client) canConfirm(ctx context.Context, queue string) error {
	if c.wait == 0 {
		return nil
	}
	if _, ok := c.waits.Load(queue); ok {
		return nil
	}
	trial := confirmation(0).within(ctx, 1) // of no replica: answered at once
	if c.wait == WaitAOF {
		trial = c.wait.within(ctx, 1)
	}
	c.ask.do(ctx, keysOf(queue).meta(), trial)
	err := trial.Err()
	var answer redis.Error
	switch {
	case err == nil:
		c.waits.Store(queue, true)
		return nil
	case !errors.As(err, &answer):
		return classify(err, false)
	case strings.Contains(answer.Error(), "replica instances"), !strings.HasPrefix(answer.Error(), "ERR") && !strings.HasPrefix(answer.Error(), "NOPERM"):
		return nil // of the state that this server is in: it is left to refuse the job itself
	case c.wait == WaitAOF:
		return fmt.Errorf("%w: %w: ENQUEUE_WAIT=aof needs Redis 7.2 or newer with appendonly yes, and a user that may call WAITAOF; it answers %q",
			ErrUnavailable, errNotPermitted, answer.Error())
	}
	return fmt.Errorf("%w: %w: ENQUEUE_WAIT=%d needs a Redis that knows WAIT, and a user that may call it; it answers %q",
		ErrUnavailable, errNotPermitted, c.wait, answer.Error())
}

// confirmExisting waits for a job that was there already: who wrote it may not have waited to the end. Redis waits for what
// this connection has written, so something must be, and it changes nothing.
func (l *lane) confirmExisting(ctx context.Context, queue string) error {
	key := keysOf(queue).meta()
	write := redis.NewIntCmd(ctx, "HSET", key, "confirmed", 1)
	p := &parcel{cmd: write, slot: slotOf(key), sent: new(bool), waited: new(*redis.Cmd)}
	if l.line.only != nil {
		*p.waited = l.client.wait.command(ctx, l.client.timeout)
		l.line.only.exchange(ctx, write, *p.waited)
	} else {
		l.line.deliver(ctx, []*parcel{p})
	}
	if err := write.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrNotDurable, err)
	}
	return l.client.wait.verdict(*p.waited)
}

// confirmed says what is told of the jobs that a call has created, and of those that it found there.
func (l *lane) confirmed(ctx context.Context, x *call, queue string, found bool) (created, exists error) {
	wait := l.client.wait
	if wait == 0 {
		return nil, ErrExists
	}
	created = wait.verdict(x.waited)
	err := created
	if found && err == nil {
		err = l.confirmExisting(ctx, queue)
	}
	if err == nil {
		return nil, ErrExists
	}
	l.suspect = true // it may have been no answer: look before the next batch
	if errors.As(err, new(redis.Error)) {
		l.client.waits.Delete(queue) // and at whether it can wait at all
	}
	return created, err
}
