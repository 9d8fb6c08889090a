package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/punctualq/punctual/queue"
	"github.com/punctualq/punctual/worker"
)

// A worker that runs one job, due in a tenth of a second, and then shuts down in order.
func Example() {
	redis, err := miniredis.Run() // embedded, so that this example runs anywhere; yours has a URL of its own
	if err != nil {
		log.Fatal(err)
	}
	defer redis.Close()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()

	q, err := queue.Open(ctx, "redis://"+redis.Addr(), queue.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()
	w, err := worker.New(q, worker.Config{Concurrency: 5})
	if err != nil {
		log.Fatal(err)
	}

	w.Use(func(next worker.Handler) worker.Handler {
		return func(ctx context.Context, job worker.Job) error {
			fmt.Printf("%s, attempt %d\n", job.Type, job.Attempt)
			return next(ctx, job)
		}
	})
	type greeting struct {
		Name string `json:"name"`
	}
	w.Handle("greet", worker.JSON(func(_ context.Context, g greeting) error {
		fmt.Printf("Hello, %s!\n", g.Name)
		stop() // as a signal would
		return nil
	}))

	_, err = q.Enqueue(ctx, queue.NewJob{Type: "greet", Payload: json.RawMessage(`{"name": "World"}`), Delay: 100 * time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Run(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("shut down in order")
	// Output:
	// greet, attempt 1
	// Hello, World!
	// shut down in order
}
