package api

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"github.com/punctualq/punctual/api/ui"
)

// UI of Config is the dashboard.
type UI struct {
	ReadOnly bool   // nothing can be changed there
	Build    string // of this process, as the pages tell it

	// AutoSignIn, if set, makes a token for a browser on this machine that has none: for develop on loopback alone.
	AutoSignIn func() (string, error)
}

// mountUI puts the dashboard beside the routes of the API: those are documented and for machines, these are for people.
func mountUI(r *mux.Router, q Queue, g *gate, c Config) {
	pages := ui.New(ui.Config{Queue: q, Admit: g.visitor, ReadOnly: c.UI.ReadOnly, Build: c.UI.Build, AutoSignIn: c.UI.AutoSignIn,
		Timeout: queueTimeout, Closing: c.Closing, Tell: noteVisit})
	r.Handle("/ui", pages)
	r.PathPrefix("/ui/").Handler(pages)
}

// visitor tells who has a token, as for a request of the API. A token without the claim scope may see its own jobs there, but no
// dashboard.
func (g *gate) visitor(r *http.Request, token string) (ui.Caller, error) {
	who, expires, err := g.tokens.holder(token)
	if err != nil {
		return ui.Caller{}, fmt.Errorf("%w: %w", ui.ErrToken, err)
	}
	if len(who.subject) > maxSubject {
		return ui.Caller{}, fmt.Errorf("%w: sub is over %d bytes", ui.ErrToken, maxSubject)
	}
	entryOf(r.Context()).subject = who.subject
	if err := g.limiter.admit(r.Context(), who.subject); err != nil {
		return ui.Caller{}, errors.Join(ui.ErrEarly, err)
	}
	return ui.Caller{Subject: who.subject, Expires: expires, May: who.may, Sees: who.sees}, nil
}

// noteVisit puts what the dashboard tells of a request into its log line.
func noteVisit(r *http.Request, n ui.Note) {
	e := entryOf(r.Context())
	_, path, _ := strings.Cut(n.Route, " ")
	e.template, e.jobID, e.jobs, e.err = cmp.Or(path, "/ui/"), n.Job, n.Jobs, n.Err
}
