package ui

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/punctualq/punctual/queue"
)

//go:embed templates/*.html
var templateFiles embed.FS

// views are the templates by page, each with the frame around it.
type views map[string]*template.Template

var viewNames = []string{"overview", "jobs", "job", "dead", "workers", "redis", "trail", "all", "sure", "stop", "sign-in", "trouble"}

func parseViews() views {
	shared := template.Must(template.New("").Funcs(words).ParseFS(templateFiles, "templates/frame.html", "templates/parts.html"))
	all := views{}
	for _, name := range viewNames {
		all[name] = template.Must(template.Must(shared.Clone()).ParseFS(templateFiles, "templates/"+name+".html"))
	}
	return all
}

// policy lets in this process' own style, script and events, and nothing else. There is no inline script and no inline style.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'"

// safely sets the headers that all answers have, and refuses what other sites send.
func (u *ui) safely(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.refuse(w, r, errCrossOrigin)
	}))
	guarded := guard.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin") // without a referrer a browser tells no origin either: see setCookie
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		guarded.ServeHTTP(w, r)
	})
}

// visit is one request of somebody who is signed in.
type visit struct {
	u      *ui
	w      http.ResponseWriter
	r      *http.Request
	ctx    context.Context
	caller Caller
	note   Note
}

// visitor finds out who asks and whether he may, and answers an error with a page that says what to do.
func (u *ui) visitor(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := &visit{u: u, w: w, r: r, note: Note{Route: r.Pattern}}
		caller, err := u.who(w, r)
		if err != nil {
			u.refuse(w, r, err)
			return
		}
		v.caller = caller
		ctx := r.Context()
		if r.Method == http.MethodPost { // a browser that goes away must not leave a change of unknown outcome behind
			ctx = context.WithoutCancel(ctx)
		}
		ctx, cancel := context.WithTimeout(ctx, u.Timeout)
		defer cancel()
		v.ctx = ctx
		if err = v.may(rt.scope); err == nil {
			err = rt.handle(v)
		}
		if err != nil {
			v.trouble(err)
		}
	}
}

// may refuses a token without the scope, and all changes where the dashboard only shows.
func (v *visit) may(scope string) error {
	switch {
	case !v.caller.May(scope):
		return &scopeError{scope}
	case v.u.ReadOnly && v.r.Method == http.MethodPost:
		return errReadOnly
	case v.r.Method == http.MethodPost:
		return v.readForm()
	}
	return nil
}

// maxForm is the most bytes of a form: the ids of a page of jobs, or the payload of one.
const maxForm = 1 << 20

func (v *visit) readForm() error {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	if err := v.r.ParseForm(); err != nil {
		return errForm
	}
	return nil
}

// can tells a template whether to offer an action.
func (v *visit) can(scope string) bool { return !v.u.ReadOnly && v.caller.May(scope) }

// frame is what every page has around its own data.
type frame struct {
	Title, Page string
	CSS, JS     string
	Signed      bool
	Subject     string
	ReadOnly    bool
	Live        bool // takes live updates
	Again       int  // seconds after which the browser is to load it again; 0: never
	Shape       string
	Notice      *notice
	Build       string
	Now         time.Time
	Can         can
	Main        any
}

// can is which actions the caller may be offered.
type can struct{ Write, Admin, Workers bool }

// show answers with a page. now is the clock that its times are told by.
func (v *visit) show(name, title string, now time.Time, main any) error {
	f := v.frame(name, title, now, main)
	return v.render(name, http.StatusOK, f)
}

func (v *visit) frame(name, title string, now time.Time, main any) frame {
	f := frame{Title: title, Page: name, CSS: assets.url("app.css"), JS: assets.url("app.js"), Build: v.u.Build, ReadOnly: v.u.ReadOnly,
		Now: now, Main: main, Notice: noticeOf(v.r.URL.Query())}
	if v.caller.May != nil {
		f.Signed, f.Subject = true, v.caller.Subject
		f.Can = can{v.can(scopeWrite), v.can(scopeAdmin), v.can(scopeWorkers)}
	}
	return f
}

func (v *visit) render(name string, status int, f frame) error {
	var b bytes.Buffer
	if err := v.u.views[name].ExecuteTemplate(&b, "frame", f); err != nil {
		return err
	}
	v.tell()
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(b.Bytes()) // a browser that is gone needs no answer
	return nil
}

func (v *visit) tell() {
	if v.u.Tell != nil {
		v.u.Tell(v.r, v.note)
	}
}

// back ends a POST: the browser gets a page again, with a notice on it.
func (v *visit) back(to string, n notice) error {
	v.tell()
	path, query, _ := cutQuery(to)
	for name, value := range n.query() {
		query[name] = value
	}
	http.Redirect(v.w, v.r, path+"?"+query.Encode(), http.StatusSeeOther)
	return nil
}

// cutQuery takes a path of this dashboard apart; what leads elsewhere is the overview.
func cutQuery(to string) (path string, query url.Values, ok bool) {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || !isOwn(u.EscapedPath()) {
		return "/ui", url.Values{}, false
	}
	query = u.Query()
	for _, name := range noticeNames {
		query.Del(name)
	}
	return u.EscapedPath(), query, true
}

// clockOf is the clock of Redis as the overviews tell it, else this process' own.
func clockOf(all []queue.Overview) time.Time {
	for _, o := range all {
		if !o.Now.IsZero() {
			return o.Now
		}
	}
	return time.Now()
}

// told is false for what could not be read. The page says so, and the log why.
func (v *visit) told(err error) bool {
	if err != nil {
		v.wrong(err)
	}
	return err == nil
}

// overviews are the figures of all queues that the caller may see.
func (v *visit) overviews() ([]queue.Overview, error) {
	all, err := v.u.Queue.Overviews(v.ctx)
	return seen(v.caller, all, func(o queue.Overview) string { return o.Queue }), err
}

// namesOf are the names of queues.
func namesOf(all []queue.Overview) (names []string) {
	for _, o := range all {
		names = append(names, o.Queue)
	}
	return names
}

// queues are those that the caller may see, and the one of them that the query of a page names.
func (v *visit) queues() (all []queue.Overview, chosen string, err error) {
	if all, err = v.overviews(); err == nil {
		chosen, err = v.chosen(v.r.URL.Query().Get("queue"), all)
	}
	return all, chosen, err
}

// queuesAndWorkers are asked for at once.
func (v *visit) queuesAndWorkers() (all []queue.Overview, workers []queue.WorkerState, err error) {
	err = together(
		func() (err error) { all, err = v.overviews(); return err },
		func() (err error) { workers, err = v.workers(); return err },
	)
	return all, workers, err
}

// seen leaves out what belongs to queues that the caller may not see.
func seen[T any](c Caller, all []T, queueOf func(T) string) []T {
	var some []T
	for _, one := range all {
		if c.Sees(queueOf(one)) {
			some = append(some, one)
		}
	}
	return some
}

// isQueueName asks the queue, so that the rule stands in one place.
func isQueueName(name string) bool {
	return name != "" && queue.NewJob{ID: "x", Queue: name}.Validate() == nil
}

// chosen returns the queue that a request names, in its query or its form; of a page that names none, the first that the caller sees,
// and "" if there is none yet.
func (v *visit) chosen(name string, all []queue.Overview) (string, error) {
	if name == "" {
		for _, o := range all {
			if o.Queue == queue.DefaultQueue {
				return o.Queue, nil
			}
		}
		if len(all) > 0 {
			return all[0].Queue, nil
		}
		return "", nil
	}
	if err := v.mayTouch(name); err != nil {
		return name, err
	}
	if !slices.ContainsFunc(all, func(o queue.Overview) bool { return o.Queue == name }) {
		return name, queue.ErrNoQueue // not one that is empty: nobody takes a name that was misspelt for that
	}
	return name, nil
}

// mayTouch refuses the name of a queue that cannot be, or that the token does not allow.
func (v *visit) mayTouch(name string) error {
	if !isQueueName(name) {
		return queue.ErrNoQueue
	}
	if !v.caller.Sees(name) {
		return errQueueHidden
	}
	return nil
}

// together runs parts of a page at once, and returns what went wrong in any of them.
func together(parts ...func() error) error {
	errs := make(chan error, len(parts))
	for _, part := range parts {
		go func() { errs <- part() }()
	}
	var all error
	for range parts {
		all = errors.Join(all, <-errs)
	}
	return all
}
