// Package settings is the one place that reads the environment. What a setting is called, means and defaults to stands in
// one table (table.go); the help of every program is printed from it, so it cannot say anything else.
package settings

import (
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
	"github.com/punctualq/punctual/worker"
)

// Env is where a program runs: some defaults depend on it, and only Develop has a built-in secret.
type Env string

// The values of APP_ENV.
const (
	Develop    Env = "develop"
	Staging    Env = "staging"
	Production Env = "production"
)

// Secret is a value that no log and no error may show: printed, it is a placeholder.
type Secret string

func (Secret) String() string               { return "(secret)" }
func (Secret) GoString() string             { return "(secret)" }
func (Secret) MarshalText() ([]byte, error) { return []byte("(secret)"), nil }

// NamedSecret is one of several secrets.
type NamedSecret struct {
	KID    string // as tokens name it
	Secret Secret
}

// Rate is how many requests may come.
type Rate struct {
	PerSecond float64
	Burst     int // at once
}

// Slots is how many jobs of one queue a worker runs at a time.
type Slots struct {
	Queue string
	Slots int
}

// Settings are all settings, read and checked.
type Settings struct {
	Env               Env
	RedisURL          Secret // it may hold a password: show RedisHost
	RedisHost         string // host:port of RedisURL, or several with commas between
	HTTPAddr          string
	WorkerHTTPAddr    string // empty: no probes
	JWTSecret         Secret // empty only for programs that can do without
	JWTSecrets        []NamedSecret
	JWKSURL           Secret // empty: no keys from there; it may hold a secret in its query
	JWKSFile          string // empty: no keys from there
	JWTIssuer         string // empty: tokens are not asked for one
	JWTAudience       string // empty: tokens are not asked for one
	Queues            []Slots
	WorkerConcurrency int
	JobTimeout        time.Duration
	DeadMax           int
	DoneMax           int
	DeadRetention     time.Duration
	RetryBase         time.Duration
	RetryCap          time.Duration
	HeartbeatInterval time.Duration
	HeartbeatTTL      time.Duration
	RateLimit         Rate // zero: none
	QueueMax          int  // 0: none
	MaxDelay          time.Duration
	UI                string // on or off
	UIReadOnly        bool
	ShutdownDrain     time.Duration
	ShutdownGrace     time.Duration
	LeaseDoubt        worker.LeaseDoubt
	EnqueueWait       int // as in queue.Options
	LogLevel          string
	LogFormat         string
	MetricsAddr       string // empty: /metrics is answered where everything else is
	TracesExporter    string // none, otlp or empty; see Traces
	History           string // path of a file; empty: no history

	collector bool // its URL is set: OpenTelemetry reads it by itself
	given     map[string]bool
}

// Traces tells whether spans are sent to a collector.
func (s Settings) Traces() bool {
	return s.TracesExporter == "otlp" || s.TracesExporter == "" && s.collector
}

// Given tells whether a setting was set rather than left to its default.
func (s Settings) Given(name string) bool { return s.given[name] }

// Signer is what signs new tokens: the first of JWT_SECRETS, or that of a kid, else JWT_SECRET, which has no kid. ok is false if there
// is none.
func (s Settings) Signer(kid string) (signer NamedSecret, ok bool) {
	for _, named := range s.JWTSecrets {
		if kid == "" || named.KID == kid {
			return named, true
		}
	}
	return NamedSecret{Secret: s.JWTSecret}, kid == "" && s.JWTSecret != ""
}

// Timing is the timing of heartbeats.
func (s Settings) Timing() queue.Timing {
	return queue.Timing{Interval: s.HeartbeatInterval, TTL: s.HeartbeatTTL}
}

// QueueSlots are the slots per queue, as package worker takes them.
func (s Settings) QueueSlots() map[string]int {
	slots := map[string]int{}
	for _, q := range s.Queues {
		slots[q.Queue] = q.Slots
	}
	return slots
}

// Lookup is where values come from: os.LookupEnv, or a test's own.
type Lookup func(name string) (value string, given bool)

// Error is everything that is wrong with the settings, one sentence each.
type Error []string

func (e Error) Error() string { return strings.Join(e, "\n") }

// Read reads and checks all settings. The error, if any, is an Error that names every setting that is wrong. An empty value
// is the same as none, but for WORKER_HTTP_ADDR, where it means off.
func Read(env Lookup, program Program) (Settings, error) {
	s := Settings{given: map[string]bool{}}
	wrong := Error{}
	bad := map[string]bool{}
	for _, t := range table {
		value, given := env(t.Name)
		if !given || value == "" && !t.emptyCounts {
			value, given = t.defaultIn(s.Env), false
		}
		s.given[t.Name] = given
		if value == "" {
			continue
		}
		if err := t.parse(&s, value); err != nil {
			wrong = append(wrong, t.Name+" "+err.Error()+".")
			bad[t.Name] = true
		}
	}
	for _, rule := range rules {
		if anyOf(bad, rule.about) {
			continue // what is wrong by itself cannot be compared
		}
		if text := rule.check(&s, program); text != "" {
			wrong = append(wrong, text)
		}
	}
	if len(wrong) > 0 {
		return Settings{}, wrong
	}
	return s, nil
}

func anyOf(set map[string]bool, names []string) bool {
	for _, n := range names {
		if set[n] {
			return true
		}
	}
	return false
}
