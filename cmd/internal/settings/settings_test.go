package settings

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
	"github.com/punctualq/punctual/worker"
)

const longEnough = "0123456789abcdef0123456789abcdef"

// env is an environment of these name=value pairs.
func env(pairs ...string) Lookup {
	return func(name string) (string, bool) {
		for _, p := range pairs {
			if value, ok := strings.CutPrefix(p, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
}

func mustRead(t *testing.T, program Program, pairs ...string) Settings {
	t.Helper()
	s, err := Read(env(pairs...), program)
	if err != nil {
		t.Fatalf("Read(%q): %v", pairs, err)
	}
	return s
}

// refused returns the sentences that Read answers.
func refused(t *testing.T, program Program, pairs ...string) Error {
	t.Helper()
	_, err := Read(env(pairs...), program)
	var wrong Error
	if !errors.As(err, &wrong) {
		t.Fatalf("Read(%q) = %v, want an Error", pairs, err)
	}
	return wrong
}

func TestDefaults(t *testing.T) {
	got := mustRead(t, API)
	got.given = nil
	want := Settings{
		Env: Develop, RedisURL: "redis://127.0.0.1:6379/0", RedisHost: "127.0.0.1:6379", HTTPAddr: "127.0.0.1:8080",
		WorkerHTTPAddr: "127.0.0.1:8081", JWTSecret: developSecret, Queues: []Slots{{"default", 10}}, WorkerConcurrency: 10,
		JobTimeout: 30 * time.Minute, DeadMax: 100000, DoneMax: 100000, DeadRetention: 2160 * time.Hour, RetryBase: time.Second,
		RetryCap: time.Hour, HeartbeatInterval: 2 * time.Second, HeartbeatTTL: 10 * time.Second,
		MaxDelay: 87600 * time.Hour, UI: "on", ShutdownGrace: 25 * time.Second, LeaseDoubt: worker.DoubtContinue, LogLevel: "info", LogFormat: "console",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("defaults are\n%#v, want\n%#v", got, want)
	}
	for _, elsewhere := range []string{"APP_ENV=staging", "APP_ENV=production"} {
		s := mustRead(t, API, elsewhere, "JWT_SECRET="+longEnough)
		if s.HTTPAddr != ":8080" || s.LogFormat != "json" || s.ShutdownDrain != 5*time.Second {
			t.Errorf("%s: HTTP_ADDR %s, LOG_FORMAT %s, SHUTDOWN_DRAIN %s; want :8080, json, 5s", elsewhere, s.HTTPAddr, s.LogFormat, s.ShutdownDrain)
		}
	}
}

// good lists accepted values of every setting and what they become.
var good = map[string][]struct {
	value string
	field func(Settings) any
	want  any
}{
	"APP_ENV": {{"production", func(s Settings) any { return s.Env }, Production}, {"staging", func(s Settings) any { return s.Env }, Staging}},
	"REDIS_URL": {
		{"rediss://user:p%2Fw@redis.example:6380/3", func(s Settings) any { return s.RedisHost }, "redis.example:6380"},
		{"redis://redis", func(s Settings) any { return s.RedisHost }, "redis:6379"},
		{"redis://[::1]:7000/", func(s Settings) any { return s.RedisHost }, "[::1]:7000"},
		{"redis+sentinel://:p@a,b:1/jobs/3?sentinel_password=x", func(s Settings) any { return s.RedisHost }, "a:26379,b:1"},
		{"rediss+cluster://u:p@a,[::1]:1", func(s Settings) any { return s.RedisHost }, "a:6379,[::1]:1"},
		{"redis://:secret@h:1/0", func(s Settings) any { return string(s.RedisURL) }, "redis://:secret@h:1/0"},
	},
	"HTTP_ADDR": {{":9090", func(s Settings) any { return s.HTTPAddr }, ":9090"}, {"[::1]:0", func(s Settings) any { return s.HTTPAddr }, "[::1]:0"}},
	"WORKER_HTTP_ADDR": {
		{"127.0.0.1:9091", func(s Settings) any { return s.WorkerHTTPAddr }, "127.0.0.1:9091"},
		{"", func(s Settings) any { return s.WorkerHTTPAddr }, ""},
	},
	"JWT_SECRET": {{longEnough, func(s Settings) any { return string(s.JWTSecret) }, longEnough}},
	"JWT_SECRETS": {
		{"a:" + longEnough, func(s Settings) any { return string(s.JWTSecrets[0].Secret) }, longEnough},
		{"2027-a:" + longEnough + ", b_.:x:" + longEnough, func(s Settings) any { return s.JWTSecrets }, []NamedSecret{{"2027-a", longEnough}, {"b_.", "x:" + longEnough}}},
	},
	"JWT_JWKS_URL": {
		{"https://issuer.example/keys?key=x", func(s Settings) any { return string(s.JWKSURL) }, "https://issuer.example/keys?key=x"},
		{"http://localhost:1/", func(s Settings) any { return string(s.JWKSURL) }, "http://localhost:1/"},
		{"http://[::1]/", func(s Settings) any { return string(s.JWKSURL) }, "http://[::1]/"},
	},
	"JWT_JWKS_FILE": {{"/x/jwks.json", func(s Settings) any { return s.JWKSFile }, "/x/jwks.json"}},
	"RATE_LIMIT": {
		{"20/s", func(s Settings) any { return s.RateLimit }, Rate{20, 20}},
		{"20/s:40", func(s Settings) any { return s.RateLimit }, Rate{20, 40}},
		{"30/m", func(s Settings) any { return s.RateLimit }, Rate{0.5, 30}},
		{"7200/h:1", func(s Settings) any { return s.RateLimit }, Rate{2, 1}},
	},
	"QUEUE_MAX":          {{"1000000", func(s Settings) any { return s.QueueMax }, 1_000_000}},
	"MAX_DELAY":          {{"3m", func(s Settings) any { return s.MaxDelay }, 3 * time.Minute}, {"87600h", func(s Settings) any { return s.MaxDelay }, queue.MaxDelay}},
	"SHUTDOWN_DRAIN":     {{"0", func(s Settings) any { return s.ShutdownDrain }, time.Duration(0)}, {"1s", func(s Settings) any { return s.ShutdownDrain }, time.Second}},
	"JWT_ISSUER":         {{"me", func(s Settings) any { return s.JWTIssuer }, "me"}},
	"JWT_AUDIENCE":       {{"you", func(s Settings) any { return s.JWTAudience }, "you"}},
	"WORKER_CONCURRENCY": {{"1", func(s Settings) any { return s.Queues }, []Slots{{"default", 1}}}},
	"QUEUES": {
		{"critical:20,default", func(s Settings) any { return s.Queues }, []Slots{{"critical", 20}, {"default", 10}}},
		{" a-b_1 , c:1 ", func(s Settings) any { return s.QueueSlots() }, map[string]int{"a-b_1": 10, "c": 1}},
	},
	"JOB_TIMEOUT":        {{"1h30m", func(s Settings) any { return s.JobTimeout }, 90 * time.Minute}},
	"DEAD_MAX":           {{"1", func(s Settings) any { return s.DeadMax }, 1}},
	"DONE_MAX":           {{"1", func(s Settings) any { return s.DoneMax }, 1}},
	"DEAD_RETENTION":     {{"24h", func(s Settings) any { return s.DeadRetention }, 24 * time.Hour}},
	"RETRY_BASE":         {{"10ms", func(s Settings) any { return s.RetryBase }, 10 * time.Millisecond}},
	"RETRY_CAP":          {{"1s", func(s Settings) any { return s.RetryCap }, time.Second}},
	"HEARTBEAT_INTERVAL": {{"100ms", func(s Settings) any { return s.Timing().Interval }, 100 * time.Millisecond}},
	"HEARTBEAT_TTL":      {{"1m", func(s Settings) any { return s.Timing().TTL }, time.Minute}},
	"SHUTDOWN_GRACE":     {{"1ms", func(s Settings) any { return s.ShutdownGrace }, time.Millisecond}},
	"LEASE_DOUBT":        {{"cancel", func(s Settings) any { return s.LeaseDoubt }, worker.DoubtCancel}},
	"UI":                 {{"on", func(s Settings) any { return s.UI }, "on"}, {"off", func(s Settings) any { return s.UI }, "off"}},
	"UI_READ_ONLY":       {{"true", func(s Settings) any { return s.UIReadOnly }, true}, {"false", func(s Settings) any { return s.UIReadOnly }, false}},
	"ENQUEUE_WAIT": {
		{"0", func(s Settings) any { return s.EnqueueWait }, 0},
		{"2", func(s Settings) any { return s.EnqueueWait }, 2},
		{"aof", func(s Settings) any { return s.EnqueueWait }, queue.WaitAOF},
	},
	"METRICS_ADDR": {{":9100", func(s Settings) any { return s.MetricsAddr }, ":9100"}},
	"OTEL_TRACES_EXPORTER": {
		{"otlp", func(s Settings) any { return s.Traces() }, true},
		{"none", func(s Settings) any { return s.Traces() }, false},
	},
	"OTEL_EXPORTER_OTLP_ENDPOINT": {{"http://collector:4318/base", func(s Settings) any { return s.Traces() }, true}},
	"LOG_LEVEL":                   {{"debug", func(s Settings) any { return s.LogLevel }, "debug"}},
	"LOG_FORMAT":                  {{"json", func(s Settings) any { return s.LogFormat }, "json"}},
	"PUNCTUAL_HISTORY":            {{"/x/y.jsonl", func(s Settings) any { return s.History }, "/x/y.jsonl"}},
}

func TestGoodValues(t *testing.T) {
	for _, row := range table {
		if len(good[row.Name]) == 0 {
			t.Errorf("no good value of %s is tested", row.Name)
		}
		for _, c := range good[row.Name] {
			s := mustRead(t, Worker, row.Name+"="+c.value)
			if got := c.field(s); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s=%s became %v, want %v", row.Name, c.value, got, c.want)
			}
			if !s.Given(row.Name) {
				t.Errorf("%s=%s: not known to be given", row.Name, c.value)
			}
		}
	}
	if mustRead(t, Worker).Given("WORKER_HTTP_ADDR") {
		t.Error("the default of WORKER_HTTP_ADDR counts as given")
	}
}

func TestBadValues(t *testing.T) {
	bad := map[string][]string{
		"APP_ENV": {"dev", "Production", " develop"},
		"REDIS_URL": {"127.0.0.1:6379", "http://127.0.0.1:6379", "redis://", "redis://h:port/0", "redis://h:70000", "redis://h/zero",
			"redis://h/0/1", "unix:///tmp/redis.sock", "redis://a,b/0", "redis+sentinel://a,b", "redis+cluster://a/1", "redis+other://a",
			"redis+sentinel://a,:1/jobs", "rediss://h?cert=/none", "redis://h?ca=/none", "rediss://h?ca=/none", "redis://h?sentinel_username=x"},
		"HTTP_ADDR":        {"8080", "localhost", ":http", ":65536", ":-1", "a:b:1", ":"},
		"WORKER_HTTP_ADDR": {"8081", ":x"},
		"JWT_SECRET":       {"short", longEnough[1:]},
		"JWT_SECRETS": {"x", longEnough, ":" + longEnough, "a:short", "a:" + longEnough + ",", "a:" + longEnough + ",a:" + longEnough, "a b:" + longEnough,
			"a:" + longEnough + " x", "a:" + longEnough + ",half", "a:" + developSecret, strings.Repeat("k", 65) + ":" + longEnough},
		"JWT_JWKS_URL":                {"issuer.example", "http://issuer.example/keys", "https://", "https://u:p@issuer.example/", "file:///x", "http://127.0.0.1.example/", ":"},
		"JWT_JWKS_FILE":               {"jwks.json", "./x"},
		"RATE_LIMIT":                  {"20", "0/s", "-1/s", "20/d", "20/", "/s", "1.5/s", "20/s:", "20/s:0", "20/s:x", "20/s:1:1", "1000001/s", "20 /s"},
		"QUEUE_MAX":                   {"-1", "x", "1e6"},
		"MAX_DELAY":                   {"0", "179s", "87601h", "10y", "x"},
		"SHUTDOWN_DRAIN":              {"-1s", "5", "x"},
		"QUEUES":                      {",", "a,,b", "a,a", "A", "a:0", "a:-1", "a:x", "a:", "a:10001", "a:1:2", strings.Repeat("q", 65)},
		"WORKER_CONCURRENCY":          {"0", "-1", "ten", "1.5", "10001"},
		"JOB_TIMEOUT":                 {"0", "-1s", "30", "30 m", "999us"},
		"DEAD_MAX":                    {"0", "1e5", "x"},
		"DONE_MAX":                    {"0", "1e5", "x"},
		"DEAD_RETENTION":              {"0s", "90d"},
		"RETRY_BASE":                  {"0", "1", "2h"}, // 2h: over RETRY_CAP
		"RETRY_CAP":                   {"0", "x", "999ms"},
		"HEARTBEAT_INTERVAL":          {"9ms", "2", "2001ms"}, // 2001ms: HEARTBEAT_TTL is less than five of it
		"HEARTBEAT_TTL":               {"10", "9999ms"},
		"SHUTDOWN_GRACE":              {"0", "-25s", "x"},
		"LEASE_DOUBT":                 {"stop"},
		"UI":                          {"ON", "true", "0"},
		"UI_READ_ONLY":                {"1", "yes", "TRUE"},
		"ENQUEUE_WAIT":                {"-1", "101", "AOF", "all"},
		"METRICS_ADDR":                {"9100", ":x"},
		"OTEL_TRACES_EXPORTER":        {"console", "OTLP"},
		"OTEL_EXPORTER_OTLP_ENDPOINT": {"collector:4318", "http://", "grpc://collector:4317", "://"},
		"LOG_LEVEL":                   {"loud", "INFO"},
		"LOG_FORMAT":                  {"text"},
		"PUNCTUAL_HISTORY":            {"history.jsonl", "./x"},
	}
	for _, row := range table {
		if len(bad[row.Name]) == 0 && !strings.HasPrefix(row.Name, "JWT_ISSUER") && row.Name != "JWT_AUDIENCE" {
			t.Errorf("no bad value of %s is tested", row.Name)
		}
		for _, value := range bad[row.Name] {
			wrong := refused(t, API, row.Name+"="+value)
			if len(wrong) != 1 || !strings.Contains(wrong[0], row.Name) || !strings.Contains(wrong[0], "must") || !strings.HasSuffix(wrong[0], ".") {
				t.Errorf("%s=%s: %q, want one sentence that names it and what is wanted", row.Name, value, wrong)
			}
		}
	}
}

func TestAllWrongOnesAtOnce(t *testing.T) {
	wrong := refused(t, API, "LOG_LEVEL=x", "QUEUES=,", "RETRY_CAP=1ms", "HEARTBEAT_TTL=1s")
	if len(wrong) != 4 {
		t.Errorf("got %d sentences, want 4: %q", len(wrong), wrong)
	}
	for _, name := range []string{"LOG_LEVEL", "QUEUES", "RETRY_CAP", "HEARTBEAT_TTL"} {
		if !strings.Contains(wrong.Error(), name) {
			t.Errorf("%s is not named in %q", name, wrong)
		}
	}
}

func TestEmptyIsDefault(t *testing.T) {
	for _, row := range table {
		if row.emptyCounts {
			continue
		}
		got, want := mustRead(t, API, row.Name+"="), mustRead(t, API)
		if !reflect.DeepEqual(fmt.Sprintf("%v", got), fmt.Sprintf("%v", want)) {
			t.Errorf("%s= is not its default: %v, want %v", row.Name, got, want)
		}
		if got.Given(row.Name) {
			t.Errorf("%s= counts as given", row.Name)
		}
	}
}

func TestHelpNamesEverySetting(t *testing.T) {
	var b strings.Builder
	Help(&b)
	lines := strings.Split(b.String(), "\n")
	for _, row := range table {
		found := false
		for _, line := range lines {
			if fields := strings.Fields(line); len(fields) > 2 && fields[0] == row.Name {
				found = strings.Contains(line, row.told()) && strings.HasSuffix(line, row.Meaning) && row.Meaning != ""
			}
		}
		if !found {
			t.Errorf("help has no line with name, default and meaning of %s:\n%s", row.Name, b.String())
		}
	}
}

// Names are for tests of the programs' help.
func TestNames(t *testing.T) {
	if got := Names(); len(got) != len(table) || got[0] != "APP_ENV" {
		t.Errorf("Names() = %q", got)
	}
}
