package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/punctualq/punctual/queue"
)

// Defaults and limits of this route. All others are the queue's.
const (
	defaultMessage = "Job executed successfully"
	defaultDelay   = 180      // seconds
	maxText        = 64 << 10 // bytes of a message as UTF-8, and of a payload as compact JSON
)

// fieldNames are the fields of a registration.
var fieldNames = []string{"message", "delay_seconds", "max_retry", "type", "payload", "queue"}

// registrar answers POST /api/dm-jobqueue/register.
type registrar struct {
	queue  Queue
	tokens *verifier
}

func (a *registrar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := entryOf(r.Context())
	caller, err := a.tokens.caller(r.Header)
	if err != nil {
		fail(w, r, err)
		return
	}
	e.subject = caller.subject
	job, err := a.enqueue(w, r)
	if err != nil {
		fail(w, r, err)
		return
	}
	location := pathJobs + e.jobID
	if job.Queue != "" && job.Queue != queue.DefaultQueue {
		location += "?queue=" + job.Queue
	}
	w.Header().Set("Location", location)
	writeJSON(w, http.StatusCreated, "application/json", registered{e.jobID, "registered"})
}

type registered struct {
	JobID  string `json:"job_id"`
	Status string `json:"status"`
}

// enqueue reads the request and hands its job to the queue. The job's id is in the request's entry whenever the queue told
// one, with an error too.
func (a *registrar) enqueue(w http.ResponseWriter, r *http.Request) (queue.NewJob, error) {
	body, err := readBody(w, r)
	if err != nil {
		return queue.NewJob{}, err
	}
	members, err := parseObject(body, fieldNames)
	if err != nil {
		return queue.NewJob{}, err
	}
	f := form{members: members}
	job := f.job()
	if err := job.Validate(); err != nil || len(f.bad) > 0 {
		return job, f.invalid(err)
	}
	// A client that goes away must not leave a job of unknown outcome behind: the enqueue is not cut off with it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), queueTimeout)
	defer cancel()
	done, err := a.queue.Enqueue(ctx, job)
	entryOf(r.Context()).jobID = done.ID
	if errors.Is(err, queue.ErrInvalid) {
		err = f.invalid(err)
	}
	return job, err
}

// form turns the members of the body into a job and notes each one that is wrong.
type form struct {
	members map[string]json.RawMessage
	bad     []fieldError
}

func (f *form) refuse(field, detail string) { f.bad = append(f.bad, fieldError{"/" + field, detail}) }

// job makes the job. Whatever the queue checks by itself is left to it: a value that is out of range is handed on out of
// range, to be refused in the queue's own words.
func (f *form) job() queue.NewJob {
	job := queue.NewJob{Queue: f.name("queue"), Type: f.name("type")}
	job.Delay = time.Duration(f.integer("delay_seconds", defaultDelay, int64(queue.MaxDelay/time.Second))) * time.Second
	switch n := f.integer("max_retry", queue.DefaultMaxRetry, queue.MaxRetryLimit); {
	case n == 0:
		job.MaxRetry = queue.NoRetry
	case n < 0:
		job.MaxRetry = queue.NoRetry - 1
	default:
		job.MaxRetry = int(n)
	}
	job.Payload = f.payload()
	if message, ok := f.members["message"]; ok && job.Type != "" && job.Type != queue.DefaultType {
		f.refuse("message", `belongs to jobs of type "message": put it into payload, or leave type out`)
	} else if job.Type == "" || job.Type == queue.DefaultType {
		job.Payload = f.message(message, job.Payload)
	}
	return job
}

// name returns a field that names something; "" if it is absent. An empty one becomes a blank, which the queue refuses: it
// would take "" for its default.
func (f *form) name(field string) string {
	raw, ok := f.members[field]
	if !ok {
		return ""
	}
	s, ok := f.text(field, raw)
	if ok && s == "" {
		return " "
	}
	return s
}

func (f *form) text(field string, raw json.RawMessage) (s string, ok bool) {
	if json.Unmarshal(raw, &s) != nil {
		f.refuse(field, "must be a string")
		return "", false
	}
	return s, true
}

// integer returns a field that is an integer, cut to -1 and limit + 1, so that no arithmetic on it can overflow. 1.0, 1e2 and
// "1" are no integers: what looks like a mistake is not guessed at.
func (f *form) integer(field string, absent, limit int64) int64 {
	raw, ok := f.members[field]
	if !ok {
		return absent
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // a number that is too big comes back as the biggest there is
		f.refuse(field, "must be an integer, without quotes, fraction or exponent")
		return absent
	}
	return min(max(n, -1), limit+1)
}

// payload returns the payload as it was given, nil if there is none.
func (f *form) payload() json.RawMessage {
	raw := f.members["payload"]
	if _, deep := tooDeep(raw, maxNesting); deep {
		f.refuse("payload", nestingDetail)
		return nil
	}
	if len(raw) > maxText {
		var compact bytes.Buffer
		if err := json.Compact(&compact, raw); err != nil || compact.Len() > maxText {
			f.refuse("payload", fmt.Sprintf("must be at most %d bytes of compact JSON", maxText))
			return nil
		}
	}
	return raw
}

// message makes the payload of a message job: the message as the client wrote it, a JSON string; beside a payload an object
// of both.
func (f *form) message(raw, payload json.RawMessage) json.RawMessage {
	if raw == nil {
		raw = json.RawMessage(strconv.Quote(defaultMessage))
	} else if s, ok := f.text("message", raw); ok && len(s) > maxText {
		f.refuse("message", fmt.Sprintf("must be at most %d bytes of UTF-8", maxText))
	}
	if payload == nil {
		return raw
	}
	return slices.Concat(json.RawMessage(`{"message":`), raw, json.RawMessage(`,"payload":`), payload, json.RawMessage(`}`))
}

// invalid puts together what the form and the queue refuse, one entry a field.
func (f *form) invalid(err error) error {
	eachInvalid(err, func(e *queue.InvalidError) {
		field := e.Field
		if _, ok := f.members["payload"]; field == "payload" && !ok {
			field = "message" // the payload was made of it
		}
		known := slices.Contains(fieldNames, field)
		if known && !slices.ContainsFunc(f.bad, func(b fieldError) bool { return b.Pointer == "/"+field }) {
			f.refuse(field, e.Reason)
		}
	})
	if len(f.bad) == 0 { // none of the fields of this route: not the client's mistake
		return fmt.Errorf("the queue refuses what no field sets: %s", err)
	}
	slices.SortFunc(f.bad, func(a, b fieldError) int { return cmp.Compare(a.Pointer, b.Pointer) })
	return &invalidJob{f.bad}
}

// eachInvalid visits every *queue.InvalidError in a tree of errors; errors.As would stop at the first.
func eachInvalid(err error, visit func(*queue.InvalidError)) {
	switch e := err.(type) {
	case *queue.InvalidError:
		visit(e)
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			eachInvalid(err, visit)
		}
	case interface{ Unwrap() error }:
		eachInvalid(e.Unwrap(), visit)
	}
}
