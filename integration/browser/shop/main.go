// Command shop is a worker for pictures: handlers of a shop, most of which work. Settings come from the environment: REDIS_URL,
// QUEUES (names with commas) and BUILD.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/punctualq/punctual/queue"
	"github.com/punctualq/punctual/worker"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	q, err := queue.Open(ctx, os.Getenv("REDIS_URL"), queue.Options{})
	if err != nil {
		return err
	}
	defer q.Close()
	slots := map[string]int{}
	for _, name := range strings.Split(os.Getenv("QUEUES"), ",") {
		slots[name] = 10
	}
	w, err := worker.New(q, worker.Config{Queues: slots, Build: os.Getenv("BUILD"), ShutdownGrace: time.Millisecond})
	if err != nil {
		return err
	}
	for _, jobType := range []string{"mail.send", "mail.digest", "card.charge", "invoice.render", "report.build"} {
		w.Handle(jobType, handle)
	}
	return w.Run(ctx)
}

// handle does what the payload says: fail with a text, panic with one, or take some time.
func handle(ctx context.Context, job worker.Job) error {
	var order struct {
		Fails, Panics string
		Minutes       int
	}
	if err := json.Unmarshal(job.Payload, &order); err != nil {
		return worker.Permanent(err)
	}
	switch {
	case order.Panics != "":
		panic(order.Panics)
	case order.Fails != "":
		return errors.New(order.Fails)
	case order.Minutes == 0:
		return nil
	}
	timer := time.NewTimer(time.Duration(order.Minutes) * time.Minute)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
