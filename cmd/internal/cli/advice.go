package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/punctualq/punctual/queue"
)

// advised says what to do about an error.
func (s *session) advised(err error) error {
	var invalid *queue.InvalidError
	switch host := s.settings.RedisHost; {
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case errors.As(err, &invalid):
		return errors.New(invalidText(err))
	case errors.Is(err, queue.ErrCursor):
		return fmt.Errorf("%w: give the flags that the listing before had, or begin anew without --cursor", err)
	case errors.Is(err, queue.ErrNoQueue):
		return fmt.Errorf("%w: punctual queues ls lists them", err)
	case errors.Is(err, queue.ErrNoWorker):
		return fmt.Errorf("%w that lives: punctual workers ls lists them", err)
	case errors.Is(err, queue.ErrQueueFull):
		return fmt.Errorf("%w: QUEUE_MAX is %d, and nothing was written", err, s.settings.QueueMax)
	case errors.Is(err, queue.ErrFull):
		return fmt.Errorf("the Redis at %s is full: let workers settle jobs, purge some, or raise maxmemory (%w)", host, err)
	case errors.Is(err, queue.ErrOutcomeUnknown):
		return fmt.Errorf("the Redis at %s did not answer: it may be done or not; look, and do it again if not (%w)", host, err)
	case errors.Is(err, queue.ErrUnavailable) && strings.Contains(err.Error(), "permission"):
		return fmt.Errorf("the Redis at %s does not permit it: %w", host, err)
	case errors.Is(err, queue.ErrUnavailable):
		return fmt.Errorf("the Redis at %s does not answer as it should: start it, or set REDIS_URL (%w)", host, err)
	}
	return err
}

// flagOf is what a field of a registration is called on the command line, where that is another name.
var flagOf = map[string]string{"job_id": "id", "delay_seconds": "delay", "run_at": "run-at", "max_retry": "max-retry", "timeout_seconds": "timeout",
	"retention_seconds": "retention", "expires_in_seconds": "expires", "older_than_seconds": "older-than"}

// invalidText tells of each field that cannot be taken by its flag.
func invalidText(err error) string {
	var lines []string
	for _, one := range split(err) {
		var invalid *queue.InvalidError
		if !errors.As(one, &invalid) {
			lines = append(lines, one.Error())
			continue
		}
		name := invalid.Field
		if flag := flagOf[name]; flag != "" {
			name = flag
		}
		lines = append(lines, name+" "+invalid.Reason)
	}
	return strings.Join(lines, "\n")
}

// split takes what errors.Join has joined apart.
func split(err error) (all []error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	for _, one := range joined.Unwrap() {
		all = append(all, split(one)...)
	}
	return all
}
