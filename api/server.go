// Package api takes jobs in over HTTP and hands them to a queue. It knows neither Redis nor the worker.
//
// A request passes: log.go (id, one line, recover) → server.go (route, method) → token.go (who asks) → body.go (strict
// JSON) → register.go (fields, enqueue). Whatever goes wrong on the way becomes an answer in problem.go, in one table.
package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/rs/zerolog"

	"github.com/punctualq/punctual/queue"
)

// Queue is what the API needs of a queue; *queue.Client has it. Both calls return when their context ends.
type Queue interface {
	Enqueue(ctx context.Context, job queue.NewJob) (queue.Enqueued, error)
	Health(ctx context.Context) []queue.Problem
}

// Config of the API.
type Config struct {
	Secret   []byte         // verifies the tokens; at least MinSecret bytes
	Issuer   string         // if set, a token's iss must be this
	Audience string         // if set, a token's aud must hold this
	Logger   zerolog.Logger // default: no log
}

const (
	pathBase     = "/api/dm-jobqueue"
	pathRegister = pathBase + "/register"
	pathJobs     = pathBase + "/jobs/"
)

// queueTimeout bounds what one request waits for the queue: a client gets its answer within 1 s whether Redis refuses the
// connection or hangs, and 200 ms are left for all the rest.
const queueTimeout = 800 * time.Millisecond

// New makes the handler of the API process: registration and probes. It refuses a secret that is too short.
func New(q Queue, c Config) (http.Handler, error) {
	tokens, err := newVerifier(c)
	if err != nil {
		return nil, err
	}
	routes := newRoutes()
	routes.Handle(pathRegister, byMethod{http.MethodPost: &registrar{queue: q, tokens: tokens}})
	addProbes(routes, q.Health)
	return observe(c.Logger, routes), nil
}

// newRoutes makes a router that answers what it does not know with a problem. It does not redirect an unclean path: a POST
// that is redirected loses its body in most clients.
func newRoutes() *mux.Router {
	r := mux.NewRouter().SkipClean(true)
	r.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fail(w, r, errNotFound) })
	return r
}

// byMethod is all that one path answers. It exists because a 405 must name the methods that are allowed, which the router
// does not do.
type byMethod map[string]http.Handler

func (m byMethod) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h, ok := m[r.Method]; ok {
		h.ServeHTTP(w, r)
		return
	}
	allowed := []string{http.MethodOptions}
	for method := range m {
		allowed = append(allowed, method)
	}
	slices.Sort(allowed)
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	fail(w, r, errMethod)
}

// Server makes a server that no client can hold for long: the body of a registration is small, and so are its headers.
func Server(addr string, h http.Handler) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      15 * time.Second, // counted from the end of the headers: reading, the queue, writing
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}
