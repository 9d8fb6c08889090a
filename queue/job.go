package queue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Defaults and limits of a job.
const (
	DefaultQueue    = "default"
	DefaultType     = "message"
	DefaultMaxRetry = 10
	// NoRetry as NewJob.MaxRetry: one run, and a failure is final.
	NoRetry = -1

	MaxRetryLimit = 1000
	MaxMetadata   = 16 // entries, each a key of at most 64 bytes and a value of at most 256
	MaxDelay      = 10 * 365 * 24 * time.Hour
	// MaxPayload is in bytes of compact JSON. The HTTP route takes 64 KiB of message and 64 KiB of payload in one body of
	// 128 KiB: what it takes must fit here, however its JSON is escaped.
	MaxPayload = 128 << 10
)

// named says whether a name has 1 to most characters, each a small letter, a digit or one of others.
func named(name, others string, most int) bool {
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return 0 < len(name) && len(name) <= most
}

func isQueueName(name string) bool { return named(name, "_-", 64) }
func isJobType(name string) bool   { return named(name, "._-", 64) }

func isJobID(id string) bool {
	for i := range len(id) {
		if id[i] < '!' || id[i] > '~' {
			return false
		}
	}
	return 0 < len(id) && len(id) <= 128
}

// NewJob is what Enqueue takes. Zero values mean the defaults: now, DefaultMaxRetry, the worker's own timeout.
type NewJob struct {
	ID       string          // default: a new UUIDv7. At most 128 printable ASCII characters
	Queue    string          // default DefaultQueue; [a-z0-9_-]{1,64}
	Type     string          // default DefaultType; [a-z0-9._-]{1,64}; says which handler runs it
	Payload  json.RawMessage // any JSON of at most MaxPayload bytes, or none
	Delay    time.Duration   // until it is due, by the clock of Redis; 0 is now; at most MaxDelay
	MaxRetry int             // retries after the first run; 0 means DefaultMaxRetry, NoRetry none; at most MaxRetryLimit
	Timeout  time.Duration   // of one run; 0 means the worker's

	At          time.Time         // when it is due, in place of Delay; in the past is now
	Retention   time.Duration     // how long it is kept after it is done; 0: a finished job is gone
	Expires     time.Duration     // not started so long after its due time: dead, with the reason "expired"; 0: never
	Backoff     *Backoff          // delay before retries; nil means the worker's
	Metadata    map[string]string // for people and filters; at most MaxMetadata entries
	Subject     string            // who registered it; "" for nobody. At most 256 bytes
	TraceParent string            // W3C traceparent of the request that registered it
	Unique      *Unique           // refuses a job while another holds the same key
	Idempotency *Idempotency      // makes a repeated request find the job of the first
}

// Backoff of one job's retries.
type Backoff struct {
	Kind   string          // "exponential", "fixed" or "list"
	Base   time.Duration   // exponential: at most before the first retry, doubled for each further one; fixed: before each
	Cap    time.Duration   // exponential: at most before any retry
	Delays []time.Duration // list: before retry 1, 2, …; the last repeats. At most 100
}

// Unique is the right to a key, which one job of a queue holds at a time.
type Unique struct {
	Key   string        // 1 to 128 printable ASCII characters without spaces, quotes and backslashes
	Until string        // "start": until it is first claimed; "done": until it is done, dead or cancelled; "": for For
	For   time.Duration // with Until "": so long after it was enqueued, whatever becomes of the job
}

// Idempotency is the key under which a request may be repeated for 24 h.
type Idempotency struct {
	Scope   string // whose keys these are: subject and route, say
	Key     string // the client's key
	Request string // tells whether it is the same request: a hash of it, say
}

// Job is a job as it is kept.
type Job struct {
	ID       string
	Queue    string
	Type     string
	Payload  json.RawMessage // nil if none
	MaxRetry int             // 0 means none: a job runs at most MaxRetry + 1 times
	Timeout  time.Duration   // 0 means the worker's
	Created  time.Time       // by the clock of whoever enqueued it

	Retention   time.Duration
	Expires     time.Duration
	Backoff     *Backoff
	Metadata    map[string]string
	Subject     string
	TraceParent string
	Unique      *Unique
}

// Failure is what a failed attempt leaves behind.
type Failure struct {
	Error   string `json:"error"`             // at most 4 KiB
	At      int64  `json:"at,omitempty"`      // Unix ms by the clock of Redis; set by the script
	Attempt int    `json:"attempt,omitempty"` // 1 is the first run
	Worker  string `json:"worker,omitempty"`
	TookMS  int64  `json:"took_ms"`
}

// MaxFailureText is how many bytes of an error's text are kept.
const MaxFailureText = 4 << 10

// record is the JSON of a job in Redis. It repeats neither id nor queue nor defaults. The payload comes last: reap reads
// the scalars before it without decoding it.
type record struct {
	Type      string          `json:"type"`
	MaxRetry  *int            `json:"max_retry,omitempty"`
	TimeoutMS int64           `json:"timeout_ms,omitempty"`
	Created   int64           `json:"created,omitempty"` // Unix ms; only where the id is not a UUIDv7, which tells it
	Payload   json.RawMessage `json:"payload,omitempty"`
}

// Validate says whether Enqueue would take the job: nil, or every field that it refuses, each an *InvalidError.
func (j NewJob) Validate() error {
	_, err := j.normalized()
	return err
}

// normalized fills in the defaults and reports every field that cannot be taken.
func (j NewJob) normalized() (NewJob, error) {
	if j.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return j, fmt.Errorf("make a job id: %w", err)
		}
		j.ID = id.String()
	}
	if j.Queue == "" {
		j.Queue = DefaultQueue
	}
	if j.Type == "" {
		j.Type = DefaultType
	}
	var errs []error
	refuse := func(bad bool, field, reason string) {
		if bad {
			errs = append(errs, &InvalidError{field, reason})
		}
	}
	refuse(!isJobID(j.ID), "id", "must be 1 to 128 printable ASCII characters without spaces")
	refuse(!isQueueName(j.Queue), "queue", "must match [a-z0-9_-]{1,64}")
	refuse(!isJobType(j.Type), "type", "must match [a-z0-9._-]{1,64}")
	refuse(j.Delay < 0 || j.Delay > MaxDelay, "delay_seconds", "must be between 0 and 10 years (315360000)")
	refuse(j.MaxRetry < NoRetry || j.MaxRetry > MaxRetryLimit, "max_retry", "must be between 0 and 1000")
	refuse(j.Timeout < 0 || j.Timeout > MaxDelay, "timeout_ms", "must not be negative or over 10 years")
	if j.Payload != nil {
		var compact bytes.Buffer
		if err := json.Compact(&compact, j.Payload); err != nil {
			refuse(true, "payload", "must be JSON: "+err.Error())
		} else {
			j.Payload = compact.Bytes()
			refuse(len(j.Payload) > MaxPayload, "payload", fmt.Sprintf("must be at most %d bytes of JSON", MaxPayload))
		}
	}
	return j, errors.Join(errs...)
}

// encode makes the record of a normalized job. People read records with redis-cli, so nothing in it is escaped without need.
func (j NewJob) encode(now time.Time) string {
	b := make([]byte, 0, 96+len(j.Payload))
	b = append(append(append(b, `{"type":"`...), j.Type...), '"')
	switch j.MaxRetry {
	case 0, DefaultMaxRetry: // the default is not repeated
	default:
		b = strconv.AppendInt(append(b, `,"max_retry":`...), int64(max(0, j.MaxRetry)), 10)
	}
	if j.Timeout > 0 {
		b = strconv.AppendInt(append(b, `,"timeout_ms":`...), max(1, j.Timeout.Milliseconds()), 10)
	}
	if id, err := uuid.Parse(j.ID); err != nil || id.Version() != 7 {
		b = strconv.AppendInt(append(b, `,"created":`...), now.UnixMilli(), 10)
	}
	if j.Payload != nil {
		b = append(append(b, `,"payload":`...), j.Payload...)
	}
	return string(append(b, '}'))
}

// decodeJob reads a record. A record that cannot be read is an error; the job then has only its id and queue.
func decodeJob(queue, id, text string) (Job, error) {
	j := Job{ID: id, Queue: queue, MaxRetry: DefaultMaxRetry}
	r, ok := readRecord(text)
	if !ok { // another hand has written it, or a later version
		var other record // of its own, or r would be allocated each time
		if err := json.Unmarshal([]byte(text), &other); err != nil {
			return j, fmt.Errorf("record of job %s is not JSON: %w", id, err)
		}
		r = other
	}
	j.Type, j.Payload, j.Timeout = r.Type, r.Payload, time.Duration(r.TimeoutMS)*time.Millisecond
	if r.MaxRetry != nil {
		j.MaxRetry = *r.MaxRetry
	}
	if u, err := uuid.Parse(id); err == nil && u.Version() == 7 {
		sec, nsec := u.Time().UnixTime()
		j.Created = time.Unix(sec, nsec)
	} else if r.Created > 0 {
		j.Created = time.UnixMilli(r.Created)
	}
	return j, nil
}

// readRecord reads a record that looks just as encode writes it, in a sixth of the time that any other JSON takes. What it
// takes it takes as json.Unmarshal would.
func readRecord(text string) (r record, ok bool) {
	rest, ok := strings.CutPrefix(text, `{"type":"`)
	if !ok {
		return r, false
	}
	if r.Type, rest, ok = strings.Cut(rest, `"`); !ok || !isJobType(r.Type) {
		return r, false
	}
	if n, after, found := number(rest, `,"max_retry":`); found {
		retries := int(n)
		r.MaxRetry, rest = &retries, after
	}
	if n, after, found := number(rest, `,"timeout_ms":`); found {
		r.TimeoutMS, rest = n, after
	}
	if n, after, found := number(rest, `,"created":`); found {
		r.Created, rest = n, after
	}
	if payload, found := strings.CutPrefix(rest, `,"payload":`); found && len(payload) > 1 {
		r.Payload = json.RawMessage(payload[:len(payload)-1])
		return r, payload[len(payload)-1] == '}' && payload[0] > ' ' && payload[len(payload)-2] > ' ' && json.Valid(r.Payload)
	}
	return r, rest == "}"
}

// number cuts a name and a natural number of at most 18 digits off the front of text.
func number(text, name string) (n int64, rest string, found bool) {
	digits, found := strings.CutPrefix(text, name)
	end := 0
	for end < len(digits) && '0' <= digits[end] && digits[end] <= '9' {
		end++
	}
	if !found || end == 0 || end > 18 || end > 1 && digits[0] == '0' {
		return 0, text, false
	}
	n, err := strconv.ParseInt(digits[:end], 10, 64)
	return n, digits[end:], err == nil
}
