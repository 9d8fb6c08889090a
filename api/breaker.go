package api

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/punctualq/punctual/queue"
)

const (
	breakAfter = 5                      // failures in a row
	breakFor   = 100 * time.Millisecond // then one request is let through; what it waits and this is how late a return of Redis is seen
)

var (
	errBroken   = fmt.Errorf("%w: it did not answer a moment ago, and was not asked again", queue.ErrUnavailable)
	errPanicked = errors.New("panicked")
)

// breakers keep requests from waiting for a Redis that does not answer: after some failures in a row nothing is asked for a moment,
// and then one request at a time until one is answered. There are several, since on a Cluster the node of one queue may be away while
// those of others are not, and permissions may differ from queue to queue. A queue has always the same one; which one nobody outside
// can know, so nobody can break that of another queue on purpose.
type breakers struct {
	seed maphash.Seed
	all  [64]*gobreaker.TwoStepCircuitBreaker[struct{}]
}

func newBreakers() *breakers {
	b := &breakers{seed: maphash.MakeSeed()}
	for i := range b.all {
		b.all[i] = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			Timeout:      breakFor,
			ReadyToTrip:  func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= breakAfter },
			IsSuccessful: answered,
			IsExcluded:   provesNothing,
		})
	}
	return b
}

func (b *breakers) of(name string) *gobreaker.TwoStepCircuitBreaker[struct{}] {
	return b.all[maphash.String(b.seed, name)%uint64(len(b.all))]
}

// answered: a refusal is an answer, too.
func answered(err error) bool {
	if errors.Is(err, queue.ErrNotDurable) { // it wraps ErrOutcomeUnknown, but it was the primary that answered
		return true
	}
	return !errors.Is(err, queue.ErrUnavailable) && !errors.Is(err, queue.ErrOutcomeUnknown) && !errors.Is(err, context.DeadlineExceeded) &&
		!errors.Is(err, errPanicked)
}

// provesNothing: Redis was not asked, or the client did not wait for it.
func provesNothing(err error) bool {
	return errors.Is(err, queue.ErrInvalid) || errors.Is(err, context.Canceled)
}

// guard asks Redis by ask, unless the breaker of name knows that there would be no answer: then the error is one of
// queue.ErrUnavailable, at once.
func guard[T any](b *breakers, name string, ask func() (T, error)) (answer T, err error) {
	done, err := b.of(name).Allow()
	if err != nil {
		return answer, errBroken
	}
	outcome := errPanicked
	defer func() { done(outcome) }()
	answer, err = ask()
	outcome = err
	return answer, err
}

// guardError is guard for what has no answer but its error.
func guardError(b *breakers, name string, ask func() error) error {
	_, err := guard(b, name, func() (struct{}, error) { return struct{}{}, ask() })
	return err
}
