package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// handSide is the limit: a hash, a sorted set, and nothing that makes it safe. A job that was popped is gone if its worker
// dies, jobs are fetched before a slot is free, nothing is retried, nobody is told that a new job came.
type handSide struct{}

const (
	handJobs  = "hand:jobs"
	handDue   = "hand:due"
	handBatch = 100
)

type handProducer struct{ *redis.Client }

func (handSide) producer(url string) (producer, error) {
	r, err := handClient(url)
	return handProducer{r}, err
}

func handClient(url string) (*redis.Client, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	o.Protocol, o.DisableIdentity, o.PoolSize = 2, true, 32
	return redis.NewClient(o), nil
}

func (p handProducer) bulk()        {}
func (p handProducer) close() error { return p.Close() }

func (p handProducer) enqueue(ctx context.Context, jobs []job) error {
	records, dues := make([]any, 0, 2*len(jobs)), make([]redis.Z, 0, len(jobs))
	for i := range jobs {
		jobs[i].due = time.Now().Add(jobs[i].delay)
		id := fmt.Sprintf("%08d", jobs[i].seq)
		records = append(records, id, jobs[i].payload())
		score := (jobs[i].due.UnixMicro() + 999) / 1000
		dues = append(dues, redis.Z{Score: float64(score), Member: id})
	}
	pipe := p.Pipeline()
	pipe.HSet(ctx, handJobs, records...)
	pipe.ZAdd(ctx, handDue, dues...)
	_, err := pipe.Exec(ctx)
	return err
}

var handPop = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
if #ids == 0 then
  local next = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return next[2] and {next[2]} or {''}
end
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, #ids - 1)
local jobs = redis.call('HMGET', KEYS[2], unpack(ids))
redis.call('HDEL', KEYS[2], unpack(ids))
return {'', jobs}`)

func (handSide) worker(url string, concurrency int, handle func([]byte)) (func() error, error) {
	r, err := handClient(url)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	jobs := make(chan string, handBatch)
	var running sync.WaitGroup
	for range concurrency {
		running.Go(func() {
			for payload := range jobs {
				handle([]byte(payload))
			}
		})
	}
	ended := make(chan error, 1)
	go func() {
		ended <- handLoop(ctx, r, jobs)
		close(jobs)
	}()
	return func() error {
		cancel()
		err := <-ended
		running.Wait()
		return errors.Join(err, r.Close())
	}, nil
}

// handLoop pops and hands out until ctx ends.
func handLoop(ctx context.Context, r *redis.Client, jobs chan<- string) error {
	for ctx.Err() == nil {
		reply, err := handPop.Run(ctx, r, []string{handDue, handJobs}, handBatch).Slice()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if len(reply) == 2 {
			for _, payload := range reply[1].([]any) {
				jobs <- payload.(string)
			}
			continue
		}
		wait := 100 * time.Millisecond
		if due, err := strconv.ParseFloat(reply[0].(string), 64); err == nil {
			wait = min(wait, time.Until(time.UnixMilli(int64(due))))
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return nil
}

func (handSide) left(ctx context.Context, r *redis.Client) (int, error) {
	n, err := r.HLen(ctx, handJobs).Result()
	return int(n), err
}
