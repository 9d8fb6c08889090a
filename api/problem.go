package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"

	"github.com/punctualq/punctual/queue"
)

// What the API itself refuses. The queue's errors are the queue's.
var (
	errMalformed    = errors.New("malformed body")
	errUnknownField = errors.New("unknown field")
	errDuplicate    = errors.New("duplicate field")
	errUnauthorized = errors.New("unauthorized")
	errNotFound     = errors.New("no such route")
	errMethod       = errors.New("method not allowed")
	errSlow         = errors.New("body came too slowly")
	errTooLarge     = errors.New("body too large")
	errMediaType    = errors.New("unsupported media type")
)

// kind says how one kind of error is answered.
type kind struct {
	err    error
	status int
	code   string // stable: clients steer by it
	detail string // the next step, where the error brings none of its own; never the text of a queue's error, which may name hosts
}

// kinds is the one table from error to answer; the first match counts. An error may wrap several: "it may have run" is then
// the careful answer, and a deadline alone does not say that nothing was sent.
var kinds = []kind{
	{errMalformed, 400, "malformed-body", "send one JSON object such as " + example},
	{errUnknownField, 400, "unknown-field", "leave out the field that this route does not have"},
	{errDuplicate, 400, "duplicate-field", "send each field once"},
	{errUnauthorized, 401, "unauthorized", "send a valid token in the header Authorization: Bearer <token>"},
	{errNotFound, 404, "not-found", "there is nothing at this path: jobs are registered with POST " + pathRegister},
	{errMethod, 405, "method-not-allowed", "use one of the methods in the Allow header"},
	{errSlow, 408, "request-timeout", "the body did not arrive in time: send it again"},
	{errTooLarge, 413, "body-too-large", "send at most 131072 bytes; keep big data elsewhere and put a reference to it into the job"},
	{errMediaType, 415, "unsupported-media-type", "send uncompressed JSON with the header Content-Type: application/json"},
	{queue.ErrInvalid, 422, "invalid-job", "correct the fields named in errors and send it again"},
	{queue.ErrLayout, 503, "layout-too-new", "the data in Redis is of a newer version than this process: upgrade it; nothing was registered"},
	{queue.ErrFull, 503, "storage-full", "Redis is out of memory: nothing was registered; send it again later"},
	{queue.ErrNotDurable, 503, "outcome-unknown",
		"the job is registered as job_id, but not confirmed as ENQUEUE_WAIT wants it: a crash of Redis may lose it; sending it again may run it twice"},
	{queue.ErrOutcomeUnknown, 503, "outcome-unknown",
		"the job was sent to Redis and not answered: it may be registered as job_id; sending it again may run it twice"},
	{queue.ErrUnavailable, 503, "redis-unavailable", "Redis does not take jobs now: nothing was registered; send it again later"},
	{context.DeadlineExceeded, 503, "outcome-unknown", "the job may be registered; sending it again may run it twice"},
}

var internal = kind{nil, 500, "internal", "a fault of this process: its log tells more under this request_id; a job of this request may be registered"}

func kindOf(err error) kind {
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k
		}
	}
	return internal
}

// refusal is a client's mistake with a detail of its own. The detail may quote the request, so it is answered, not logged.
type refusal struct {
	err    error
	detail string
}

func refuse(err error, detail string) error { return &refusal{err, detail} }

func (e *refusal) Error() string { return e.err.Error() }
func (e *refusal) Unwrap() error { return e.err }

// fieldError is one field that cannot be taken.
type fieldError struct {
	Pointer string `json:"pointer"` // JSON pointer into the body
	Detail  string `json:"detail"`
}

// invalidJob names all bad fields of a registration.
type invalidJob struct{ fields []fieldError }

func (e *invalidJob) Error() string { return queue.ErrInvalid.Error() }
func (e *invalidJob) Unwrap() error { return queue.ErrInvalid }

// problem is an error answer by RFC 9457. With type about:blank the title is the status in words.
type problem struct {
	Type      string       `json:"type"`
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	Detail    string       `json:"detail"`
	Code      string       `json:"code"`
	RequestID string       `json:"request_id"`
	JobID     string       `json:"job_id,omitempty"`
	Errors    []fieldError `json:"errors,omitempty"`
}

// fail answers with the problem that the table has for err, and notes it for the log line of the request.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	k, e := kindOf(err), entryOf(r.Context())
	p := problem{Type: "about:blank", Title: http.StatusText(k.status), Status: k.status, Detail: k.detail, Code: k.code, RequestID: e.id}
	e.code = k.code
	var own *refusal
	if errors.As(err, &own) {
		p.Detail = own.detail
	}
	var invalid *invalidJob
	if errors.As(err, &invalid) {
		p.Errors = invalid.fields
		for _, f := range invalid.fields {
			e.fields = append(e.fields, f.Pointer)
		}
	}
	if k.status >= 500 || k.status == http.StatusUnauthorized {
		e.err = err // holds nothing of the request
	}
	switch k.status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="punctual", error="invalid_token"`)
	case http.StatusRequestTimeout, http.StatusRequestEntityTooLarge:
		w.Header().Set("Connection", "close") // the rest of the body is not waited for
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", strconv.Itoa(1+rand.IntN(3))) // not all at the same second
	}
	if k.code == "outcome-unknown" {
		p.JobID = e.jobID
	}
	writeJSON(w, k.status, "application/problem+json", p)
}

// writeJSON writes an answer. Nothing of this API may be cached.
func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // people read details in a terminal
	if err := enc.Encode(v); err != nil {
		panic(err) // the answers are made of strings and numbers
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a client that is gone needs no answer
}
