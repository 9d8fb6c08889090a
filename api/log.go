package api

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"
	"github.com/rs/zerolog"
)

var requestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// entry is what the log line of one request tells beyond the request itself; handlers fill it in. It never holds the token,
// the payload, or anything else of the body but the names of known fields.
type entry struct {
	id       string
	route    *route // nil: there is none
	tells    tells
	template string // of its path, "" if there is none
	subject  string
	jobID    string
	jobs     int      // registered or moved at once
	code     string   // of the problem that was answered
	fields   []string // that were bad
	err      error
	stack    []byte // of a panic
}

type entryKey struct{}

// entryOf returns the entry that observe has put into the context of every request.
func entryOf(ctx context.Context) *entry { return ctx.Value(entryKey{}).(*entry) }

// observe gives each request an id (its own X-Request-Id if that is fit to be one), writes one line when it is over, and
// turns a panic into a 500, so that the process lives.
func observe(log zerolog.Logger, tell func(route, method string, code int, took time.Duration), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		e := &entry{id: r.Header.Get("X-Request-Id")}
		if !requestID.MatchString(e.id) {
			e.id = uuid.NewString()
		}
		w.Header().Set("X-Request-Id", e.id)
		rec := &recorder{ResponseWriter: w}
		r = r.WithContext(context.WithValue(r.Context(), entryKey{}, e))
		defer func() {
			took := time.Since(start)
			if tell != nil {
				tell(e.template, r.Method, rec.status, took)
			}
			e.write(log, r, rec, took)
		}()
		defer e.recover(rec, r)
		next.ServeHTTP(rec, r)
	})
}

// noteRoute is a middleware of the router: only there is it known which route a request takes.
func noteRoute(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entryOf(r.Context()).template, _ = mux.CurrentRoute(r).GetPathTemplate()
		next.ServeHTTP(w, r)
	})
}

// recover answers for a handler that panicked. An answer that has begun cannot be taken back: its connection is cut, so that
// nobody takes half of it for the whole.
func (e *entry) recover(rec *recorder, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	e.stack = debug.Stack()
	err := fmt.Errorf("panic: %v", cause)
	if rec.status != 0 {
		e.code, e.err = internal.code, err
		panic(http.ErrAbortHandler)
	}
	fail(rec, r, err)
}

func (e *entry) write(log zerolog.Logger, r *http.Request, rec *recorder, took time.Duration) {
	level := zerolog.InfoLevel
	switch {
	case r.URL.Path == "/livez" || r.URL.Path == "/readyz":
		level = zerolog.DebugLevel // asked every few seconds by machines
	case rec.status == http.StatusServiceUnavailable:
		level = zerolog.WarnLevel
	case rec.status >= 500 || e.stack != nil:
		level = zerolog.ErrorLevel
	}
	line := log.WithLevel(level).Str("method", r.Method).Str("path", cut(r.URL.Path, 256)).Int("status", rec.status).
		Float64("duration_ms", float64(took.Microseconds())/1000).Int64("bytes", rec.bytes).Str("request_id", e.id).
		Str("remote", r.RemoteAddr)
	for _, field := range []struct{ name, value string }{{"subject", cut(e.subject, 128)}, {"job_id", e.jobID}, {"code", e.code}} {
		if field.value != "" {
			line = line.Str(field.name, field.value)
		}
	}
	if e.jobs > 0 {
		line = line.Int("jobs", e.jobs)
	}
	if len(e.fields) > 0 {
		line = line.Strs("fields", e.fields)
	}
	if e.err != nil {
		line = line.AnErr("error", e.err)
	}
	if e.stack != nil {
		line = line.Bytes("stack", e.stack)
	}
	line.Msg("request")
}

// cut shortens what a client chose. The query of a URL is not logged at all: some put tokens there.
func cut(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

// recorder notes what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the writer beneath.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
