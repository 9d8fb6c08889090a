package queue_test

import (
	"bufio"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

func codes(problems []queue.Problem) string {
	var list []string
	for _, p := range problems {
		list = append(list, p.Code)
	}
	return strings.Join(list, " ")
}

func TestHealthOfAGoodRedis(t *testing.T) {
	for _, s := range []*redistest.Server{redistest.Any(t), redistest.Embedded(t)} {
		equal(t, s.Backend(), codes(open(t, s.URL(), bound).Health(t.Context())), "")
	}
}

func TestHealth(t *testing.T) {
	s := redistest.Own(t)
	c := open(t, s.URL(), bound)
	s.Config(t, "maxmemory-policy", "allkeys-lru")
	problems := c.Health(t.Context())
	equal(t, "evicting", codes(problems), "redis-evicting")
	equal(t, "the reason names the policy", strings.Contains(problems[0].Reason, "allkeys-lru"), true)
	s.Config(t, "maxmemory-policy", "noeviction")
	equal(t, "good again", codes(c.Health(t.Context())), "")
	for host, want := range map[string]string{"127.0.0.1 1": "redis-read-only", "NO ONE": ""} {
		args := strings.Fields("REPLICAOF " + host)
		if err := s.Client().Do(t.Context(), args[0], args[1], args[2]).Err(); err != nil {
			t.Fatal(err)
		}
		equal(t, host, codes(c.Health(t.Context())), want)
	}
	s.Stop(t)
	equal(t, "away", codes(c.Health(t.Context())), "redis-unavailable")
}

// Health finds out that Redis answers and takes no jobs, and asking changes nothing.
func TestHealthOfARedisThatTakesNoJobs(t *testing.T) {
	s := redistest.Own(t)
	c := open(t, s.URL(), bound)
	for _, test := range []struct{ setting, bad, good, want string }{
		{"min-replicas-to-write", "1", "0", "redis-no-replicas"},
		{"maxmemory", "1", "0", "redis-full"},
	} {
		s.Config(t, test.setting, test.bad)
		equal(t, test.setting, codes(c.Health(t.Context())), test.want)
		s.Config(t, test.setting, test.good)
		equal(t, test.setting+" mended", codes(c.Health(t.Context())), "")
	}
	s.Config(t, "min-replicas-to-write", "1")
	s.Config(t, "maxmemory-policy", "volatile-lru")
	equal(t, "two problems", codes(c.Health(t.Context())), "redis-no-replicas redis-evicting")
	s.Config(t, "min-replicas-to-write", "0")
	s.Config(t, "maxmemory-policy", "noeviction")
	changes := func() string {
		for row := range strings.Lines(s.Client().Info(t.Context(), "persistence").Val()) {
			if n, ok := strings.CutPrefix(row, "rdb_changes_since_last_save:"); ok {
				return n
			}
		}
		return "none told"
	}
	if _, err := c.Enqueue(t.Context(), queue.NewJob{Delay: time.Hour}); err != nil {
		t.Fatal(err)
	}
	before := changes()
	equal(t, "with a job there", codes(c.Health(t.Context())), "")
	equal(t, "changes", changes(), before)
}

// Health returns when its context ends, whatever Redis does.
func TestHealthOfASilentRedis(t *testing.T) {
	c := open(t, hung(t), time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	equal(t, "silent", codes(c.Health(ctx)), "redis-unavailable")
}

// scripted is a Redis that answers some commands as told, and knows no others.
func scripted(t *testing.T, answers map[string]string) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for lines := bufio.NewScanner(conn); lines.Scan(); { // *1 $4 PING: the name is the third line
					if !strings.HasPrefix(lines.Text(), "*") || !lines.Scan() || !lines.Scan() {
						continue
					}
					name := strings.ToUpper(lines.Text())
					if name == "INFO" {
						lines.Scan()
						lines.Scan()
					}
					answer, ok := answers[name]
					if !ok {
						answer = "-ERR unknown command " + name
					}
					if answer == "" {
						continue // silent
					}
					if _, err := conn.Write([]byte(answer + "\r\n")); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "redis://" + l.Addr().String()
}

func TestHealthOfWhatItAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		answers map[string]string
		want    string
	}{
		"loading":     {map[string]string{"ZADD": "-LOADING Redis is loading the dataset in memory"}, "redis-loading"},
		"no disk":     {map[string]string{"ZADD": "-MISCONF Errors writing to the AOF file: No space left on device"}, "redis-read-only"},
		"other error": {map[string]string{"ZADD": "-CLUSTERDOWN The cluster is down"}, "redis-unavailable"},
		"no INFO":     {map[string]string{"ZADD": ":0", "INFO": "-NOPERM this user has no permissions"}, ""},
		"INFO hangs":  {map[string]string{"ZADD": ":0", "INFO": ""}, "redis-unavailable"},
	} {
		c := open(t, scripted(t, test.answers), bound)
		ctx, cancel := context.WithTimeout(t.Context(), bound)
		if name == "INFO hangs" {
			cancel()
			ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
		}
		equal(t, name, codes(c.Health(ctx)), test.want)
		cancel()
	}
}
