package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/punctualq/punctual/queue"
)

// route is one method of one path.
type route struct {
	method   string
	template string   // of the path, as the router writes it
	scope    string   // that the token must have; "": no token is asked for
	unscoped bool     // a token without the claim scope is let in, too: the handler keeps it to its own
	query    []string // the parameters that it takes; nil: those of others are none of its business
	tells    tells
	verb     string // what the audit trail calls it; "": it is not kept there
	handle   func(*call) error
}

// service has the handlers.
type service struct {
	queue   Queue
	closing <-chan struct{} // nil: never
}

// routes is the one table of what the API answers. GET stands for HEAD as well.
func (s *service) routes() []route {
	const job, queueOf, workerOf = pathBase + "/jobs/{job_id}", pathBase + "/queues/{queue}", pathBase + "/workers/{worker}"
	none, inQueue := []string{}, []string{"queue"}
	return append([]route{
		{"POST", pathRegister, scopeWrite, true, nil, tellsRegister, "", s.register},
		{"POST", pathRegister + "/bulk", scopeWrite, true, nil, tellsRegister, "", s.registerBulk},

		{"GET", pathBase + "/jobs", scopeRead, true, []string{"queue", "state", "type", "limit", "cursor"}, tellsRead, "", s.listJobs},
		{"GET", job, scopeRead, true, inQueue, tellsRead, "", s.getJob},
		{"DELETE", job, scopeWrite, false, inQueue, tellsCancel, "cancel", s.cancelJob},
		{"PATCH", job, scopeWrite, false, inQueue, tellsEdit, "edit", s.editJob},
		{"POST", job + "/run", scopeWrite, false, inQueue, tellsReschedule, "run", s.runJob},
		{"POST", job + "/reschedule", scopeWrite, false, inQueue, tellsReschedule, "reschedule", s.rescheduleJob},
		{"POST", job + "/redrive", scopeWrite, false, inQueue, tellsRedrive, "redrive", s.redriveJob},
		{"POST", job + "/purge", scopeWrite, false, inQueue, tellsPurge, "purge", s.purgeJob},

		{"GET", pathBase + "/queues", scopeRead, false, none, tellsRead, "", s.listQueues},
		{"GET", queueOf, scopeRead, false, none, tellsRead, "", s.getQueue},
		{"POST", queueOf + "/pause", scopeAdmin, false, none, tellsPause, "pause", s.pauseQueue},
		{"POST", queueOf + "/resume", scopeAdmin, false, none, tellsResume, "resume", s.resumeQueue},
		{"POST", queueOf + "/redrive", scopeAdmin, false, none, tellsRedriveAll, "redrive", s.redriveQueue},
		{"POST", queueOf + "/purge", scopeAdmin, false, none, tellsPurgeAll, "purge", s.purgeQueue},

		{"GET", pathBase + "/workers", scopeRead, false, none, tellsRead, "", s.listWorkers},
		{"POST", workerOf + "/quiet", scopeWorkers, false, none, tellsWorker, "quiet", s.quietWorker},
		{"POST", workerOf + "/stop", scopeWorkers, false, none, tellsWorker, "stop", s.stopWorker},

		{"GET", pathBase + "/stats", scopeRead, false, none, tellsRead, "", s.stats},

		{method: "GET", template: pathBase + "/openapi.json", handle: serveDocument},
		{method: "GET", template: pathBase + "/docs", handle: servePage},
	}, probes(s.ready)...)
}

// newRouter answers the routes, and with a problem what it does not know. It does not redirect an unclean path: a POST that is
// redirected loses its body in most clients. It matches paths as they were sent: a %2F in an id is part of the id.
func newRouter(routes []route, g *gate) *mux.Router {
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	r.Use(noteRoute)
	r.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fail(w, r, errNotFound) })
	paths := map[string]byMethod{}
	for _, rt := range routes {
		methods, known := paths[rt.template]
		if !known {
			methods = byMethod{}
			paths[rt.template] = methods
			r.Handle(rt.template, methods)
		}
		methods[rt.method] = rt.handler(g)
		if rt.method == http.MethodGet {
			methods[http.MethodHead] = methods[http.MethodGet]
		}
	}
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

// call is one request that has found its route.
type call struct {
	w         http.ResponseWriter
	r         *http.Request
	entry     *entry
	gate      *gate
	caller    caller
	query     map[string]string // a parameter that is absent is ""; none that is there is
	until     time.Time         // when the request must be answered; set by context
	deed      queue.Deed        // where and to what a verb was done; handlers fill it in
	unchanged bool              // the verb found all as it was to be
}

func (rt *route) handler(g *gate) http.Handler {
	route := *rt
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{w: w, r: r, entry: entryOf(r.Context()), gate: g}
		c.entry.route, c.entry.tells = &route, route.tells
		err := route.admit(c)
		if err == nil {
			err = route.handle(c)
		}
		if route.verb != "" && !c.unchanged && (err == nil || c.entry.jobs > 0) {
			g.record(c)
		}
		if err != nil {
			fail(w, r, err)
		}
	})
}

// maxSubject is what the record of a job takes.
const maxSubject = 256

// admit finds out who asks and whether he may, and reads the query.
func (rt *route) admit(c *call) (err error) {
	if rt.scope != "" {
		if c.caller, err = c.gate.tokens.caller(c.r.Header); err != nil {
			return err
		}
		if c.entry.subject = c.caller.subject; len(c.caller.subject) > maxSubject {
			return fmt.Errorf("%w: sub is over %d bytes", errUnauthorized, maxSubject)
		}
		if !c.caller.may(rt.scope) && (c.caller.scoped || !rt.unscoped) {
			return refuse(errForbidden, "this needs a token with the scope "+rt.scope)
		}
		if err := c.gate.limiter.admit(c.r.Context(), c.caller.subject); err != nil {
			return err
		}
	}
	if rt.query != nil {
		c.query, err = readQuery(c.r.URL.RawQuery, rt.query)
	}
	return err
}

// context bounds what the request waits for the queue. A client that goes away must not leave a change of unknown outcome
// behind: only reads are cut off with it.
func (c *call) context() (context.Context, context.CancelFunc) {
	ctx := c.r.Context()
	if !c.reads() {
		ctx = context.WithoutCancel(ctx)
	}
	if c.until.IsZero() {
		c.until = time.Now().Add(queueTimeout)
	}
	return context.WithDeadline(ctx, c.until)
}

func (c *call) reads() bool { return c.entry.route.method == http.MethodGet }

func (c *call) answer(status int, v any) error {
	writeJSON(c.w, status, "application/json", v)
	return nil
}

// pathVar returns a part of the path, decoded; "" if it is not at most some printable characters of ASCII, as all names are.
func (c *call) pathVar(name string, most int) string {
	s, err := url.PathUnescape(mux.Vars(c.r)[name])
	if err != nil || len(s) > most || strings.ContainsFunc(s, func(r rune) bool { return r < '!' || r > '~' }) {
		return ""
	}
	return s
}

// permit refuses a queue that the token does not name.
func (c *call) permit(name string) error {
	if !c.caller.sees(name) {
		return refuse(errForbidden, "the claim queues of the token does not name the queue "+name)
	}
	return nil
}

// isQueueName asks the queue, so that the rule stands in one place.
func isQueueName(name string) bool {
	return name != "" && queue.NewJob{ID: "x", Queue: name}.Validate() == nil
}
