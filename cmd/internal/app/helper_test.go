package app

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

// env is an environment of name=value pairs; of two pairs of one name the later one counts.
func env(pairs ...string) func(string) (string, bool) {
	values := map[string]string{}
	for _, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		values[name] = value
	}
	return func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}
}

// output is a writer that notes when each write came.
type output struct {
	mu     sync.Mutex
	writes []string
	at     []time.Time
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writes, o.at = append(o.writes, string(b)), append(o.at, time.Now())
	return len(b), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.writes, "")
}

// when returns the time of the first write that holds a text; zero if there is none.
func (o *output) when(text string) time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, w := range o.writes {
		if strings.Contains(w, text) {
			return o.at[i]
		}
	}
	return time.Time{}
}

func (o *output) await(t *testing.T, within time.Duration, text string) {
	t.Helper()
	redistest.Await(t, within, "the text "+text, func() bool { return !o.when(text).IsZero() })
}

// program is one of the programs, running in this process.
type program struct {
	stdout, stderr output
	stop           context.CancelFunc
	ended          chan struct{}
	code           int
}

// start runs a program until the test ends at the latest.
func start(t *testing.T, run Program, args []string, pairs ...string) *program {
	t.Helper()
	p := &program{ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	go func() {
		p.code = run(ctx, args, env(pairs...), &p.stdout, &p.stderr)
		close(p.ended)
	}()
	t.Cleanup(func() {
		cancel()
		<-p.ended
		if t.Failed() {
			t.Logf("stdout:\n%s\nstderr:\n%s", p.stdout.String(), p.stderr.String())
		}
	})
	return p
}

// exit waits for the end of a program and returns its exit code.
func (p *program) exit(t *testing.T, within time.Duration) int {
	t.Helper()
	select {
	case <-p.ended:
		return p.code
	case <-time.After(within):
		t.Fatalf("it still runs after %s", within)
		return -1
	}
}

// logged returns the value of a field of a JSON log line that holds a text.
func (p *program) logged(t *testing.T, text, field string) string {
	t.Helper()
	for line := range strings.Lines(p.stderr.String()) {
		if _, rest, ok := strings.Cut(line, `"`+field+`":"`); ok && strings.Contains(line, text) {
			value, _, _ := strings.Cut(rest, `"`)
			return value
		}
	}
	t.Fatalf("no log line with %q has a field %s", text, field)
	return ""
}
