package worker

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// outage logs that Redis went away and that it is back, once each for all queues of a process, and a reminder every 30 s
// between. An outage that begins within 5 s of the last warning is told of when these have passed, if it is not over by then.
type outage struct {
	log zerolog.Logger

	mu     sync.Mutex
	absent map[string]bool // queues whose last heartbeat failed
	since  time.Time       // zero while Redis is there
	told   time.Time
}

// failed notes a heartbeat that was not answered.
func (o *outage) failed(queue string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if o.since.IsZero() {
		o.since, o.absent = now, map[string]bool{}
	}
	o.absent[queue] = true
	switch quiet := now.Sub(o.told); {
	case o.told.Before(o.since) && quiet >= 5*time.Second:
		o.told = now
		o.log.Warn().Err(err).Msg("Redis cannot be reached; running handlers go on, nothing new is claimed: waiting")
	case quiet >= 30*time.Second:
		o.told = now
		o.log.Info().Err(err).Dur("for_ms", now.Sub(o.since)).Msg("Redis still cannot be reached")
	}
}

// over notes a heartbeat that was answered.
func (o *outage) over(queue string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		return
	}
	if delete(o.absent, queue); len(o.absent) > 0 {
		return
	}
	if !o.told.Before(o.since) {
		o.log.Info().Dur("for_ms", time.Since(o.since)).Msg("Redis is back")
	}
	o.since = time.Time{}
}
