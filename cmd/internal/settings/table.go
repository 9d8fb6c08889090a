package settings

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/punctualq/punctual/worker"
)

// setting is one row: what a person is told of it, and how its text is read.
type setting struct {
	Name      string
	Default   string // the value that is used if none is given; empty: none
	Elsewhere string // the same outside develop, where it differs
	Shown     string // told in the place of the default, where that is not enough
	Meaning   string

	emptyCounts bool // an empty value is a value
	parse       func(*Settings, string) error
}

// table lists every setting. APP_ENV comes first, since defaults depend on it.
var table = []setting{
	{Name: "APP_ENV", Default: "develop", Meaning: "develop, staging or production",
		parse: func(s *Settings, v string) error { return oneOf(&s.Env, v, Develop, Staging, Production) }},
	{Name: "REDIS_URL", Default: "redis://127.0.0.1:6379/0", Meaning: "the Redis that holds the jobs; rediss:// for TLS, redis+sentinel:// and redis+cluster:// for Sentinel and Cluster",
		parse: parseRedisURL},
	{Name: "HTTP_ADDR", Default: "127.0.0.1:8080", Elsewhere: ":8080", Meaning: "where the API listens",
		parse: func(s *Settings, v string) error { return address(&s.HTTPAddr, v) }},
	{Name: "WORKER_HTTP_ADDR", Default: "127.0.0.1:8081", emptyCounts: true,
		Meaning: "where a worker listens for probes (/livez, /readyz); set but empty turns it off",
		parse:   func(s *Settings, v string) error { return address(&s.WorkerHTTPAddr, v) }},
	{Name: "METRICS_ADDR", Meaning: "where a process answers /metrics alone; none: on HTTP_ADDR and WORKER_HTTP_ADDR",
		parse: func(s *Settings, v string) error { return address(&s.MetricsAddr, v) }},
	{Name: "JWT_SECRET", Shown: "built in for develop", Meaning: "key of the tokens (HS256), at least 32 bytes; the API needs one outside develop, " +
		"and wherever HTTP_ADDR is not loopback, unless it has other keys", parse: parseSecret},
	{Name: "JWT_SECRETS", Meaning: "several keys (HS256) by kid, as kid:secret,kid2:secret2; the first signs, all are taken, so that one can follow another",
		parse: parseSecrets},
	{Name: "JWT_JWKS_URL", Meaning: "where the public keys of the tokens are (RS256, ES256, EdDSA), https, or http on loopback; needs JWT_ISSUER and JWT_AUDIENCE",
		parse: parseJWKSURL},
	{Name: "JWT_JWKS_FILE", Meaning: "the same keys in a file, by its absolute path",
		parse: func(s *Settings, v string) error { return file(&s.JWKSFile, v) }},
	{Name: "JWT_ISSUER", Meaning: "if set, tokens must name it as iss",
		parse: func(s *Settings, v string) error { s.JWTIssuer = v; return nil }},
	{Name: "JWT_AUDIENCE", Meaning: "if set, tokens must name it as aud",
		parse: func(s *Settings, v string) error { s.JWTAudience = v; return nil }},
	{Name: "QUEUES", Default: "default", Meaning: "queues a worker serves, as critical:20,default: jobs at a time per queue, else WORKER_CONCURRENCY",
		parse: parseQueues},
	{Name: "WORKER_CONCURRENCY", Default: "10", Meaning: "jobs at a time of each queue that QUEUES gives no number",
		parse: func(s *Settings, v string) error { return number(&s.WorkerConcurrency, v, 1, maxSlots) }},
	{Name: "JOB_TIMEOUT", Default: "30m", Meaning: "how long one run of a job may take, unless the job says otherwise",
		parse: func(s *Settings, v string) error { return duration(&s.JobTimeout, v, time.Millisecond) }},
	{Name: "DEAD_MAX", Default: "100000", Meaning: "how many dead jobs are kept per queue",
		parse: func(s *Settings, v string) error { return number(&s.DeadMax, v, 1, 1_000_000_000) }},
	{Name: "DONE_MAX", Default: "100000", Meaning: "how many done jobs are kept per queue, of those that have a retention",
		parse: func(s *Settings, v string) error { return number(&s.DoneMax, v, 1, 1_000_000_000) }},
	{Name: "DEAD_RETENTION", Default: "2160h", Meaning: "how long dead jobs are kept",
		parse: func(s *Settings, v string) error { return duration(&s.DeadRetention, v, time.Second) }},
	{Name: "RETRY_BASE", Default: "1s", Meaning: "longest wait before the first retry; it doubles with each",
		parse: func(s *Settings, v string) error { return duration(&s.RetryBase, v, time.Millisecond) }},
	{Name: "RETRY_CAP", Default: "1h", Meaning: "longest wait before any retry",
		parse: func(s *Settings, v string) error { return duration(&s.RetryCap, v, time.Millisecond) }},
	{Name: "HEARTBEAT_INTERVAL", Default: "2s", Meaning: "how often a worker says that it lives; the same for all programs on one Redis",
		parse: func(s *Settings, v string) error { return duration(&s.HeartbeatInterval, v, 10*time.Millisecond) }},
	{Name: "HEARTBEAT_TTL", Default: "10s", Meaning: "how long that counts: at least five intervals; the same for all programs on one Redis",
		parse: func(s *Settings, v string) error { return duration(&s.HeartbeatTTL, v, 50*time.Millisecond) }},
	{Name: "RATE_LIMIT", Meaning: "requests of each token's sub, as 20/s, 600/m, or 20/s:40 for bursts of 40",
		parse: parseRate},
	{Name: "QUEUE_MAX", Default: "0", Meaning: "how many jobs may wait in a queue before the API refuses more; 0: no limit",
		parse: func(s *Settings, v string) error { return number(&s.QueueMax, v, 0, 1_000_000_000) }},
	{Name: "MAX_DELAY", Default: "87600h", Meaning: "how far from now a job may be due that comes over HTTP",
		parse: parseMaxDelay},
	{Name: "UI", Default: "on", Meaning: "the dashboard of the API process, /ui: on, or off to leave it out",
		parse: func(s *Settings, v string) error { return oneOf(&s.UI, v, "on", "off") }},
	{Name: "UI_READ_ONLY", Default: "false", Meaning: "true: the dashboard only shows, and changes nothing whatever a token allows",
		parse: func(s *Settings, v string) error { return yesNo(&s.UIReadOnly, v) }},
	{Name: "SHUTDOWN_DRAIN", Default: "0s", Elsewhere: "5s", Meaning: "how long the API says that it is not ready before it closes, so that a load balancer can see it",
		parse: func(s *Settings, v string) error { return duration(&s.ShutdownDrain, v, 0) }},
	{Name: "SHUTDOWN_GRACE", Default: "25s", Meaning: "how long running jobs and requests may finish at a shutdown",
		parse: func(s *Settings, v string) error { return duration(&s.ShutdownGrace, v, time.Millisecond) }},
	{Name: "LEASE_DOUBT", Default: "continue", Meaning: "running jobs when Redis is away for long: continue, or cancel if runs must not overlap",
		parse: func(s *Settings, v string) error {
			return oneOf(&s.LeaseDoubt, v, worker.DoubtContinue, worker.DoubtCancel)
		}},
	{Name: "ENQUEUE_WAIT", Default: "0", Meaning: "what must confirm a job before the API says 201: 0 nobody but the primary, a number of replicas, or aof, its disk",
		parse: parseEnqueueWait},
	{Name: "LOG_LEVEL", Default: "info", Meaning: "debug, info, warn or error",
		parse: func(s *Settings, v string) error { return oneOf(&s.LogLevel, v, "debug", "info", "warn", "error") }},
	{Name: "LOG_FORMAT", Default: "console", Elsewhere: "json", Meaning: "console or json; logs go to stderr",
		parse: func(s *Settings, v string) error { return oneOf(&s.LogFormat, v, "console", "json") }},
	{Name: "OTEL_TRACES_EXPORTER", Shown: "none, or otlp where the endpoint is set", Meaning: "otlp sends a span of each job to a collector (OpenTelemetry)",
		parse: func(s *Settings, v string) error { return oneOf(&s.TracesExporter, v, "none", "otlp") }},
	{Name: "OTEL_EXPORTER_OTLP_ENDPOINT", Meaning: "the collector's URL (OTLP over HTTP); the other OTEL_ variables of tracing count as well",
		parse: parseCollector},
	{Name: "PUNCTUAL_HISTORY", Meaning: "for tests: append all that this process does as JSON lines to this file, one of its own",
		parse: func(s *Settings, v string) error { return file(&s.History, v) }},
}

// defaultIn is the value in use where none is given.
func (t setting) defaultIn(env Env) string {
	if t.Elsewhere != "" && (env == Staging || env == Production) {
		return t.Elsewhere
	}
	return t.Default
}

// told is the default as help names it.
func (t setting) told() string {
	switch {
	case t.Shown != "":
		return t.Shown
	case t.Elsewhere != "":
		return t.Default + " in develop, " + t.Elsewhere + " elsewhere"
	case t.Default == "":
		return "none"
	}
	return t.Default
}

// Help prints name, default and meaning of every setting.
func Help(w io.Writer) {
	fmt.Fprintln(w, "Settings (environment variables; an empty one counts as not set):")
	fmt.Fprintln(w)
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(columns, "  NAME\tDEFAULT\tMEANING")
	for _, t := range table {
		fmt.Fprintf(columns, "  %s\t%s\t%s\n", t.Name, t.told(), t.Meaning)
	}
	columns.Flush()
}

// Names are the names of all settings, in the order of the help.
func Names() []string {
	names := make([]string, len(table))
	for i, t := range table {
		names[i] = t.Name
	}
	return names
}
