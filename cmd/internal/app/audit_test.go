package app

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

func TestAudit(t *testing.T) {
	s, name := redistest.Any(t), redistest.Queue(t)
	q, err := queue.Open(t.Context(), s.URL(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if _, err := q.Enqueue(t.Context(), queue.NewJob{ID: "a", Queue: name}); err != nil {
		t.Fatal(err)
	}
	run := func(code int, args ...string) string {
		t.Helper()
		var stdout, stderr output
		got := Punctual(t.Context(), append([]string{"audit", "--queue", name}, args...), env("REDIS_URL="+s.URL()), &stdout, &stderr)
		if got != code || stderr.String() != "" {
			t.Fatalf("%v: exit %d, want %d: %s", args, got, code, stderr.String())
		}
		return stdout.String()
	}
	expect := func(text string, says ...string) {
		t.Helper()
		for _, s := range says {
			if !strings.Contains(text, s) {
				t.Errorf("%q does not say %q", text, s)
			}
		}
	}
	expect(run(0), "1 jobs (1 scheduled", "all is well")
	if err := s.Client().Del(t.Context(), "punctual:{"+name+"}:scheduled").Err(); err != nil {
		t.Fatal(err)
	}
	expect(run(1), "error record-without-place", "1 findings", "--fix")
	var got struct{ Queues []queue.AuditReport }
	if err := json.Unmarshal([]byte(run(1, "--json")), &got); err != nil || len(got.Queues) != 1 || len(got.Queues[0].Findings) != 1 {
		t.Fatalf("%v: %+v", err, got)
	}
	expect(run(0, "--fix"), "fixed: scheduled, due now", "1 findings, 0 left")
	expect(run(0), "all is well")
	s.Client().Set(t.Context(), "punctual:{"+name+"}:notes", "x", 0)
	expect(run(1, "--fix"), "key-unknown", "your judgement")
}

func TestAuditThatCannotBeMade(t *testing.T) {
	for _, c := range []struct{ args, pairs, says []string }{
		{nil, []string{"REDIS_URL=redis://127.0.0.1:1"}, []string{"127.0.0.1:1", "REDIS_URL"}},
		{[]string{"--queue", "No Queue"}, []string{"REDIS_URL=redis://127.0.0.1:1"}, []string{"--queue", "No Queue"}},
		{[]string{"now"}, nil, []string{"now", "-h"}},
	} {
		var stdout, stderr output
		code := Punctual(t.Context(), append([]string{"audit"}, c.args...), env(c.pairs...), &stdout, &stderr)
		if code != 2 || stdout.String() != "" {
			t.Errorf("%v: exit %d, stdout %q", c.args, code, stdout.String())
		}
		for _, text := range c.says {
			if !strings.Contains(stderr.String(), text) {
				t.Errorf("%v: says %q, not %q", c.args, stderr.String(), text)
			}
		}
	}
}
