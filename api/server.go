// Package api takes jobs in over HTTP and hands them to a queue. It knows neither Redis nor the worker.
//
// A request passes: log.go (id, one line, recover) → routes.go (the table of routes; route, method, scope) → token.go (who
// asks) → query.go, body.go (strict query, strict JSON) → the handler, in the file of its resource: register.go, bulk.go,
// jobs.go, queues.go, workers.go → trail.go, if that changed something. Whatever goes wrong on the way becomes an answer in problem.go, in one table.
// The dashboard (package ui) stands beside these routes, under /ui: dashboard.go mounts it.
package api

import (
	"context"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/punctualq/punctual/api/ui"
	"github.com/punctualq/punctual/queue"
)

// Queue is what the API needs of a queue; *queue.Client has it, and says what each call promises. All return when their
// context ends. What looks at queues and steers them is the same for people and for programs.
type Queue interface {
	ui.Queue

	Enqueue(ctx context.Context, job queue.NewJob) (queue.Enqueued, error)
	EnqueueMany(ctx context.Context, jobs []queue.NewJob) ([]queue.Enqueued, error)
	Limit(ctx context.Context, subject string, rate float64, burst int) (wait time.Duration, err error)
}

// Config of the API.
type Config struct {
	Secret   []byte         // verifies the tokens that name none of Secrets (HS256); at least MinSecret bytes, or none
	Secrets  []Secret       // verify the tokens that name them (HS256)
	JWKS     *JWKS          // verifies tokens of RS256, ES256 and EdDSA; default: there are none
	Issuer   string         // if set, a token's iss must be this
	Audience string         // if set, a token's aud must hold this
	Logger   zerolog.Logger // default: no log

	RateLimit Rate            // of each subject; default: none
	MaxDelay  time.Duration   // the longest from now until a job is due; default: queue.MaxDelay
	Closing   <-chan struct{} // once it is closed, /readyz says that this process shuts down; it goes on answering all the same

	UI *UI // the dashboard under /ui; default: there is none

	// Observe, if set, is told of each request that was answered. route is the template of its path, "" if there is none; method is
	// what the client wrote.
	Observe func(route, method string, code int, took time.Duration)
}

const (
	pathBase     = "/api/dm-jobqueue"
	pathRegister = pathBase + "/register"
	pathJobs     = pathBase + "/jobs/"
)

// queueTimeout bounds what one request waits for the queue: a client gets its answer within 1 s whether Redis refuses the
// connection or hangs, and 200 ms are left for all the rest.
const queueTimeout = 800 * time.Millisecond

// New makes the handler of the API process: all routes, and the probes. It refuses a secret that is too short, and to be without
// any key.
func New(q Queue, c Config) (http.Handler, error) {
	tokens, err := newVerifier(c)
	if err != nil {
		return nil, err
	}
	guarded := &guardedQueue{q, newBreakers()}
	s := &service{queue: guarded, closing: c.Closing}
	g := &gate{tokens: tokens, limiter: newLimiter(guarded, c.RateLimit), maxDelay: c.MaxDelay, trail: guarded}
	router := newRouter(s.routes(), g)
	if c.UI != nil {
		mountUI(router, guarded, g, c)
	}
	return observe(c.Logger, c.Observe, router), nil
}

// Server makes a server that no client can hold for long: bodies are small, and so are headers.
func Server(addr string, h http.Handler) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // for proxies that speak h2c
	return &http.Server{
		Protocols:         &protocols,
		Addr:              addr,
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      15 * time.Second, // counted from the end of the headers: reading, the queue, writing
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}
