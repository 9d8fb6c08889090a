package queue

import (
	"context"
	"fmt"
	"time"
)

var rescheduleScript = loadScript("reschedule")

// When is a due time by the clock of Redis: At, or In from now. The zero value is now.
type When struct {
	At time.Time
	In time.Duration
}

// Reschedule gives a scheduled job another due time, which it returns. A job that is due already and is told to run now
// keeps its due time. ErrNotFound; *StateError unless it is scheduled; ErrInvalid beyond MaxDelay.
func (c *Client) Reschedule(ctx context.Context, queue, id string, when When) (time.Time, error) {
	x, err := rescheduleCall(queue, id, when)
	if err != nil {
		return time.Time{}, err
	}
	tell := c.telling(Event{Op: OpReschedule, Queue: queue, ID: id})
	words, err := c.change(ctx, queue, x)
	if err == nil {
		err = refused(words, 3)
	}
	if err != nil {
		tell(Event{}, err)
		return time.Time{}, err
	}
	due := millis(words[2])
	tell(Event{RedisMS: millis(words[1]), DueMS: due}, nil)
	return time.UnixMilli(due), nil
}

func rescheduleCall(queue, id string, when When) (*call, error) {
	switch {
	case !isQueueName(queue):
		return nil, errQueueName
	case when.In < 0 || when.In > MaxDelay:
		return nil, &InvalidError{"delay_seconds", "must be between 0 and 10 years (315360000)"}
	case !when.At.IsZero() && when.In != 0:
		return nil, &InvalidError{"run_at", "and delay_seconds exclude each other"}
	}
	at := ""
	if !when.At.IsZero() {
		at = fmt.Sprint(unixMSUp(when.At))
	}
	k := keysOf(queue)
	return &call{script: rescheduleScript, args: []any{id, at, delayMS(when.In), MaxDelay.Milliseconds()},
		keys: []string{k.jobs(), k.scheduled(), k.dead(), k.done(), k.wake()}}, nil
}

// unixMSUp rounds up: a job must not be early by the rest of a millisecond.
func unixMSUp(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }

// refused is why a script that changes one job has not: its reply is a word in place of {'ok', …} of n words.
func refused(words []string, n int) error {
	switch word := words[0]; {
	case word == "ok" && len(words) == n:
		return nil
	case word == "missing":
		return ErrNotFound
	case word == "far":
		return &InvalidError{"run_at", "must be within 10 years"}
	case word == "unreadable":
		return &InvalidError{"id", "is that of a job whose record cannot be read: nothing could run it"}
	case isState(word):
		return &StateError{State(word)}
	default:
		return fmt.Errorf("%w: a script answered %q", ErrOutcomeUnknown, words)
	}
}

func isState(word string) bool {
	switch State(word) {
	case Scheduled, Processing, Dead, Done:
		return true
	}
	return false
}
