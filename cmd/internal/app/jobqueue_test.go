package app

import (
	"context"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/cmd/internal/settings"
	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

func open(t *testing.T, r *redistest.Server) *queue.Client {
	t.Helper()
	q, err := queue.Open(t.Context(), r.URL(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func enqueue(t *testing.T, q *queue.Client, job queue.NewJob) string {
	t.Helper()
	done, err := q.Enqueue(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	return done.ID
}

// failure awaits the first failure of a job.
func failure(t *testing.T, q *queue.Client, name, id string) (text string, state queue.State) {
	t.Helper()
	redistest.Await(t, 10*time.Second, "job "+id+" to fail", func() bool {
		info, err := q.Get(context.Background(), name, id)
		if err != nil || len(info.Failures) == 0 {
			return false
		}
		text, state = info.Failures[0].Error, info.State
		return true
	})
	return text, state
}

func TestJobqueueRunsJobsAnswersProbesAndStops(t *testing.T) {
	r, name := redistest.Any(t), redistest.Queue(t)
	q := open(t, r)
	p := start(t, Jobqueue, nil, "REDIS_URL="+r.URL(), "QUEUES="+name+":3", "WORKER_HTTP_ADDR=127.0.0.1:0", "LOG_FORMAT=json")
	p.stderr.await(t, 5*time.Second, "runs jobs")
	probes := "http://" + p.logged(t, "runs jobs", "probes")
	if got := get(t, probes+"/livez"); got != 200 {
		t.Errorf("livez answers %d, want 200", got)
	}
	redistest.Await(t, 5*time.Second, "it to be ready", func() bool { return get(t, probes+"/readyz") == 200 })

	enqueue(t, q, queue.NewJob{Queue: name, Payload: []byte(`"one\ntwo"`)})
	p.stdout.await(t, 5*time.Second, "one")
	if line := regexp.MustCompile(`^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] one\\ntwo\n$`); !line.MatchString(p.stdout.String()) {
		t.Errorf("stdout holds %q, want one line", p.stdout.String())
	}
	if _, state := failure(t, q, name, enqueue(t, q, queue.NewJob{Queue: name, Type: "fail", Payload: []byte(`{"permanent": true}`)})); state != queue.Dead {
		t.Errorf("a permanent failure is %s, want dead", state)
	}
	sleeper := enqueue(t, q, queue.NewJob{Queue: name, Type: "sleep", Payload: []byte(`{"seconds": 0.5}`)})
	redistest.Await(t, 5*time.Second, "the sleeper to be claimed", func() bool {
		info, err := q.Get(context.Background(), name, sleeper)
		return err == nil && info.State == queue.Processing
	})
	p.stop()
	if code := p.exit(t, 10*time.Second); code != exitOK {
		t.Errorf("exit %d, want 0", code)
	}
	if _, err := q.Get(t.Context(), name, sleeper); err == nil {
		t.Error("the sleeper was not let finish")
	}
	if got := get(t, probes+"/livez"); got != 0 {
		t.Errorf("its probes still answer %d", got)
	}
}

// TestDevelopmentJobsStayInDevelop: elsewhere nobody can make a worker sleep or fail.
func TestDevelopmentJobsStayInDevelop(t *testing.T) {
	r, name := redistest.Any(t), redistest.Queue(t)
	q := open(t, r)
	start(t, Jobqueue, nil, "APP_ENV=production", "REDIS_URL="+r.URL(), "QUEUES="+name, "WORKER_HTTP_ADDR=")
	for _, kind := range []string{"sleep", "fail"} {
		if text, _ := failure(t, q, name, enqueue(t, q, queue.NewJob{Queue: name, Type: kind})); !strings.Contains(text, "no handler") {
			t.Errorf("%s in production: %s, want no handler", kind, text)
		}
	}
}

func TestTakenDefaultProbePortIsAWarning(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var out output
	p := &process{settings: settings.Settings{WorkerHTTPAddr: l.Addr().String()}} // not given, so the default
	p.log = newLogger(settings.Settings{LogLevel: "warn", LogFormat: "json"}, &out)
	probes, err := p.listenForProbes()
	if err != nil || probes != nil {
		t.Errorf("got %v, %v; want no probes and no error", probes, err)
	}
	if !strings.Contains(out.String(), "WORKER_HTTP_ADDR") || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("the log says %q, want one warning", out.String())
	}
	p.settings.WorkerHTTPAddr = ""
	if probes, err := p.listenForProbes(); err != nil || probes != nil {
		t.Errorf("turned off: got %v, %v; want none", probes, err)
	}
}
