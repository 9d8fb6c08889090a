package queue_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

// modelRequest is what an idempotency key holds.
type modelRequest struct{ id, request string }

func (r modelRequest) String() string {
	return fmt.Sprintf(`{"id":%q,"request":%q}`, r.id, r.request)
}

// withKeys gives a job a unique key, an idempotency key, or neither.
func (m *model) withKeys(job *queue.NewJob) {
	if n := m.number("unique", 0, 8); n < 3 {
		job.Unique = []*queue.Unique{{Key: fmt.Sprint("u", n), Until: queue.UntilStart}, {Key: fmt.Sprint("u", n), Until: queue.UntilDone},
			{Key: fmt.Sprint("f", m.number("fixed", 0, 9)), For: time.Hour}}[m.number("until", 0, 2)]
	}
	if n := m.number("idempotency", 0, 20); n < 5 {
		job.Idempotency = &queue.Idempotency{Scope: "model", Key: fmt.Sprint("k", n), Request: fmt.Sprint("r", m.number("request", 0, 3)/3)}
	}
}

func requestKey(i *queue.Idempotency) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(i.Scope+"\x00"+i.Key)))
}

func fixedKey(u *queue.Unique) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(u.Key))) }

// refusal is why a job is not written, and the id that its answer tells in place of its own; nil and "" for none.
func (m *model) refusal(job queue.NewJob) (because error, id string) {
	if i := job.Idempotency; i != nil {
		if first, used := m.requests[requestKey(i)]; used && first.request == i.Request {
			return nil, first.id
		} else if used {
			return queue.ErrConflict, ""
		}
	}
	if m.jobs[job.ID] != nil {
		return queue.ErrExists, ""
	}
	if u := job.Unique; u != nil {
		if holder := m.holders[u.Key] + m.fixed[fixedKey(u)]; holder != "" {
			return &queue.UniqueError{Holder: holder}, ""
		}
	}
	return nil, ""
}

// answered checks the answer to a job that was not written.
func (m *model) answered(job queue.NewJob, done queue.Enqueued, because error, first string) {
	var unique, want *queue.UniqueError
	switch {
	case first != "":
		m.repeated++
		if !done.Replayed || done.ID != first || done.Err != nil {
			m.Errorf("%s repeats the request of %s, and the answer is %+v", job.ID, first, done)
		}
	case errors.As(because, &want):
		if !errors.As(done.Err, &unique) || unique.Holder != want.Holder {
			m.Errorf("%s holds the key of %s, and the answer is %+v", want.Holder, job.ID, done)
		}
	case !errors.Is(done.Err, because) || done.Replayed:
		m.Errorf("%s: %v, and the answer is %+v", job.ID, because, done)
	}
}

// takeKeys stores the keys of a job that was written.
func (m *model) takeKeys(job queue.NewJob) {
	if i := job.Idempotency; i != nil {
		m.requests[requestKey(i)] = modelRequest{job.ID, i.Request}
	}
	switch u := job.Unique; {
	case u == nil:
	case u.Until == "":
		m.fixed[fixedKey(u)] = job.ID
	default:
		m.holders[u.Key] = job.ID
		m.jobs[job.ID].key, m.jobs[job.ID].until = u.Key, u.Until
	}
}

// keyOf is the unique key that a worker knows of a job on its list.
func (m *model) keyOf(element string) string {
	_, id, _ := strings.Cut(element, ":")
	if j := m.jobs[id]; j != nil {
		return j.key
	}
	return ""
}

// free takes back the unique key that the record of a job names, if it can be read.
func (m *model) free(id string) {
	j := m.jobs[id]
	if j.gone || j.record == "junk" || strings.Contains(j.record, `"unreadable"`) {
		return
	}
	m.freeKey(j.key, id)
}

func (m *model) freeKey(key, id string) {
	if key != "" && m.holders[key] == id {
		delete(m.holders, key)
		m.freed++
	}
}
