// Package ui is the dashboard: pages for people over the verbs of a queue, served by the API process under /ui. It knows neither
// Redis nor HTTP's tokens: what it needs of both is handed to it.
//
// A request passes: page.go (headers, cross-origin requests refused) → auth.go (the cookie, who asks) → the page, in the file of
// its name, or act.go and all.go, which change something and end in a redirect with a notice (notice.go). The pages work without
// JavaScript; app.js adds what events.go sends while a page is open.
package ui

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/punctualq/punctual/queue"
)

// Queue is what the dashboard needs of a queue; *queue.Client has it, and says what each call promises. All return when their
// context ends.
type Queue interface {
	Get(ctx context.Context, queue, id string) (queue.Info, error)
	List(ctx context.Context, queue string, l queue.Listing) (queue.Page, error)
	Cancel(ctx context.Context, queue, id string) (queue.State, error)
	Reschedule(ctx context.Context, queue, id string, when queue.When) (time.Time, error)
	Redrive(ctx context.Context, queue, id string) error
	Purge(ctx context.Context, queue, id string) error
	Edit(ctx context.Context, queue, id string, change queue.Changes) (queue.Info, error)

	Overview(ctx context.Context, queue string) (queue.Overview, error)
	Overviews(ctx context.Context) ([]queue.Overview, error)
	Pause(ctx context.Context, queue string) (changed bool, err error)
	Resume(ctx context.Context, queue string) (changed bool, err error)
	RedriveAll(ctx context.Context, queue string, f queue.Filter) (queue.Moved, error)
	PurgeAll(ctx context.Context, queue string, f queue.Filter) (queue.Moved, error)

	Workers(ctx context.Context) ([]queue.WorkerState, error)
	Quiet(ctx context.Context, worker string) error
	Stop(ctx context.Context, worker string) error

	DeadGroups(ctx context.Context, queue string) (groups []queue.DeadGroup, others int, err error)
	Minutes(ctx context.Context, queue string, last int) ([]queue.Minute, error)
	Server(ctx context.Context, queue string) (queue.ServerInfo, error)
	Trail(ctx context.Context, queue string, limit int) ([]queue.Deed, error)
	Record(ctx context.Context, d queue.Deed) error
	Health(ctx context.Context) []queue.Problem
}

// The scopes that pages and actions ask for; they are those of the API.
const (
	scopeRead    = "jobs:read"
	scopeWrite   = "jobs:write"
	scopeAdmin   = "jobs:admin"
	scopeWorkers = "workers:admin"
)

// Caller is who asks, as the token says.
type Caller struct {
	Subject string // "": the token names nobody
	Expires time.Time
	May     func(scope string) bool
	Sees    func(queue string) bool
}

// Errors of Config.Admit.
var (
	ErrToken = errors.New("the token is not good") // wrapped: its text is for the log
	ErrEarly = errors.New("too many requests")
)

// Config of the dashboard.
type Config struct {
	Queue    Queue
	Admit    func(r *http.Request, token string) (Caller, error) // who has this token: ErrToken, ErrEarly
	ReadOnly bool                                                // nothing can be changed, whatever the token allows
	Timeout  time.Duration                                       // what one request waits for the queue
	Closing  <-chan struct{}                                     // once it is closed, live updates end; nil: never
	Build    string                                              // of this process; may be ""

	// AutoSignIn, if set, makes a token for a browser on the same machine that has none: for develop on loopback alone.
	AutoSignIn func() (string, error)

	// Tell, if set, is told once of each request, before it is answered.
	Tell func(r *http.Request, n Note)
}

// Note is what the log should know of a request.
type Note struct {
	Route string // the pattern of its path
	Job   string // the id it is about
	Jobs  int    // how many were changed
	Err   error  // what went wrong on this side
}

type ui struct {
	Config
	mux   *http.ServeMux
	hub   *hub
	views views
}

// New makes the handler of /ui and all below it.
func New(c Config) http.Handler {
	u := &ui{Config: c, mux: http.NewServeMux(), views: parseViews()}
	u.hub = newHub(c.Queue, c.Timeout, c.Closing)
	u.mux.HandleFunc("GET /ui/static/{name}", u.static)
	u.mux.HandleFunc("GET /ui/sign-in", u.signInPage)
	u.mux.HandleFunc("POST /ui/sign-in", u.signIn)
	u.mux.HandleFunc("POST /ui/sign-out", u.signOut)
	for _, rt := range u.routes() {
		u.mux.HandleFunc(rt.pattern, u.visitor(rt))
	}
	return u.safely(u.mux)
}

// route is a page or an action.
type route struct {
	pattern string
	scope   string // that the token must have
	handle  func(*visit) error
}

func (u *ui) routes() []route {
	return []route{
		{"GET /ui", scopeRead, u.overview},
		{"GET /ui/{$}", scopeRead, u.overview},
		{"GET /ui/jobs", scopeRead, u.jobs},
		{"GET /ui/jobs/{id}", scopeRead, u.job},
		{"GET /ui/dead", scopeRead, u.dead},
		{"GET /ui/workers", scopeRead, u.workers},
		{"GET /ui/redis", scopeRead, u.redis},
		{"GET /ui/trail", scopeRead, u.trail},
		{"GET /ui/events", scopeRead, u.events},
		{"GET /ui/all", scopeRead, u.allPage},
		{"GET /ui/stop", scopeRead, u.stopPage},

		{"POST /ui/act", scopeWrite, u.act},
		{"POST /ui/edit", scopeWrite, u.edit},
		{"POST /ui/all", scopeAdmin, u.all},
		{"POST /ui/queue", scopeAdmin, u.steerQueue},
		{"POST /ui/worker", scopeWorkers, u.steerWorker},
		{"/ui/", scopeRead, func(*visit) error { return errNoPage }},
	}
}
