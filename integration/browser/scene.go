package browser

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
	"github.com/punctualq/punctual/worker"
)

// scene is a Redis of one test's own with an API process on it.
type scene struct {
	testing.TB
	redis  *redistest.Server
	queue  *queue.Client
	server *process
}

// newScene starts Redis and the API with these settings.
func newScene(t testing.TB, settings ...string) *scene {
	t.Helper()
	browser(t) // before anything is started in vain
	s := &scene{TB: t, redis: redistest.Own(t)}
	s.server = start(t, append([]string{"REDIS_URL=" + s.redis.URL()}, settings...), built.Path(t, "server"))
	var err error
	if s.queue, err = queue.Open(t.Context(), s.redis.URL(), queue.Options{Timeout: patience}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.queue.Close() })
	s.server.awaitLive(t)
	return s
}

func (s *scene) site() string { return "http://" + s.server.addr }

// tab opens a tab on the dashboard. In develop it is signed in by itself.
func (s *scene) tab() *tab {
	s.Helper()
	return openTab(s, s.site())
}

// worker starts a worker process with handlers that do what they are told, see integration/hostile.
func (s *scene) worker(name string, settings ...string) *process {
	s.Helper()
	p := start(s, append([]string{"REDIS_URL=" + s.redis.URL(), "QUEUE=" + name, "JOB_TIMEOUT=10m", "WORKER_HTTP_ADDR="}, settings...), built.Path(s, "hostile"))
	redistest.Await(s, patience, "the worker to register", func() bool {
		for _, w := range s.workers() {
			if w.PID == p.cmd.Process.Pid && w.Living {
				return true
			}
		}
		return false
	})
	return p
}

func (s *scene) workers() []queue.WorkerState {
	s.Helper()
	all, err := s.queue.Workers(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	return all
}

// add enqueues a job and returns its id.
func (s *scene) add(job queue.NewJob) string {
	s.Helper()
	done, err := s.queue.Enqueue(s.Context(), job)
	if err != nil {
		s.Fatal(err)
	}
	return done.ID
}

// kill makes a dead job in a queue for each error, all of one type.
func (s *scene) kill(name, jobType string, errs ...string) {
	s.Helper()
	var all []queue.NewJob
	for _, text := range errs {
		payload, err := json.Marshal(text)
		if err != nil {
			s.Fatal(err)
		}
		all = append(all, queue.NewJob{Queue: name, Type: jobType, Payload: payload, MaxRetry: queue.NoRetry})
	}
	dead := s.overview(name).Dead
	if _, err := s.queue.EnqueueMany(s.Context(), all); err != nil {
		s.Fatal(err)
	}
	s.fail(name, jobType, dead+len(errs))
}

// fail runs a worker in this process whose handler fails with the error that the payload says, until so many jobs are dead.
func (s *scene) fail(name, jobType string, dead int) {
	s.Helper()
	w, err := worker.New(s.queue, worker.Config{Queues: map[string]int{name: 50}})
	if err != nil {
		s.Fatal(err)
	}
	w.Handle(jobType, func(_ context.Context, job worker.Job) error {
		var text string
		if err := json.Unmarshal(job.Payload, &text); err != nil {
			return worker.Permanent(err)
		}
		return worker.Permanent(errors.New(text))
	})
	ctx, stop := context.WithCancel(s.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	redistest.Await(s, patience, "the jobs to die", func() bool { return s.overview(name).Dead == dead })
	stop()
	if err := <-ended; err != nil {
		s.Fatal(err)
	}
}

func (s *scene) overview(name string) queue.Overview {
	s.Helper()
	o, err := s.queue.Overview(s.Context(), name)
	if err != nil && !errors.Is(err, queue.ErrNoQueue) {
		s.Fatal(err)
	}
	return o
}

// job is a job as Redis has it.
func (s *scene) job(name, id string) queue.Info {
	s.Helper()
	info, err := s.queue.Get(s.Context(), name, id)
	if err != nil {
		s.Fatalf("job %s: %v", id, err)
	}
	return info
}

// gone tells whether Redis has no such job.
func (s *scene) gone(name, id string) bool {
	s.Helper()
	_, err := s.queue.Get(s.Context(), name, id)
	if err != nil && !errors.Is(err, queue.ErrNotFound) {
		s.Fatal(err)
	}
	return err != nil
}

// deeds are the verbs in the audit trail of a queue, the latest first.
func (s *scene) deeds(name string) []queue.Deed {
	s.Helper()
	all, err := s.queue.Trail(s.Context(), name, 100)
	if err != nil {
		s.Fatal(err)
	}
	return all
}

// token makes a token of the API.
func token(t testing.TB, claims api.TokenClaims) string {
	t.Helper()
	claims.Lifetime = time.Hour
	text, err := api.NewToken([]byte(secret), claims)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
