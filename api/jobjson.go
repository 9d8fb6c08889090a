package api

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/punctualq/punctual/queue"
)

// moment is a time by RFC 3339 in UTC, to the millisecond; null if it is zero.
type moment time.Time

func (m moment) IsZero() bool { return time.Time(m).IsZero() }

func (m moment) MarshalJSON() ([]byte, error) {
	if m.IsZero() {
		return []byte("null"), nil
	}
	return []byte(time.Time(m).UTC().Format(`"2006-01-02T15:04:05.000Z"`)), nil
}

// seconds is a duration as a number of seconds.
type seconds time.Duration

func (s seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, time.Duration(s).Seconds(), 'f', -1, 64), nil
}

// jobJSON is a job as clients see it.
type jobJSON struct {
	JobID      string            `json:"job_id"`
	Queue      string            `json:"queue"`
	Type       string            `json:"type"`
	State      queue.State       `json:"state"`
	Payload    json.RawMessage   `json:"payload"` // null if there is none
	Due        moment            `json:"due_at,omitzero"`
	Attempt    int               `json:"attempt"`
	MaxRetry   int               `json:"max_retry"`
	Worker     string            `json:"worker,omitempty"`
	Cancelling bool              `json:"cancelling,omitempty"`
	Timeout    seconds           `json:"timeout_seconds,omitempty"`
	Retention  seconds           `json:"retention_seconds,omitempty"`
	Expires    seconds           `json:"expires_in_seconds,omitempty"`
	Backoff    *backoffJSON      `json:"backoff,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	Unique     *uniqueJSON       `json:"unique,omitempty"`
	Subject    string            `json:"subject,omitempty"`
	Created    moment            `json:"created_at,omitzero"`
	Finished   moment            `json:"finished_at,omitzero"`
	Errors     []failureJSON     `json:"errors"`
}

type backoffJSON struct {
	Kind    string  `json:"kind"`
	Base    seconds `json:"base_seconds,omitempty"`
	Cap     seconds `json:"cap_seconds,omitempty"`
	Seconds any     `json:"seconds,omitempty"` // a number, or a list of them
}

type uniqueJSON struct {
	Key   string `json:"key"`
	Until any    `json:"until"` // a word, or a number of seconds
}

type failureJSON struct {
	Error   string `json:"error"`
	At      moment `json:"at,omitzero"`
	Attempt int    `json:"attempt"`
	Worker  string `json:"worker,omitempty"`
	TookMS  int64  `json:"took_ms"`
}

func jobOf(i queue.Info) jobJSON {
	j := jobJSON{JobID: i.ID, Queue: i.Queue, Type: i.Type, State: i.State, Payload: i.Payload, Attempt: i.Attempts, MaxRetry: i.MaxRetry,
		Worker: i.Worker, Cancelling: i.Cancelled, Timeout: seconds(i.Timeout), Retention: seconds(i.Retention), Expires: seconds(i.Expires),
		Backoff: backoffOf(i.Backoff), Metadata: i.Metadata, Subject: i.Subject, Created: moment(i.Created), Finished: moment(i.Finished),
		Errors: make([]failureJSON, len(i.Failures))}
	if i.State == queue.Scheduled {
		j.Due = moment(i.Due) // of the others it says something else
	}
	if u := i.Unique; u != nil {
		j.Unique = &uniqueJSON{u.Key, u.Until}
		if u.Until == "" {
			j.Unique.Until = seconds(u.For)
		}
	}
	for n, f := range i.Failures {
		j.Errors[n] = failureJSON{Error: f.Error, Attempt: f.Attempt, Worker: f.Worker, TookMS: f.TookMS}
		if f.At > 0 {
			j.Errors[n].At = moment(time.UnixMilli(f.At))
		}
	}
	return j
}

func backoffOf(b *queue.Backoff) *backoffJSON {
	if b == nil {
		return nil
	}
	switch b.Kind {
	case "fixed":
		return &backoffJSON{Kind: b.Kind, Seconds: seconds(b.Base)}
	case "list":
		all := make([]seconds, len(b.Delays))
		for i, d := range b.Delays {
			all[i] = seconds(d)
		}
		return &backoffJSON{Kind: b.Kind, Seconds: all}
	}
	return &backoffJSON{Kind: b.Kind, Base: seconds(b.Base), Cap: seconds(b.Cap)}
}
