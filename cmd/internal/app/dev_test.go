package app

import (
	"net"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

var (
	dueLine  = regexp.MustCompile(`Registered job (\S+) over HTTP\. It is due in 3 s, at (\d\d:\d\d:\d\d\.\d\d\d):`)
	curlText = regexp.MustCompile(`(?s)\n\n(curl .*?)\n\n`)
	lookText = regexp.MustCompile(`(?m)^redis-cli .*$`)
)

// TestDev takes a first look with each kind of Redis: the job is printed at its due time, what is printed to be pasted works,
// and nothing is left of it.
func TestDev(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		path := os.Getenv("PATH")
		t.Setenv("PATH", t.TempDir())
		firstLook(t, path, "the embedded one on (127.0.0.1:[0-9]+), since there is no redis-server on the PATH; it forgets everything at exit", "")
	})
	t.Run("private redis-server", func(t *testing.T) {
		needRedisServer(t)
		t.Setenv("TMPDIR", t.TempDir())
		firstLook(t, os.Getenv("PATH"), "a private redis-server on (127.0.0.1:[0-9]+)", "")
		if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
			t.Errorf("it left %v behind (%v)", left, err)
		}
	})
	t.Run("REDIS_URL", func(t *testing.T) {
		r := redistest.Any(t)
		firstLook(t, os.Getenv("PATH"), "("+regexp.QuoteMeta(r.Addr())+"), from REDIS_URL", r.URL(), "QUEUES=other:1,"+redistest.Queue(t)+":1")
	})
}

// needRedisServer ends a test where there is no redis-server to be started, as package redistest would.
func needRedisServer(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		redistest.Backends(t) // skips, or fails in CI, where there is no Redis at all
		t.Skip("needs redis-server on the PATH")
	}
}

func firstLook(t *testing.T, path, redis, redisURL string, pairs ...string) {
	p := start(t, Punctual, []string{"dev"}, append([]string{"HTTP_ADDR=127.0.0.1:0", "REDIS_URL=" + redisURL}, pairs...)...)
	p.stderr.await(t, 15*time.Second, "heartbeat:*'")
	told := p.stderr.String()
	kind := regexp.MustCompile(redis).FindStringSubmatch(told)
	if kind == nil {
		t.Fatalf("it does not say %q", redis)
	}

	registered := dueLine.FindStringSubmatch(told)
	if registered == nil {
		t.Fatal("it does not say when the job is due")
	}
	due := clock(t, registered[2], p.stderr.when("Registered job"))
	printed := p.stdout.when("Hello, World!")
	if printed.Before(due) || printed.After(due.Add(2*time.Second)) {
		t.Errorf("printed at %s, due at %s", printed, due)
	}
	if explained := p.stderr.when("curl "); explained.Before(printed) {
		t.Errorf("the curl came at %s, before the line at %s", explained, printed)
	}

	shell := func(line string) string {
		cmd := exec.Command("/bin/sh", "-c", line)
		cmd.Env = append(os.Environ(), "PATH="+path, "REDIS_URL="+redisURL)
		text, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, text)
		}
		return string(text)
	}
	answer := shell(curlText.FindStringSubmatch(told)[1])
	id := regexp.MustCompile(`"job_id":"([^"]+)"`).FindStringSubmatch(answer)
	if id == nil || !strings.Contains(answer, `"registered"`) {
		t.Fatalf("the curl is answered %s", answer)
	}
	looks := lookText.FindAllString(told, -1)
	if len(looks) != 3 {
		t.Fatalf("it tells %q, want three ways to look", looks)
	}
	if _, err := exec.LookPath("redis-cli"); err == nil { // not on the PATH of the embedded case
		for i, want := range []string{id[1], "Hello from curl", "heartbeat:"} {
			if got := shell(strings.ReplaceAll(looks[i], "<id>", id[1])); !strings.Contains(got, want) {
				t.Errorf("%s shows %q, want %s", looks[i], got, want)
			}
		}
	}
	p.stdout.await(t, 10*time.Second, "Hello from curl")
	if lines := strings.Count(p.stdout.String(), "\n"); lines != 2 {
		t.Errorf("stdout holds %d lines, want one a job: %q", lines, p.stdout.String())
	}

	p.stop()
	if code := p.exit(t, 10*time.Second); code != exitOK {
		t.Errorf("exit %d, want 0", code)
	}
	if conn, err := net.DialTimeout("tcp", kind[1], time.Second); redisURL == "" && err == nil {
		_ = conn.Close()
		t.Errorf("its Redis on %s still runs", kind[1])
	}
}

// clock is the time of day that was told, on the day around a moment.
func clock(t *testing.T, text string, about time.Time) time.Time {
	t.Helper()
	day, err := time.ParseInLocation(time.DateOnly+" 15:04:05.000", about.Format(time.DateOnly)+" "+text, time.Local)
	if err != nil {
		t.Fatal(err)
	}
	if day.Before(about.Add(-12 * time.Hour)) {
		day = day.AddDate(0, 0, 1) // midnight lies between
	}
	return day
}

func TestDevWithoutItsRedis(t *testing.T) {
	r := redistest.Embedded(t)
	r.Stop(t)
	p := start(t, Punctual, []string{"dev"}, "HTTP_ADDR=127.0.0.1:0", "REDIS_URL="+r.URL())
	if code := p.exit(t, 30*time.Second); code != exitFailed {
		t.Errorf("exit %d, want 1", code)
	}
	u, err := url.Parse(r.URL())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(p.stderr.String(), u.Host+" does not take jobs") {
		t.Errorf("it says %q", p.stderr.String())
	}
}
