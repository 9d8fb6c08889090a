package app

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/punctualq/punctual/queue"
)

// healthEvery is how often Redis is asked how it is. With at most one warning a question, it also bounds the flood of a Redis
// that comes and goes.
const healthEvery = 3 * time.Second

const unavailable = "redis-unavailable"

// watchRedis writes to the log when something becomes wrong with Redis and when it is over: changes only, so that an outage
// is one warning however long it lasts. It returns when ctx ends.
func watchRedis(ctx context.Context, health func(context.Context) []queue.Problem, log zerolog.Logger, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	known := map[string]bool{}
	for {
		asked, cancel := context.WithTimeout(ctx, every)
		problems := health(asked)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		known = tellChanges(known, problems, log)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// tellChanges logs what differs from what is known, and returns what is known now.
func tellChanges(known map[string]bool, problems []queue.Problem, log zerolog.Logger) map[string]bool {
	now := map[string]bool{}
	for _, p := range problems {
		now[p.Code] = true
		if !known[p.Code] {
			log.Warn().Str("code", p.Code).Msg(loudly(p))
		}
	}
	for code := range known {
		switch {
		case now[unavailable] && code != unavailable:
			now[code] = true // nobody knows while it is away
		case !now[code]:
			log.Info().Str("code", code).Msg(over(code))
		}
	}
	return now
}

func loudly(p queue.Problem) string {
	if p.Code == "redis-evicting" {
		return "JOBS MAY BE LOST: " + p.Reason
	}
	return p.Reason
}

func over(code string) string {
	if code == unavailable {
		return "Redis is back"
	}
	return "no longer: " + code
}
