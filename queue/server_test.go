package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

func (r *rig) askServer() queue.ServerInfo {
	r.Helper()
	info, err := r.client.Server(r.Context(), r.name)
	if err != nil {
		r.Fatal(err)
	}
	return info
}

// real is a Redis of its own that describes itself.
func real(t *testing.T, args ...string) *redistest.Server {
	t.Helper()
	s := redistest.Own(t, args...)
	if s.Backend() == "embedded" {
		t.Skip("the embedded Redis describes nothing")
	}
	return s
}

func TestServer(t *testing.T) {
	s := real(t)
	r := rigOn(t, s, queue.Options{Timeout: bound})
	s.Config(t, "maxmemory", "50000000")
	s.Config(t, "maxmemory-policy", "volatile-lru")
	s.Config(t, "appendfsync", "always")
	r.put(queue.NewJob{Delay: time.Hour})
	before, keys := time.Now(), r.everything()
	got := r.askServer()
	r.unchanged(keys)
	fields := map[string]string{}
	for row := range strings.Lines(s.Client().Info(t.Context()).Val()) {
		name, value, _ := strings.Cut(strings.TrimSpace(row), ":")
		fields[name] = value
	}
	version := fields["redis_version"]
	if fields["valkey_version"] != "" {
		version = fields["valkey_version"]
	}
	equal(t, "version", got.Version, version)
	equal(t, "words", []string{got.Mode, got.Role, got.Policy, got.Fsync}, []string{"standalone", "master", "volatile-lru", "always"})
	equal(t, "limit", got.MemoryMax, int64(50000000))
	equal(t, "unknown", got.Unknown, map[string]string{})
	equal(t, "clients", fmt.Sprint(got.Clients), fields["connected_clients"])
	if got.MemoryUsed < 100_000 || got.MemoryPeak < got.MemoryUsed || got.Fragmentation <= 0 || got.LastSave.IsZero() {
		t.Errorf("memory: %+v", got)
	}
	if got.RoundTrip <= 0 || got.RoundTrip > bound || got.Skew.Abs() > time.Since(before) || got.Now.Before(before.Add(-got.RoundTrip)) {
		t.Errorf("clock: now %v, skew %v, round trip %v", got.Now, got.Skew, got.RoundTrip)
	}
	equal(t, "trouble", got.Loading || got.LastSaveFailed || got.LastAOFFailed, false)
	equal(t, "append-only file", got.AOF, fields["aof_enabled"] == "1")
	s.Stop(t)
	_, err := r.client.Server(t.Context(), r.name)
	expectUnavailable(t, "server", err)
	s.Start(t)
	if _, err := r.client.Server(t.Context(), "No Queue"); !errors.Is(err, queue.ErrInvalid) {
		t.Error(err)
	}
}

// What Redis does not permit, or does not know, is told as such, and all else is there.
func TestServerThatDoesNotTellAll(t *testing.T) {
	s := real(t)
	for _, c := range []struct {
		rules   []string
		unknown []string
	}{
		{[]string{"+@all", "-config", "-slowlog"}, []string{"config", "slowlog"}},
		{[]string{"+@all", "-info", "-time"}, []string{"info", "time"}},
		{least(""), []string{"config", "slowlog"}},
		{[]string{"+ping"}, []string{"config", "info", "slowlog", "time"}},
	} {
		got := rigAs(t, s, append([]string{"~punctual:*"}, c.rules...)...).askServer()
		var unknown []string
		for part, reason := range got.Unknown {
			unknown = append(unknown, part)
			if !strings.HasPrefix(reason, "NOPERM ") {
				t.Errorf("%s: %s", part, reason)
			}
		}
		slices.Sort(unknown)
		equal(t, fmt.Sprint(c.rules), unknown, c.unknown)
		equal(t, "info", got.Version != "", !slices.Contains(unknown, "info"))
		equal(t, "time", !got.Now.IsZero() && got.Skew.Abs() < time.Minute, !slices.Contains(unknown, "time"))
	}
	r := rigOn(t, redistest.Embedded(t), queue.Options{Timeout: bound})
	got := r.askServer()
	equal(t, "clock of the embedded one", got.Skew.Abs() < time.Minute && !got.Now.IsZero(), true)
	equal(t, "its config", got.Unknown["config"] != "", true)
}

// A silent Redis is one that is away.
func TestServerOfASilentRedis(t *testing.T) {
	c := open(t, hung(t), time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := c.Server(ctx, "default")
	expectUnavailable(t, "server", err)
}

// A replica says that it is one, and its primary how many it has.
func TestServerOfAReplica(t *testing.T) {
	first := primary(t)
	replica := follower(t, first)
	p := rigOn(t, first, queue.Options{Timeout: bound})
	redistest.Await(t, bound, "the replica to be linked", func() bool { return p.askServer().Replicas == 1 })
	c, err := queue.Open(t.Context(), replica.URL(), queue.Options{Timeout: bound})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	info, err := c.Server(t.Context(), p.name)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "roles", []string{p.askServer().Role, info.Role}, []string{"master", "replica"})
}

// The slow log tells our scripts by name, and of the commands of others only theirs.
func TestServerTellsOfTheSlowLog(t *testing.T) {
	s := real(t)
	r := rigOn(t, s, queue.Options{Timeout: bound})
	for range 3 {
		r.putNow(1) // the client has asked what it may do, and Redis knows the script
	}
	s.Config(t, "slowlog-log-slower-than", "0")
	r.putNow(1)
	s.Client().Set(t.Context(), "secret of others", "password", 0)
	r.forgetScripts()
	_, _ = r.client.Overview(t.Context(), r.name) // by its source
	s.Config(t, "slowlog-log-slower-than", "-1")
	scripts := map[string]int{}
	for _, slow := range r.askServer().Slow {
		scripts[slow.Script]++
		if len(slow.Text) > 100 || slow.Took < 0 || time.Since(slow.At).Abs() > time.Hour || strings.Contains(slow.Text, "password") {
			t.Errorf("%+v", slow)
		}
		switch slow.Script {
		case "": // of others, or within a script
			equal(t, slow.Text+" has arguments", strings.Contains(slow.Text, " punctual:{"+r.name+"}:"), slow.Queue == r.name)
			equal(t, slow.Text+" has any", strings.Contains(slow.Text, " "), slow.Queue != "")
		default:
			equal(t, "queue", slow.Queue, r.name)
			equal(t, slow.Text, strings.Contains(slow.Text, slow.Script) && strings.Contains(slow.Text, "punctual:{"), true)
		}
	}
	equal(t, "scripts", scripts["enqueue"] == 1 && scripts["overview"] == 2 && scripts[""] > 0, true) // one EVALSHA in vain, one EVAL
	if t.Failed() {
		t.Log(scripts)
	}
}

// The slow log may be long, and hold what nobody can read.
func TestSlowLogIsBounded(t *testing.T) {
	sha := queue.ScriptSHAs()["claim"]
	var entries []redis.SlowLog
	add := func(n int, args ...string) {
		for range n {
			entries = append(entries, redis.SlowLog{Time: time.Unix(int64(1000-len(entries)), 0), Args: args})
		}
	}
	add(30, "KEYS", "*")
	add(15, "evalsha", sha, "1", "punctual:{a}:jobs", strings.Repeat("é", 100))
	add(1)
	add(1, "EVAL")
	add(1, "EVALSHA", "0", "1", "x")
	got := queue.SlowScripts(entries)
	equal(t, "entries", len(got), 20)
	equal(t, "the last", got[19].Script+" "+got[19].Queue, "claim a")
	equal(t, "the first", got[0].Text, "KEYS")
	equal(t, "in order", slices.IsSortedFunc(got, func(a, b queue.SlowScript) int { return b.At.Compare(a.At) }), true)
}

func TestServerOnACluster(t *testing.T) {
	redistest.NeedProcess(t)
	nodes := redistest.NewCluster(t, 2, 0)
	c := open(t, nodes.URL(), bound)
	for _, s := range nodes.Servers {
		info, err := c.Server(t.Context(), nodes.QueueOn(t, s))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "mode", info.Mode, "cluster")
		s.Config(t, "maxmemory-policy", "allkeys-lru")
		info, _ = c.Server(t.Context(), nodes.QueueOn(t, s))
		equal(t, "the node that holds it", info.Policy, "allkeys-lru")
		s.Config(t, "maxmemory-policy", "noeviction")
	}
}
