package queue

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// The errors of this package. Match them with errors.Is; their texts carry the reason.
var (
	// ErrUnavailable: Redis did not take the command, and nothing has changed.
	ErrUnavailable = errors.New("redis is unavailable")
	// ErrOutcomeUnknown: the command was sent and not answered. It may have run, or may yet run.
	ErrOutcomeUnknown = errors.New("outcome unknown: sent to redis and not answered")
	// ErrFull: Redis is at maxmemory; nothing was written. Settling jobs makes room.
	ErrFull = errors.New("redis is full")
	// ErrExists: a job of that id is there already and was left as it is.
	ErrExists = errors.New("a job with this id exists")
	// ErrNotFound: no job has that id: it never was, it is done, or it was trimmed.
	ErrNotFound = errors.New("no such job")
	// ErrInvalid: the job cannot be taken as it is; the error is an *InvalidError.
	ErrInvalid = errors.New("invalid job")
	// ErrConflict: the Idempotency key was used for another request; nothing was written.
	ErrConflict = errors.New("the idempotency key was used for another request")
	// ErrUnique: another job holds the Unique key; the error is a *UniqueError.
	ErrUnique = errors.New("another job holds the unique key")
	// ErrQueueFull: the queue has as many scheduled jobs as Options.MaxScheduled allows; nothing was written.
	ErrQueueFull = errors.New("the queue is full")
	// ErrState: the job is in a state in which this cannot be done; the error is a *StateError. Nothing was changed.
	ErrState = errors.New("not in this state")
	// ErrCursor: the cursor of a listing is not one that List gave out for the same listing.
	ErrCursor = errors.New("not a cursor of this listing")
	// ErrNoQueue: nothing was ever put into a queue of that name.
	ErrNoQueue = errors.New("no such queue")
	// ErrInUse: the queue has jobs or workers; nothing was removed.
	ErrInUse = errors.New("the queue is in use")
	// ErrNoWorker: no living worker has that id.
	ErrNoWorker = errors.New("no such worker")
	// ErrFenced: this worker is not registered any more, or is being reaped; its list is not its own.
	ErrFenced = errors.New("fenced: the worker was reaped")
	// ErrLayout: the data in Redis was written by a newer version than this binary knows.
	ErrLayout = errors.New("the data in redis has a newer layout than this binary: upgrade it")
	// ErrTiming: other living workers have another heartbeat interval or TTL.
	ErrTiming = errors.New("heartbeat timing differs from the living workers'")
	// ErrClosed: the client was closed.
	ErrClosed = errors.New("queue: client is closed")
)

// InvalidError names the field of a NewJob that cannot be taken.
type InvalidError struct {
	Field  string // as in the JSON of a registration: job_id, queue, type, payload, delay_seconds, run_at, …
	Reason string // what is wanted
}

// errQueueName is what each call says of a name that no queue can have.
var errQueueName = &InvalidError{"queue", "must match [a-z0-9_-]{1,64}"}

func (e *InvalidError) Error() string { return fmt.Sprintf("invalid job: %s %s", e.Field, e.Reason) }
func (e *InvalidError) Unwrap() error { return ErrInvalid }

// UniqueError names the job that holds a unique key.
type UniqueError struct{ Holder string }

func (e *UniqueError) Error() string { return ErrUnique.Error() + ": job " + e.Holder }
func (e *UniqueError) Unwrap() error { return ErrUnique }

// StateError says in which state a job is that forbids what was asked.
type StateError struct{ State State }

func (e *StateError) Error() string { return "the job is " + string(e.State) }
func (e *StateError) Unwrap() error { return ErrState }

// classify turns what go-redis says into one of the errors above. sent: the command had left this process.
func classify(err error, sent bool) error {
	if err == nil {
		return nil
	}
	var answer redis.Error
	switch {
	case errors.Is(err, redis.ErrClosed):
		return fmt.Errorf("%w: %w", ErrUnavailable, ErrClosed)
	case errors.As(err, &answer):
		if strings.HasPrefix(answer.Error(), "OOM ") || strings.Contains(answer.Error(), "OOM command not allowed") {
			return fmt.Errorf("%w: %s", ErrFull, answer.Error())
		}
		return fmt.Errorf("%w: it answers %q", ErrUnavailable, answer.Error())
	case sent:
		return fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
	default:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
}
