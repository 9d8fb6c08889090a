package queue

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// Defaults and limits of a job.
const (
	DefaultQueue    = "default"
	DefaultType     = "message"
	DefaultMaxRetry = 10
	// NoRetry as NewJob.MaxRetry: one run, and a failure is final.
	NoRetry = -1

	MaxRetryLimit = 1000
	MaxMetadata   = 16 // entries, each a key like that of Unique but of at most 64 bytes, and a value of at most 256
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

func isJobID(id string) bool { return printable(id, "", 128) }

// isKey: such a name needs no escape in JSON, which scripts rely on.
func isKey(key string, most int) bool { return printable(key, "\"\\", most) }

// printable says whether a text has 1 to most ASCII characters, none of them a space or one of but.
func printable(text, but string, most int) bool {
	for i := range len(text) {
		if text[i] < '!' || text[i] > '~' || strings.IndexByte(but, text[i]) >= 0 {
			return false
		}
	}
	return 0 < len(text) && len(text) <= most
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

// Unique is the right to a key, which one job of a queue holds at a time.
type Unique struct {
	Key   string        // 1 to 128 printable ASCII characters without spaces, quotes and backslashes
	Until string        // UntilStart: until it is first claimed; UntilDone: until it is done, dead or cancelled; "": for For
	For   time.Duration // with Until "": so long after it was enqueued, whatever becomes of the job
}

// Unique.Until: for how long a job holds its key. One that was redriven does not take it again.
const (
	UntilStart = "start"
	UntilDone  = "done"
)

// Idempotency is the key under which a request may be repeated for 24 h.
type Idempotency struct {
	Scope   string // whose keys these are: subject and route, say
	Key     string // the client's key: 1 to 512 bytes
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

// PrettyPayload is a payload for people: JSON with one member a line; as it is where it is none, or where that would be many times as
// long, since each line of what is nested deeply costs its depth.
func PrettyPayload(raw json.RawMessage) string {
	depth, long := 0, 0
	for _, c := range raw { // what stands in texts is counted as well: it only makes the estimate greater
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',', ':':
		default:
			continue
		}
		long += 2 * max(depth, 0)
	}
	var b bytes.Buffer
	if long > 16*len(raw)+1024 || json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}
