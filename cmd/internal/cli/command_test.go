package cli

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// commandEnd is how a command ended.
type commandEnd struct {
	code           int
	stdout, stderr string
}

// command runs one of the commands with these settings; settings are name=value pairs among the arguments before the command's name.
func command(ctx context.Context, in io.Reader, out io.Writer, args ...string) commandEnd {
	env := map[string]string{}
	for len(args) > 0 && strings.Contains(args[0], "=") {
		name, value, _ := strings.Cut(args[0], "=")
		env[name], args = value, args[1:]
	}
	var e commandEnd
	var stdout, stderr bytes.Buffer
	root := &cobra.Command{Use: "punctual", SilenceErrors: true, SilenceUsage: true}
	root.AddCommand(Commands(func(name string) (string, bool) { v, ok := env[name]; return v, ok }, &e.code)...)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetErr(&stderr)
	if root.SetOut(out); out == nil {
		root.SetOut(&stdout)
	}
	if err := root.ExecuteContext(ctx); err != nil {
		stderr.WriteString(err.Error())
		e.code = exitUsage
	}
	e.stdout, e.stderr = stdout.String(), stderr.String()
	return e
}

func opened(t *testing.T, s *redistest.Server) *queue.Client {
	t.Helper()
	q, err := queue.Open(t.Context(), s.URL(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

// tells fails the test unless text has all that is wanted.
func tells(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("it does not say %q:\n%s", w, text)
		}
	}
}

// registered makes a worker of a queue, with a build of its own, that lives for the 10 s of a heartbeat.
func registered(t *testing.T, q *queue.Client, name string, info queue.WorkerInfo) *queue.Link {
	t.Helper()
	link, err := q.Link(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = link.Close() })
	if _, err := link.Heartbeat(t.Context(), info, queue.Timing{Interval: 2 * time.Second, TTL: 10 * time.Second}, true); err != nil {
		t.Fatal(err)
	}
	return link
}
