// Command hostile is a worker for tests, with handlers that do what a handler must not. Settings come from the environment:
// those of the worker process, QUEUE (one name), and STUCK_AFTER. /debug on WORKER_HTTP_ADDR tells how it is inside.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/queue"
	"github.com/punctualq/punctual/worker"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(3) // no deed ends with this
	}
}

func run(ctx context.Context) error {
	c, err := config()
	if err != nil {
		return err
	}
	if c.History, err = history(); err != nil {
		return err
	}
	q, err := queue.Open(ctx, os.Getenv("REDIS_URL"), queue.Options{History: c.History})
	if err != nil {
		return err
	}
	defer q.Close()
	w, err := worker.New(q, c)
	if err != nil {
		return err
	}
	inside := newCrowd(c.Concurrency)
	w.Use(inside.count)
	for jobType, deed := range deeds(inside) {
		w.Handle(jobType, deed)
	}
	if addr := os.Getenv("WORKER_HTTP_ADDR"); addr != "" {
		go serve(addr, w)
	}
	return w.Run(ctx)
}

// history is what this process does and comes to know, if PUNCTUAL_HISTORY names a file for it.
func history() (func(queue.Event), error) {
	path := os.Getenv("PUNCTUAL_HISTORY")
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return queue.HistoryTo(f, fmt.Sprintf("hostile:%d:%d", os.Getpid(), time.Now().UnixNano()), nil), nil
}

// config reads the settings. What is not set has the worker's default, but for the timeout of a job: 10 s.
func config() (worker.Config, error) {
	c := worker.Config{Concurrency: 10, JobTimeout: 10 * time.Second, LeaseDoubt: worker.LeaseDoubt(os.Getenv("LEASE_DOUBT")),
		Logger: zerolog.New(os.Stderr).With().Timestamp().Int("pid", os.Getpid()).Logger()}
	var wrong []error
	for name, field := range map[string]*time.Duration{
		"HEARTBEAT_INTERVAL": &c.Timing.Interval, "HEARTBEAT_TTL": &c.Timing.TTL, "JOB_TIMEOUT": &c.JobTimeout,
		"SHUTDOWN_GRACE": &c.ShutdownGrace, "RETRY_BASE": &c.RetryBase, "RETRY_CAP": &c.RetryCap, "STUCK_AFTER": &c.StuckAfter,
	} {
		if value := os.Getenv(name); value != "" {
			d, err := time.ParseDuration(value)
			*field = d
			wrong = append(wrong, err)
		}
	}
	if value := os.Getenv("WORKER_CONCURRENCY"); value != "" {
		n, err := strconv.Atoi(value)
		c.Concurrency = n
		wrong = append(wrong, err)
	}
	name := os.Getenv("QUEUE")
	if name == "" {
		name = queue.DefaultQueue
	}
	c.Queues = map[string]int{name: c.Concurrency}
	return c, errors.Join(wrong...)
}

// serve answers the probes of a worker process, and /debug.
func serve(addr string, w *worker.Worker) {
	routes := http.NewServeMux()
	routes.Handle("/", api.Probes(w.Health))
	routes.HandleFunc("/debug", func(out http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(out).Encode(map[string]any{
			"pid": os.Getpid(), "goroutines": runtime.NumGoroutine(), "stats": w.Stats(),
		})
	})
	server := &http.Server{Addr: addr, Handler: routes, ReadHeaderTimeout: 5 * time.Second}
	server.SetKeepAlivesEnabled(false) // a connection that is kept has goroutines of its own
	fmt.Fprintln(os.Stderr, "hostile:", server.ListenAndServe())
}
