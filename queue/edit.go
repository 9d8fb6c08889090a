package queue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
)

var editScript = loadScript("edit")

// Changes of a job that waits; nil leaves as it is.
type Changes struct {
	Payload  json.RawMessage    // JSON null removes it
	MaxRetry *int               // 0 means none
	Metadata *map[string]string // replaces all
}

// errRaced: others change the same job faster than this process can.
var errRaced = errors.New("the job was changed each time it was to be edited: try again")

// Edit changes a scheduled job and returns it as it is then. A job that has begun as many attempts as the new max_retry allows
// runs once more. ErrNotFound; *StateError unless it is scheduled; ErrInvalid.
func (c *Client) Edit(ctx context.Context, queue, id string, change Changes) (Info, error) {
	if !isQueueName(queue) {
		return Info{}, errQueueName
	}
	tell := c.telling(Event{Op: OpEdit, Queue: queue, ID: id})
	info, err := c.edit(ctx, queue, id, change)
	tell(Event{}, err)
	return info, err
}

func (c *Client) edit(ctx context.Context, queue, id string, change Changes) (Info, error) {
	k := keysOf(queue)
	for range 10 {
		words, err := c.look(ctx, getCall(k, id, nil))
		switch {
		case err != nil:
			return Info{}, err
		case len(words) != 7:
			return Info{}, ErrNotFound
		case State(words[0]) != Scheduled:
			return Info{}, &StateError{State(words[0])}
		}
		was := words[1]
		record, err := change.of(queue, id, was)
		if err != nil {
			return Info{}, err
		}
		words, err = c.change(ctx, queue, editCall(k, id, was, record))
		if err == nil && words[0] == "changed" {
			continue
		}
		if err == nil {
			err = refused(words, 4)
		}
		if err != nil {
			return Info{}, err
		}
		info, err := infoOf(queue, id, Scheduled, record, words[1], words[3])
		info.failed(words[2])
		return info, err
	}
	return Info{}, errors.Join(ErrUnavailable, errRaced)
}

func editCall(k keys, id, was, record string) *call {
	return &call{script: editScript, args: []any{id, was, record},
		keys: []string{k.jobs(), k.scheduled(), k.dead(), k.done(), k.attempts(), k.errors(), k.meta()}}
}

// of makes the new record of an old one.
func (change Changes) of(queue, id, was string) (string, error) {
	job, err := decodeJob(queue, id, was)
	if err != nil {
		return "", &InvalidError{"id", "is that of a job whose record cannot be read"}
	}
	if change.MaxRetry != nil {
		job.MaxRetry = *change.MaxRetry
		if job.MaxRetry < 0 {
			return "", &InvalidError{"max_retry", "must be between 0 and 1000"}
		}
	}
	if change.Payload != nil {
		job.Payload = change.Payload
		if bytes.Equal(bytes.TrimSpace(change.Payload), []byte("null")) {
			job.Payload = nil
		}
	}
	if change.Metadata != nil {
		job.Metadata = *change.Metadata
	}
	again, err := job.asNew().normalized()
	if err != nil {
		return "", err
	}
	return again.encode(job.Created), nil
}

// asNew is the NewJob whose record is that of j.
func (j Job) asNew() NewJob {
	n := NewJob{ID: j.ID, Queue: j.Queue, Type: j.Type, Payload: j.Payload, MaxRetry: j.MaxRetry, Timeout: j.Timeout, Retention: j.Retention,
		Expires: j.Expires, Backoff: j.Backoff, Metadata: j.Metadata, Subject: j.Subject, TraceParent: j.TraceParent, Unique: j.Unique}
	if j.MaxRetry == 0 {
		n.MaxRetry = NoRetry
	}
	return n
}
