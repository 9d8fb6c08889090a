package main

import (
	"context"
	"time"

	library "github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// asynqSide is Asynq with its own defaults, but for concurrency and a quiet log.
type asynqSide struct{}

type asynqProducer struct{ *library.Client }

func (asynqSide) producer(url string) (producer, error) {
	opt, err := library.ParseRedisURI(url)
	if err != nil {
		return nil, err
	}
	return asynqProducer{library.NewClient(opt)}, nil
}

func (p asynqProducer) close() error { return p.Close() }

// enqueue: a job without delay goes straight to the list of pending ones, which is Asynq's quick way.
func (p asynqProducer) enqueue(ctx context.Context, jobs []job) error {
	for i := range jobs {
		jobs[i].due = time.Now().Add(jobs[i].delay)
		var options []library.Option
		if jobs[i].delay > 0 {
			options = append(options, library.ProcessAt(jobs[i].due))
		}
		if _, err := p.EnqueueContext(ctx, library.NewTask(jobType, jobs[i].payload()), options...); err != nil {
			return err
		}
	}
	return nil
}

func (asynqSide) worker(url string, concurrency int, handle func([]byte)) (func() error, error) {
	opt, err := library.ParseRedisURI(url)
	if err != nil {
		return nil, err
	}
	s := library.NewServer(opt, library.Config{Concurrency: concurrency, LogLevel: library.FatalLevel})
	err = s.Start(library.HandlerFunc(func(_ context.Context, t *library.Task) error { handle(t.Payload()); return nil }))
	return func() error { s.Shutdown(); return nil }, err
}

func (asynqSide) left(ctx context.Context, r *redis.Client) (int, error) {
	pipe := r.Pipeline()
	pending, active := pipe.LLen(ctx, "asynq:{default}:pending"), pipe.LLen(ctx, "asynq:{default}:active")
	scheduled, retry := pipe.ZCard(ctx, "asynq:{default}:scheduled"), pipe.ZCard(ctx, "asynq:{default}:retry")
	archived := pipe.ZCard(ctx, "asynq:{default}:archived")
	_, err := pipe.Exec(ctx)
	return int(pending.Val() + active.Val() + scheduled.Val() + retry.Val() + archived.Val()), err
}
