package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/punctualq/punctual/queue"
)

// What the API itself refuses. The queue's errors are the queue's.
var (
	errMalformed    = errors.New("malformed body")
	errUnknownField = errors.New("unknown field")
	errDuplicate    = errors.New("duplicate field")
	errQuery        = errors.New("invalid query")
	errKey          = errors.New("invalid idempotency key")
	errUnauthorized = errors.New("unauthorized")
	errForbidden    = errors.New("insufficient scope")
	errNotFound     = errors.New("no such route")
	errMethod       = errors.New("method not allowed")
	errSlow         = errors.New("body came too slowly")
	errTooLarge     = errors.New("body too large")
	errMediaType    = errors.New("unsupported media type")
	errJobExists    = errors.New("the id of the client's choice is taken")
)

// kind says how one kind of error is answered.
type kind struct {
	err    error
	status int
	code   string // stable: clients steer by it
	detail string // the next step, where the error brings none of its own, see tells; never the text of a queue's error, which may name hosts
}

// kinds is the one table from error to answer; the first match counts. An error may wrap several: "it may have run" is then
// the careful answer, and a deadline alone does not say that nothing was sent.
var kinds = []kind{
	{errMalformed, 400, "malformed-body", "send one JSON object"},
	{errUnknownField, 400, "unknown-field", "leave out the field that this route does not have"},
	{errDuplicate, 400, "duplicate-field", "send each field once"},
	{errQuery, 400, "invalid-query", "correct the query"},
	{queue.ErrCursor, 400, "invalid-cursor", "take the cursor from next_cursor of the page before, with the same queue, state and type, or start without one"},
	{errKey, 400, "invalid-idempotency-key", "send one header Idempotency-Key with a string of 1 to 128 characters"},
	{errUnauthorized, 401, "unauthorized", "send a valid token in the header Authorization: Bearer <token>"},
	{errForbidden, 403, "insufficient-scope", "get a token with the scope that this needs"},
	{errNotFound, 404, "not-found", "there is nothing at this path: jobs are registered with POST " + pathRegister},
	{queue.ErrNotFound, 404, "no-such-job", "no job of this queue has that id: it never was, it is done and forgotten, or it is in another queue"},
	{queue.ErrNoQueue, 404, "no-such-queue", "nothing was ever put into a queue of that name: GET " + pathBase + "/queues lists those that are"},
	{queue.ErrNoWorker, 404, "no-such-worker", "no worker has that id: GET " + pathBase + "/workers lists those that are"},
	{errMethod, 405, "method-not-allowed", "use one of the methods in the Allow header"},
	{errSlow, 408, "request-timeout", "the body did not arrive in time: send it again"},
	{errJobExists, 409, "job-exists", "a job with this job_id exists, and was left as it is"},
	{queue.ErrUnique, 409, "unique-conflict", "the job job_id holds this unique key: nothing was registered"},
	{queue.ErrState, 409, "wrong-state", "the job is in a state in which this cannot be done: nothing was changed"},
	{errTooLarge, 413, "body-too-large", "send less at once"},
	{errMediaType, 415, "unsupported-media-type", "send uncompressed JSON with the header Content-Type: application/json"},
	{queue.ErrInvalid, 422, "invalid-job", "correct the fields named in errors and send it again"},
	{queue.ErrConflict, 422, "idempotency-conflict", "this Idempotency-Key was used for another request: take a new key for a new job"},
	{errLimited, 429, "rate-limited", "this subject sends more requests than it may: send it again after Retry-After"},
	{queue.ErrQueueFull, 429, "queue-full", "the queue has as many jobs as it may have: nothing was registered; send it again later"},
	{queue.ErrLayout, 503, "layout-too-new", "the data in Redis is of a newer version than this process: upgrade it; {not}"},
	{queue.ErrFull, 503, "storage-full", "Redis is out of memory: {not}; send it again later"},
	{queue.ErrNotDurable, 503, codeUnknown,
		"the job is registered as job_id, but not confirmed as ENQUEUE_WAIT wants it: a crash of Redis may lose it; {again}"},
	{queue.ErrOutcomeUnknown, 503, codeUnknown, "this was sent to Redis and not answered: {maybe}; {again}"},
	{queue.ErrUnavailable, 503, codeUnavailable, "Redis does not answer, or does not take this now: {not}; send it again later"},
	{context.DeadlineExceeded, 503, codeUnknown, "Redis did not answer in time: {maybe}; {again}"},
}

const (
	codeUnknown     = "outcome-unknown"
	codeUnavailable = "redis-unavailable"
)

var internal = kind{nil, 500, "internal", "a fault of this process: its log tells more under this request_id; what was asked may have been done"}

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

// clash is a conflict with a job that is there.
type clash struct {
	err   error
	jobID string
	state queue.State // "" if it is not known
}

func (e *clash) Error() string { return e.err.Error() }
func (e *clash) Unwrap() error { return e.err }

// problem is an error answer by RFC 9457. With type about:blank the title is the status in words.
type problem struct {
	Type      string       `json:"type"`
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	Detail    string       `json:"detail"`
	Code      string       `json:"code"`
	RequestID string       `json:"request_id"`
	JobID     string       `json:"job_id,omitempty"`
	State     queue.State  `json:"state,omitempty"`
	Errors    []fieldError `json:"errors,omitempty"`
}

// problemOf makes the problem that the table has for err, in the words of the verb. jobID is the job that the request is about.
func (e *entry) problemOf(err error, t tells, jobID string) *problem {
	k := kindOf(err)
	if e.route != nil && e.route.method == http.MethodGet && k.code == codeUnknown {
		k = kindOf(queue.ErrUnavailable) // a read that was not answered has changed nothing
	}
	p := &problem{Type: "about:blank", Title: http.StatusText(k.status), Status: k.status, Detail: t.fit(k.detail), Code: k.code, RequestID: e.id}
	var (
		own     *refusal
		invalid *invalidJob
		there   *clash
		held    *queue.UniqueError
		state   *queue.StateError
	)
	if errors.As(err, &own) {
		p.Detail = own.detail
	}
	switch {
	case k.code == codeUnknown:
		p.JobID = jobID
	case errors.As(err, &invalid):
		p.Errors = invalid.fields
	case errors.As(err, &there):
		p.JobID, p.State = there.jobID, there.state
	case errors.As(err, &held):
		p.JobID = held.Holder
	case errors.As(err, &state):
		p.JobID, p.State = jobID, state.State
	}
	return p
}

// fail answers with the problem that the table has for err, and notes it for the log line of the request.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	e := entryOf(r.Context())
	p := e.problemOf(err, e.tells, e.jobID)
	e.code = p.Code
	for _, f := range p.Errors {
		e.fields = append(e.fields, f.Pointer)
	}
	if p.Status >= 500 || p.Status == http.StatusUnauthorized {
		e.err = errors.Join(e.err, err) // holds nothing of the request
	}
	switch p.Status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="punctual", error="invalid_token"`)
	case http.StatusForbidden:
		w.Header().Set("WWW-Authenticate", `Bearer realm="punctual", error="insufficient_scope", scope="`+e.route.scope+`"`)
	case http.StatusRequestTimeout, http.StatusRequestEntityTooLarge:
		w.Header().Set("Connection", "close") // the rest of the body is not waited for
	}
	retryAfter(w.Header(), p.Status)
	var early *limited
	if errors.As(err, &early) {
		w.Header().Set("Retry-After", strconv.FormatInt(int64((early.wait+time.Second-1)/time.Second), 10))
	}
	writeJSON(w, p.Status, "application/problem+json", p)
}

// retryAfter says when to send again what may succeed then: not all at the same second.
func retryAfter(h http.Header, status int) {
	if status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
		h.Set("Retry-After", strconv.Itoa(1+rand.IntN(3)))
	}
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
