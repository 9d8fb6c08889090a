package history

import (
	"context"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Left reads what one queue holds, after all who work on it have ended. The keys are spelled here once more, on purpose: a test
// must not believe the code that it tests.
func Left(ctx context.Context, r *redis.Client, queue string) (State, error) {
	s := State{Queue: queue}
	prefix := "punctual:{" + queue + "}:"
	var err error
	if s.Scheduled, err = r.ZRange(ctx, prefix+"scheduled", 0, -1).Result(); err != nil {
		return s, err
	}
	if s.Dead, err = r.ZRange(ctx, prefix+"dead", 0, -1).Result(); err != nil {
		return s, err
	}
	for lists := r.Scan(ctx, 0, prefix+"processing:*", 1000).Iterator(); lists.Next(ctx); {
		elements, err := r.LRange(ctx, lists.Val(), 0, -1).Result()
		if err != nil {
			return s, err
		}
		for _, e := range elements {
			_, id, _ := strings.Cut(e, ":")
			s.Processing = append(s.Processing, id)
		}
	}
	slices.Sort(s.Processing)
	return s, nil
}
