package history

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

const secret = "a secret of the history tests only, 32 bytes"

// launch starts one of our binaries with a history of its own, and ends it with the test.
func launch(t *testing.T, dir string, r *redistest.Server, name, history, addr string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(filepath.Join(dir, name))
	cmd.Env = append(os.Environ(), "APP_ENV=develop", "REDIS_URL="+r.URL(), "JWT_SECRET="+secret, "HTTP_ADDR="+addr, "WORKER_HTTP_ADDR=",
		"HEARTBEAT_INTERVAL=200ms", "HEARTBEAT_TTL=1s", "SHUTDOWN_GRACE=2s", "PUNCTUAL_HISTORY="+filepath.Join(dir, history+".jsonl"))
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		if t.Failed() {
			t.Logf("%s:\n%s", history, out.String())
		}
	})
	return cmd
}

func end(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	_ = cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		t.Errorf("%s: %v", cmd.Path, err)
	}
}

// register hands a job in over HTTP; false if nobody listens yet.
func register(t *testing.T, addr, body string) bool {
	t.Helper()
	token, err := api.NewToken([]byte(secret), api.TokenClaims{Subject: "test", Lifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/api/dm-jobqueue/register", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusCreated
}

// TestProcesses: an API process and two workers under load, one of them killed while its jobs run. The checker finds nothing that
// must not be, and it finds each line that is altered by hand.
func TestProcesses(t *testing.T) {
	r, dir := redistest.Own(t), t.TempDir()
	build := exec.Command("go", "build", "-o", dir, "./cmd/server", "./cmd/jobqueue")
	build.Dir = filepath.Join("..", "..", "..") // a module of its own: it has dependencies that this one lacks
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	server := launch(t, dir, r, "server", "server", addr)
	victim := launch(t, dir, r, "jobqueue", "victim", addr)
	redistest.Await(t, 20*time.Second, "the API", func() bool {
		return register(t, addr, `{"type": "fail", "payload": {"times": 1}, "delay_seconds": 0}`)
	})
	for i := range 40 {
		body := fmt.Sprintf(`{"message": "job %d", "delay_seconds": %d}`, i, i%2)
		if i%4 == 0 {
			body = `{"type": "sleep", "payload": {"seconds": 1}, "delay_seconds": 0}`
		}
		if !register(t, addr, body) {
			t.Fatal("the API did not take a job")
		}
	}
	redistest.Await(t, 10*time.Second, "a job to run", func() bool {
		keys, _ := r.Client().Keys(t.Context(), "punctual:{default}:processing:*").Result()
		return len(keys) > 0
	})
	_ = victim.Process.Kill()
	_ = victim.Wait()
	other := launch(t, dir, r, "jobqueue", "other", addr)
	redistest.Await(t, 30*time.Second, "all jobs to be done", func() bool {
		return r.Client().HLen(t.Context(), "punctual:{default}:jobs").Val() == 0
	})
	end(t, other)
	end(t, server)

	left, err := Left(context.Background(), r.Client(), "default")
	if err != nil {
		t.Fatal(err)
	}
	h, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	rules := Rules{Final: []State{left}, Timing: queue.Timing{Interval: 200 * time.Millisecond, TTL: time.Second}, Tolerance: 2 * time.Second}
	v := Check(h, rules)
	if err := errors.Join(v.Err(), Linearizable(h, dir)); err != nil {
		t.Error(err)
	}
	if v.Acked < 41 || v.Done != v.Attempted || v.Runs <= v.Done || len(v.Of(Duplicated)) == 0 {
		t.Errorf("not what was played: %+v", v)
	}
	t.Logf("%d events, %d jobs, %d runs, %d run again, lateness %v", v.Events, v.Jobs, v.Runs, len(v.Of(Duplicated)), v.Lateness)
	altered(t, h, rules)
}

// altered changes one line of a sound history at a time.
func altered(t *testing.T, h History, rules Rules) {
	t.Helper()
	for _, c := range []struct {
		rule  string
		which func(*Event) bool
		alter func(*Event)
	}{
		{Early, func(e *Event) bool { return e.Op == queue.OpClaim && e.ID != "" }, func(e *Event) { e.RedisMS = e.DueMS - 1 }},
		{Lost, func(e *Event) bool { return e.Op == queue.OpSettle && e.Res == queue.ResOK && e.Outcome == done }, func(e *Event) { e.Outcome = lost }},
		{"I5", func(e *Event) bool { return e.Op == queue.OpReap && e.Outcome == "reaped" }, func(e *Event) { e.Outcome = "alive" }},
		{Unexpected, func(e *Event) bool { return e.Op == queue.OpEnqueue && e.Res == queue.ResOK }, func(e *Event) { e.Res = queue.ResFail }},
		{"I8", func(e *Event) bool { return e.Op == queue.OpClaim && e.ID != "" }, func(e *Event) { e.Attempt = 99 }},
	} {
		for i, e := range h.Events {
			if !c.which(e) {
				continue
			}
			changed := *e
			c.alter(&changed)
			h.Events[i] = &changed
			if v := Check(h, rules); len(v.Of(c.rule)) == 0 {
				text, _ := json.Marshal(changed)
				t.Errorf("altered, and not found as %s: %s; found %q", c.rule, text, v.Broken())
			}
			h.Events[i] = e
			break
		}
	}
}
