package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/punctualq/punctual/queue"
)

// Defaults and limits of a registration. All others are the queue's.
const (
	defaultMessage = "Job executed successfully"
	defaultDelay   = 180      // seconds
	maxText        = 64 << 10 // bytes of a message as UTF-8, and of a payload as compact JSON
)

// fieldNames are the fields of a registration.
var fieldNames = []string{"message", "delay_seconds", "max_retry", "type", "payload", "queue",
	"run_at", "job_id", "timeout_seconds", "retention_seconds", "expires_in_seconds", "backoff", "metadata", "unique"}

// job makes the job.
func (f *form) job() queue.NewJob {
	job := queue.NewJob{ID: f.jobID(), Queue: f.name("queue"), Type: f.name("type"), MaxRetry: f.maxRetry(),
		Timeout: f.whole("timeout_seconds", 0), Retention: f.whole("retention_seconds", 0), Expires: f.whole("expires_in_seconds", 0),
		Backoff: f.backoff(), Metadata: f.texts("metadata"), Unique: f.unique()}
	job.Delay, job.At = f.due(defaultDelay)
	job.Payload = f.payload()
	if message, ok := f.members["message"]; ok && job.Type != "" && job.Type != queue.DefaultType {
		f.refuse("message", `belongs to jobs of type "message": put it into payload, or leave type out`)
	} else if job.Type == "" || job.Type == queue.DefaultType {
		job.Payload = f.message(message, job.Payload)
	}
	return job
}

// jobID returns the id of the client's choice. No path can name a job that is called like a folder.
func (f *form) jobID() string {
	id := f.name("job_id")
	if id == "." || id == ".." {
		f.refuse("job_id", "must not be . or ..")
	}
	return id
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

// due returns when a job is to be due: after a delay or at a time, of which only one may be given.
func (f *form) due(absent int64) (time.Duration, time.Time) {
	if f.has("run_at") {
		if f.has("delay_seconds") {
			f.refuse("run_at", "must not stand beside delay_seconds: send one of the two")
		}
		at := f.moment("run_at")
		f.refuseLate("run_at", time.Until(at)) // by the clock of this process, which is good enough for a limit
		return 0, at
	}
	delay := f.whole("delay_seconds", absent)
	f.refuseLate("delay_seconds", delay)
	return delay, time.Time{}
}

// refuseLate refuses what MAX_DELAY does not allow.
func (f *form) refuseLate(field string, delay time.Duration) {
	if f.maxDelay > 0 && delay > f.maxDelay {
		f.refuse(field, fmt.Sprintf("must be at most %d seconds from now", f.maxDelay/time.Second))
	}
}

// backoff returns the delays before retries; nil if the worker's are to be taken.
func (f *form) backoff() *queue.Backoff {
	members, ok := f.object("backoff", "kind", "base_seconds", "cap_seconds", "seconds")
	if !ok {
		return nil
	}
	var b queue.Backoff
	_ = json.Unmarshal(members["kind"], &b.Kind) // what is no string is no kind either
	var takes []string
	switch b.Kind {
	case "exponential":
		takes = []string{"kind", "base_seconds", "cap_seconds"}
		b.Base = f.delay(members, "base_seconds")
		if _, ok := members["cap_seconds"]; ok {
			b.Cap = f.delay(members, "cap_seconds")
		}
	case "fixed":
		takes = []string{"kind", "seconds"}
		b.Base = f.delay(members, "seconds")
	case "list":
		takes = []string{"kind", "seconds"}
		b.Delays = f.delays(members["seconds"])
	default:
		f.refuse("backoff/kind", "must be exponential, fixed or list")
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(takes, name) {
			f.refuse("backoff/"+name, "belongs to another kind than "+b.Kind)
		}
	}
	return &b
}

func (f *form) delay(members map[string]json.RawMessage, name string) time.Duration {
	raw, ok := members[name]
	if !ok {
		f.refuse("backoff/"+name, "must be there: a number of seconds")
		return time.Second
	}
	d := f.seconds("backoff/"+name, raw)
	if d == 0 && name != "seconds" { // the queue would take 0 for its default
		f.refuse("backoff/"+name, "must be more than 0")
	}
	return d
}

func (f *form) delays(raw json.RawMessage) []time.Duration {
	var given []json.RawMessage
	if raw == nil || json.Unmarshal(raw, &given) != nil || len(given) == 0 || len(given) > 100 {
		f.refuse("backoff/seconds", "must be an array of 1 to 100 numbers of seconds")
		return nil
	}
	all := make([]time.Duration, len(given))
	for i, one := range given {
		all[i] = f.seconds("backoff/seconds/"+strconv.Itoa(i), one)
	}
	return all
}

// unique returns the right to a key; nil if none is wanted.
func (f *form) unique() *queue.Unique {
	members, ok := f.object("unique", "key", "until")
	if !ok {
		return nil
	}
	var u queue.Unique
	if raw, ok := members["key"]; !ok {
		f.refuse("unique/key", "must be there: a string")
	} else {
		u.Key, _ = f.text("unique/key", raw)
	}
	until, given := members["until"]
	switch {
	case !given || until[0] == '"' && (json.Unmarshal(until, &u.Until) != nil || u.Until != "start" && u.Until != "done"):
		f.refuse("unique/until", "must be start, done, or a number of seconds")
	case until[0] != '"':
		if n := f.number("unique/until", until, 1, int64(queue.MaxDelay/time.Second)); n > 0 {
			u.For = time.Duration(n) * time.Second
		} else {
			f.refuse("unique/until", "must be more than 0")
		}
	}
	return &u
}
