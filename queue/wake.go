package queue

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

var wakeScript = loadScript("wake")

// Wait blocks until the wake token reaches this worker (true), or for about the given time, or until the link is closed.
// It is no timer: an idle Redis ends it up to 100 ms late. Of ctx only the deadline counts: to end it early, close the link.
// A connection that has died in silence is given up 1 s after the given time.
func (l *Link) Wait(ctx context.Context, most time.Duration) (bool, error) {
	return pop(ctx, l.pop, l.keys.wake(), most)
}

// WaitControl is Wait for the control list of a worker: true asks for a heartbeat now. It has a connection of its own, for it goes on
// while the worker is full and must not take the wake token: one pop for both would have to be broken off with each slot that gets free.
func (l *Link) WaitControl(ctx context.Context, worker string, most time.Duration) (bool, error) {
	return pop(ctx, l.orders, l.keys.control(worker), most)
}

func pop(ctx context.Context, on *line, key string, most time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, most+time.Second)
	defer cancel()
	cmd := redis.NewStringSliceCmd(ctx, "BLPOP", key, int64(max(most, time.Second)/time.Second))
	on.do(ctx, key, cmd)
	err := cmd.Err()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return err == nil, classify(err, true)
}

// PassOn gives back a token that this worker has no slot for, so that another is woken.
func (l *Link) PassOn(ctx context.Context) error {
	_, err := l.ask(ctx, &call{script: wakeScript, keys: []string{l.keys.wake()}})
	return err
}
