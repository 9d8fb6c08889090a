package main

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/queue"
	"github.com/punctualq/punctual/worker"
)

// ourSide is Punctual, as a user would use it: nothing here is out of reach of one.
type ourSide struct{}

const jobType = "bench"

type ourProducer struct{ *queue.Client }

func (ourSide) producer(url string) (producer, error) {
	q, err := queue.Open(context.Background(), url, queue.Options{})
	return ourProducer{q}, err
}

func (p ourProducer) bulk()        {}
func (p ourProducer) close() error { return p.Close() }

func (p ourProducer) enqueue(ctx context.Context, jobs []job) error {
	list := make([]queue.NewJob, len(jobs))
	for i, j := range jobs {
		list[i] = queue.NewJob{Type: jobType, Payload: j.payload(), Delay: j.delay}
	}
	done, err := p.EnqueueMany(ctx, list)
	for i := range done {
		jobs[i].due = done[i].Due
	}
	return err
}

func (ourSide) worker(url string, concurrency int, handle func([]byte)) (func() error, error) {
	ctx, cancel := context.WithCancel(context.Background())
	q, err := queue.Open(ctx, url, queue.Options{})
	if err != nil {
		cancel()
		return nil, err
	}
	w, err := worker.New(q, worker.Config{Concurrency: concurrency})
	if err != nil {
		cancel()
		return nil, err
	}
	w.Handle(jobType, func(_ context.Context, j worker.Job) error { handle(j.Payload); return nil })
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	return func() error {
		cancel()
		defer q.Close()
		if err := <-ended; err != nil {
			return fmt.Errorf("worker: %w", err)
		}
		return nil
	}, nil
}

func (ourSide) left(ctx context.Context, r *redis.Client) (int, error) {
	n, err := r.HLen(ctx, "punctual:{default}:jobs").Result()
	return int(n), err
}
