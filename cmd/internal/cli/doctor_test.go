package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// ofMachine tells verdicts about this machine, on which others may leave something behind.
func ofMachine(v verdict) bool { return v.About == "go run" || v.About == "latency" }

func TestDoctorFindsNothingWhereAllIsWell(t *testing.T) {
	s := redistest.Own(t, "--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory", "100mb", "--maxmemory-policy", "noeviction")
	q, name := opened(t, s), redistest.Queue(t)
	registered(t, q, name, queue.WorkerInfo{ID: "w", Concurrency: 1, Build: "one"})
	e := command(t.Context(), nil, nil, "REDIS_URL="+s.URL(), "doctor", "--json")
	var got struct{ Verdicts []verdict }
	if err := json.Unmarshal([]byte(e.stdout), &got); err != nil || e.code != exitOK || e.stderr != "" {
		t.Fatalf("exit %d, %v: %s", e.code, err, e.stderr)
	}
	var about []string
	for _, v := range got.Verdicts {
		if about = append(about, v.About); v.Level != levelOK && !ofMachine(v) {
			t.Errorf("%+v", v)
		}
	}
	for _, want := range []string{"settings", "tokens", "redis", "latency", "version", "persistence", "eviction", "memory", "clock", "writes", "layout", "queue", "go run"} {
		if !slices.Contains(about, want) {
			t.Errorf("nothing is said about %s: %v", want, about)
		}
	}
}

// TestDoctorFindsWhatIsWrong: a Redis in which everything is.
func TestDoctorFindsWhatIsWrong(t *testing.T) {
	s := redistest.Own(t, "--appendonly", "no", "--maxmemory-policy", "allkeys-lru")
	q := opened(t, s)
	for _, name := range []string{"late", "early", "paused", "mixed"} {
		delay := time.Hour
		if name == "late" {
			delay = 0
		}
		if _, err := q.Enqueue(t.Context(), queue.NewJob{Queue: name, Delay: delay}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := q.Pause(t.Context(), "paused"); err != nil {
		t.Fatal(err)
	}
	registered(t, q, "mixed", queue.WorkerInfo{ID: "h:1:old", Concurrency: 2, Build: "one", Stuck: 2})
	registered(t, q, "mixed", queue.WorkerInfo{ID: "h:2:new", Concurrency: 2, Build: "two", Stuck: 1})
	registered(t, q, "mixed", queue.WorkerInfo{ID: "h:3:$(gone)\x1b[31m", Concurrency: 2, Build: "one"})
	if err := s.Client().Del(t.Context(), "punctual:{mixed}:heartbeat:h:3:$(gone)\x1b[31m").Err(); err != nil {
		t.Fatal(err)
	}
	e := command(t.Context(), nil, nil, "REDIS_URL="+s.URL(), "doctor")
	if e.code != exitFailed || e.stderr != "" || strings.Contains(e.stdout, "\x1b") {
		t.Errorf("exit %d, %q", e.code, e.stderr)
	}
	tells(t, e.stdout,
		"warn  persistence  the append-only file is off", "-> CONFIG SET appendonly yes",
		"bad   eviction     maxmemory-policy is allkeys-lru", "-> CONFIG SET maxmemory-policy noeviction",
		"bad   queue        late: 1 job due, late by ", "-> start a worker with late in its QUEUES",
		"warn  queue        early: 1 job waiting, and no worker",
		"warn  queue        paused is paused: 1 job waiting, 0 due", "-> punctual queues resume paused",
		"bad   worker       h:1:old of mixed: all its handlers (2)", "-> restart it: punctual workers stop h:1:old",
		"warn  worker       h:2:new of mixed: of its handlers 1 of 2",
		`warn  worker       h:3:$(gone)\x1b[31m of mixed: its heartbeat has run out`,
		"warn  build        workers of mixed are of 2 builds: one, two")
}

func TestDoctorThatCannotGoOn(t *testing.T) {
	for _, c := range []struct {
		settings []string
		says     []string
	}{
		{[]string{"REDIS_URL=redis://127.0.0.1:1"}, []string{"bad   redis        the one at 127.0.0.1:1 does not answer", "-> start it, or set REDIS_URL"}},
		{[]string{"REDIS_URL=ftp://x"}, []string{"bad   settings     REDIS_URL"}},
		{[]string{"WORKER_CONCURRENCY=many", "RETRY_BASE=soon"}, []string{"bad   settings     WORKER_CONCURRENCY", "bad   settings     RETRY_BASE"}},
		{[]string{"APP_ENV=production", "JWT_SECRET=punctual-develop-secret-that-everybody-knows"}, []string{"bad   settings     JWT_SECRET is the one built in for develop"}},
		{[]string{"APP_ENV=production", "REDIS_URL=redis://127.0.0.1:1"}, []string{"warn  tokens       the API would not start with these settings: JWT_SECRET is not set"}},
	} {
		e := command(t.Context(), nil, nil, append(c.settings, "doctor")...)
		if e.code != exitFailed || e.stderr != "" {
			t.Errorf("%v: exit %d, %q", c.settings, e.code, e.stderr)
		}
		tells(t, e.stdout, c.says...)
	}
}

// TestVerdictsOnRedis: what is told of each kind of Redis.
func TestVerdictsOnRedis(t *testing.T) {
	good := queue.ServerInfo{Product: "redis", Version: "7.0.15", Mode: "standalone", Now: time.Now(), AOF: true, Fsync: "everysec", Policy: "noeviction"}
	for _, c := range []struct {
		change func(*queue.ServerInfo)
		want   string // level and about of what is not ok
	}{
		{func(*queue.ServerInfo) {}, ""},
		{func(s *queue.ServerInfo) { s.Version = "6.0.16" }, "bad version"},
		{func(s *queue.ServerInfo) { s.Version = "6.2.1" }, "warn version"},
		{func(s *queue.ServerInfo) { s.Product, s.Version = "valkey", "8.1.1" }, ""},
		{func(s *queue.ServerInfo) { s.Version = "" }, "warn version"},
		{func(s *queue.ServerInfo) { s.LastAOFFailed = true }, "bad persistence"},
		{func(s *queue.ServerInfo) { s.LastSaveFailed = true }, "bad persistence"},
		{func(s *queue.ServerInfo) { s.AOF = false }, "warn persistence"},
		{func(s *queue.ServerInfo) { s.Fsync = "no" }, "warn persistence"},
		{func(s *queue.ServerInfo) { s.Fsync = "always" }, ""},
		{func(s *queue.ServerInfo) { s.Policy = "volatile-ttl" }, "bad eviction"},
		{func(s *queue.ServerInfo) { s.Evicted = 1 }, "warn eviction"},
		{func(s *queue.ServerInfo) { s.MemoryUsed, s.MemoryMax = 80, 100 }, ""},
		{func(s *queue.ServerInfo) { s.MemoryUsed, s.MemoryMax = 81, 100 }, "warn memory"},
		{func(s *queue.ServerInfo) { s.Skew = -1100 * time.Millisecond }, "warn clock"},
		{func(s *queue.ServerInfo) { s.Skew, s.RoundTrip = 1100*time.Millisecond, time.Second }, ""},
	} {
		s, x := good, examination{}
		c.change(&s)
		x.version(s)
		x.persistence(s)
		x.memory(s)
		x.clock(s)
		var got []string
		for _, v := range x.verdicts {
			if v.Level != levelOK {
				got = append(got, v.Level+" "+v.About)
			}
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%+v: %v, want %q", s, x.verdicts, c.want)
		}
	}
}

// TestLeftovers: of all processes only those are told of that a go run has built with this module, and whose go run is gone.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	proc := filepath.Join(dir, "proc")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cached := filepath.Join(dir, "go-build7", "b001", "exe", "main")
	foreign := filepath.Join(dir, "go-build8", "b001", "exe", "main")
	link := func(to, from string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(from), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	link(self, cached)
	link("/bin/sh", foreign)
	process := func(pid, parent int, name, executable string) {
		t.Helper()
		at := filepath.Join(proc, strconv.Itoa(pid))
		link(executable, filepath.Join(at, "exe"))
		for file, text := range map[string]string{"comm": name + "\n", "stat": fmt.Sprintf("%d (a ) b) S %d 1 1", pid, parent)} {
			if err := os.WriteFile(filepath.Join(at, file), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	process(1, 0, "init", "/sbin/init")
	process(20, 1, "go", "/usr/bin/go")
	process(21, 20, "main", cached) // a go run that goes on
	process(31, 1, "main", cached)  // left behind
	process(32, 1, "main", foreign) // not ours
	process(33, 1, "server", self)  // installed
	process(34, 99, "main", cached) // its parent is gone, and nobody has taken it over yet
	if got := leftovers(proc); !slices.Equal(got, []leftover{{31, cached}, {34, cached}}) {
		t.Errorf("%v", got)
	}
	if got := leftovers(filepath.Join(dir, "none")); got != nil {
		t.Errorf("without /proc: %v", got)
	}
	x := examination{}
	x.leftovers(proc)
	if len(x.verdicts) != 2 || x.verdicts[0].Level != levelWarn || x.verdicts[0].Do != "kill 31" {
		t.Errorf("%+v", x.verdicts)
	}
}
