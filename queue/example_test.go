package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/punctualq/punctual/queue"
)

// A Redis in this process, so that the examples run everywhere; yours is at REDIS_URL.
func startRedis() (url string, stop func()) {
	m, err := miniredis.Run()
	if err != nil {
		log.Fatal(err)
	}
	return "redis://" + m.Addr(), m.Close
}

// A job that is due in an hour, and what is known of it until then.
func Example() {
	url, stop := startRedis()
	defer stop()
	ctx := context.Background()

	q, err := queue.Open(ctx, url, queue.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()

	job, err := q.Enqueue(ctx, queue.NewJob{
		Type:    "mail",
		Payload: []byte(`{"to": "ann@example.org"}`),
		Delay:   time.Hour,
	})
	if err != nil {
		log.Fatal(err)
	}

	info, err := q.Get(ctx, queue.DefaultQueue, job.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.State, info.Type, string(info.Payload))
	fmt.Println("attempts:", info.Attempts, "retries:", info.MaxRetry)
	fmt.Println("due as told:", info.Due.Equal(job.Due))
	// Output:
	// scheduled mail {"to":"ann@example.org"}
	// attempts: 0 retries: 10
	// due as told: true
}

// With an id of your own, handing a job in twice makes one job: safe to repeat when the outcome was unknown.
func ExampleClient_Enqueue_again() {
	url, stop := startRedis()
	defer stop()
	ctx := context.Background()
	q, err := queue.Open(ctx, url, queue.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()

	for range 2 {
		_, err := q.Enqueue(ctx, queue.NewJob{ID: "invoice-2026-001", Type: "invoice", MaxRetry: queue.NoRetry})
		fmt.Println(err, errors.Is(err, queue.ErrExists))
	}
	// Output:
	// <nil> false
	// a job with this id exists true
}

// Many jobs share few round trips; each is answered for itself.
func ExampleClient_EnqueueMany() {
	url, stop := startRedis()
	defer stop()
	ctx := context.Background()
	q, err := queue.Open(ctx, url, queue.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()

	jobs := []queue.NewJob{{ID: "a"}, {ID: "b", Queue: "critical"}, {ID: "a"}}
	done, err := q.EnqueueMany(ctx, jobs)
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range done {
		fmt.Println(d.ID, d.Err)
	}
	// Output:
	// a <nil>
	// b <nil>
	// a a job with this id exists
}

// What cannot be taken is refused before anything is sent, and every bad field is named.
func ExampleInvalidError() {
	url, stop := startRedis()
	defer stop()
	q, err := queue.Open(context.Background(), url, queue.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()

	_, err = q.Enqueue(context.Background(), queue.NewJob{Type: "Mail", MaxRetry: 5000})
	fmt.Println(err)
	// Output:
	// invalid job: type must match [a-z0-9._-]{1,64}
	// invalid job: max_retry must be between 0 and 1000
}
