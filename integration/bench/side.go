package main

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// side is one of those that are compared.
type side interface {
	// producer connects; it is safe for many goroutines.
	producer(url string) (producer, error)
	// worker starts a worker that calls handle with each payload; stop ends it in order.
	worker(url string, concurrency int, handle func(payload []byte)) (stop func() error, err error)
	// left counts the jobs that Redis holds, in whatever state.
	left(ctx context.Context, r *redis.Client) (int, error)
}

// producer hands jobs in and notes in each when it is due.
type producer interface {
	enqueue(ctx context.Context, jobs []job) error
	close() error
}

// bulker is a producer that takes many jobs in one call. The others are given one at a time.
type bulker interface{ bulk() }

func sideOf(name string) (side, error) {
	switch name {
	case us:
		return ourSide{}, nil
	case asynq:
		return asynqSide{}, nil
	case hand:
		return handSide{}, nil
	}
	return nil, fmt.Errorf("no side is called %q", name)
}
