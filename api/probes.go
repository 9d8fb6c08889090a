package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/gorilla/mux"
	"github.com/rs/zerolog"

	"github.com/punctualq/punctual/queue"
)

// Probes makes a handler that answers /livez and /readyz alone, for a process that serves nothing else. ready returns why the
// process cannot do its work now, nothing if it can, and returns when its context ends. Requests are not logged: a probe
// comes every few seconds, and what it finds is logged by whoever has the trouble.
func Probes(ready func(context.Context) []queue.Problem) http.Handler {
	routes := newRoutes()
	addProbes(routes, ready)
	return observe(zerolog.Nop(), routes)
}

func addProbes(routes *mux.Router, ready func(context.Context) []queue.Problem) {
	live := http.HandlerFunc(livez)
	readiness := readyz(ready)
	routes.Handle("/livez", byMethod{http.MethodGet: live, http.MethodHead: live})
	routes.Handle("/readyz", byMethod{http.MethodGet: readiness, http.MethodHead: readiness})
}

type health struct {
	Status  string          `json:"status"`
	Reasons []queue.Problem `json:"reasons,omitempty"`
}

// livez knows only this process: restarting it does not bring Redis back.
func livez(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, "application/json", health{Status: "ok"})
}

// readyz tells whether work can be taken now, and if not, why.
func readyz(ready func(context.Context) []queue.Problem) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), queueTimeout)
		defer cancel()
		problems := ready(ctx)
		if len(problems) == 0 {
			writeJSON(w, http.StatusOK, "application/json", health{Status: "ready"})
			return
		}
		e := entryOf(r.Context())
		reasons := make([]queue.Problem, len(problems))
		for i, p := range problems {
			e.err = errors.Join(e.err, errors.New(p.Code+": "+p.Reason))
			reasons[i] = public(p)
		}
		e.code = "unready"
		writeJSON(w, http.StatusServiceUnavailable, "application/json", health{"unready", reasons})
	}
}

// public leaves out what strangers need not know: the text of a connection error names the address of Redis.
func public(p queue.Problem) queue.Problem {
	if p.Code == "redis-unavailable" {
		p.Reason = "Redis does not answer, or refuses this process: its log says why"
	}
	return p
}
