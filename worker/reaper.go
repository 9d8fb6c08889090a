package worker

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/punctualq/punctual/queue"
)

// reaper is what reaping needs of Redis.
type reaper interface {
	Reap(ctx context.Context, victim string) (queue.Reaped, error)
}

// reapAll takes back what a dead worker held, batch by batch. Redis decides each time whether it is dead. It returns
// whether nothing is left of that worker: then another one may be waiting.
func reapAll(ctx context.Context, r reaper, victim string, log zerolog.Logger) bool {
	for ctx.Err() == nil {
		got, err := r.Reap(ctx, victim)
		if err != nil || got.Verdict != "reaped" {
			return false // asked again at the next heartbeat
		}
		log.Warn().Str("dead_worker", victim).Int("rescheduled", got.Rescheduled).Int("dead", got.Dead).Int("left", got.Left).
			Msg("took back the jobs of a worker that stopped sending heartbeats")
		if got.Left == 0 {
			return true
		}
	}
	return false
}

// observer is what a Reaper needs of Redis.
type observer interface {
	Queues(ctx context.Context) ([]string, error)
	Observe(ctx context.Context, queue string, t queue.Timing) (queue.Pulse, error)
	Reap(ctx context.Context, queue, victim string) (queue.Reaped, error)
}

// Reaper takes back the jobs of dead workers in a process that runs no jobs, so that they are found even when no worker is
// left. Its ticks count as observation, as heartbeats do.
type Reaper struct {
	queue  observer
	timing queue.Timing
	log    zerolog.Logger
}

// NewReaper makes a reaper for all queues. The timing must be that of the workers; what is zero has the same defaults.
func NewReaper(q *queue.Client, t queue.Timing, log zerolog.Logger) *Reaper {
	return &Reaper{queue: q, timing: timing(t), log: log}
}

// Run ticks every heartbeat interval until ctx ends, and then returns nil. While Redis is away it goes on trying; a queue
// with another timing or a newer layout is left alone, and told of once.
func (p *Reaper) Run(ctx context.Context) error {
	unfit := map[string]bool{}
	for ctx.Err() == nil {
		queues, _ := p.queue.Queues(ctx) // none while Redis is away
		for _, name := range queues {
			err := p.tick(ctx, name)
			alien := errors.Is(err, queue.ErrTiming) || errors.Is(err, queue.ErrLayout)
			if alien && !unfit[name] {
				p.log.Error().Err(err).Str("queue", name).Msg("this process cannot take back jobs of dead workers here")
			}
			if alien || err == nil { // an outage between is no news
				unfit[name] = alien
			}
		}
		timer := time.NewTimer(jitter(p.timing.Interval))
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}
	return nil
}

// tick observes a queue and reaps the dead that it is told of, one after the other: many may have died at once.
func (p *Reaper) tick(ctx context.Context, name string) error {
	for {
		pulse, err := p.queue.Observe(ctx, name, p.timing)
		if err != nil || pulse.Overdue == "" {
			return err
		}
		if !reapAll(ctx, reapOf{p.queue, name}, pulse.Overdue, p.log.With().Str("queue", name).Logger()) {
			return nil
		}
	}
}

// reapOf is the reaper of one queue.
type reapOf struct {
	observer
	queue string
}

func (r reapOf) Reap(ctx context.Context, victim string) (queue.Reaped, error) {
	return r.observer.Reap(ctx, r.queue, victim)
}
