package cli

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/punctualq/punctual/cmd/internal/settings"
	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// terminal is a screen of a size of its own that keeps what was written.
type terminal struct {
	mu            sync.Mutex
	text          strings.Builder
	columns, rows int
}

func (s *terminal) Columns() int     { return s.columns }
func (s *terminal) Size() (int, int) { return s.columns, s.rows }
func (s *terminal) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *terminal) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// run of one job by a worker whose name and whose job's id would write on a terminal what they like.
func hostile(t *testing.T, s *redistest.Server, name string) {
	t.Helper()
	q := opened(t, s)
	link := registered(t, q, name, queue.WorkerInfo{ID: "evil\x1b[2J:1:w", Concurrency: 5})
	if _, err := q.Enqueue(t.Context(), queue.NewJob{ID: "running", Queue: name}); err != nil {
		t.Fatal(err)
	}
	awaitDue(t, q, name)
	if x := link.Exchange(t.Context(), queue.Exchange{Worker: "evil\x1b[2J:1:w", Claim: 1, Number: 1, Lease: time.Second}); x.ClaimErr != nil || len(x.Claims.Jobs) != 1 {
		t.Fatalf("%+v", x)
	}
	foreign := s.Client().RPush(t.Context(), "punctual:{"+name+"}:processing:evil\x1b[2J:1:w", "2:\x1b]0;title\x07"+strings.Repeat("界", 50))
	if err := foreign.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestTopInAPipe(t *testing.T) {
	s, name := redistest.Own(t), redistest.Queue(t)
	hostile(t, s, name)
	e := command(t.Context(), nil, nil, "REDIS_URL="+s.URL(), "top")
	if e.code != exitOK || e.stderr != "" || strings.Contains(e.stdout, "\x1b") {
		t.Errorf("exit %d, %q, %q", e.code, e.stderr, e.stdout)
	}
	tells(t, e.stdout, "1 queue, 1 worker", name[:21], `evil\x1b[2J:1:w`, "2/5", "running", `\x1b]0;title\a界界`)
	for line := range strings.Lines(e.stdout) {
		if widthOf(strings.TrimSuffix(line, "\n")) > 80 {
			t.Errorf("wider than 80 columns: %q", line)
		}
	}
}

var toldTerminal = regexp.MustCompile(`\x1b\[[?0-9;]*[a-zA-Z]`)

// TestTopOnATerminal: it is drawn again and again with the rates in it, fits, and gives the screen back when q is pressed.
func TestTopOnATerminal(t *testing.T) {
	s, name := redistest.Own(t), redistest.Queue(t)
	hostile(t, s, name)
	screen := &terminal{columns: 60, rows: 12}
	keys, pressed := io.Pipe()
	ended := make(chan commandEnd, 1)
	go func() { ended <- command(t.Context(), keys, screen, "REDIS_URL="+s.URL(), "NO_COLOR=1", "top") }()
	redistest.Await(t, 20*time.Second, "a second drawing", func() bool { return strings.Count(screen.String(), toBegin) > 1 })
	if _, err := pressed.Write([]byte("xq")); err != nil {
		t.Fatal(err)
	}
	if e := <-ended; e.code != exitOK || e.stderr != "" {
		t.Errorf("exit %d: %q", e.code, e.stderr)
	}
	text := screen.String()
	if !strings.HasPrefix(text, enterScreen) || !strings.HasSuffix(text, leaveScreen) {
		t.Errorf("the screen is not given back: %q", text)
	}
	frames := strings.Split(strings.TrimSuffix(strings.TrimPrefix(text, enterScreen), leaveScreen), toBegin)[1:]
	for i, frame := range frames {
		lines := strings.Split(frame, "\r\n")
		for _, line := range lines {
			if plain := toldTerminal.ReplaceAllString(line, ""); widthOf(plain) > 60 || strings.ContainsAny(plain, "\x1b\n\x07") {
				t.Errorf("frame %d: %q", i, line)
			}
		}
		if len(lines) > 12 {
			t.Errorf("frame %d has %d lines:\n%s", i, len(lines), frame)
		}
	}
	if strings.Contains(text, red) || strings.Contains(text, reverse) {
		t.Error("NO_COLOR is set, and yet there are colors")
	}
}

// TestTopLines: what the screen says of queues, workers and a Redis that is away.
func TestTopLines(t *testing.T) {
	at := time.UnixMilli(1e12)
	overview := func(name string, seconds, enqueued, done int64) queue.Overview {
		return queue.Overview{Queue: name, Now: at.Add(time.Duration(seconds) * time.Second), Counters: map[string]int64{"enqueued": enqueued, "done": done}}
	}
	late := overview("z-late", 2, 30, 20)
	late.Due, late.OldestDue = 3, late.Now.Add(-90*time.Second)
	paused := overview("a-paused", 2, 5, 5)
	paused.Paused = true
	top := &top{session: &session{out: &screen{color: true}, settings: settings.Settings{RedisHost: "redis:6379"}},
		before: sight{at: at, queues: []queue.Overview{overview("a-paused", 0, 9, 5), overview("z-late", 0, 10, 10)}},
		now: sight{at: at, queues: []queue.Overview{paused, late}, workers: []queue.WorkerState{
			{WorkerInfo: queue.WorkerInfo{ID: "quiet", Concurrency: 3}, Queue: "z-late", Living: true, Order: queue.OrderQuiet, LastBeat: late.Now.Add(-1500 * time.Millisecond)},
			{WorkerInfo: queue.WorkerInfo{ID: "gone"}, Queue: "z-late"}}}}
	for i := range 20 {
		top.now.running = append(top.now.running, queue.Info{Job: queue.Job{ID: fmt.Sprint("job", i)}})
	}
	top.failed = errors.New("a line\nand another")
	lines := top.lines(80, 20)
	text := strings.Join(lines, "\n")
	tells(t, text, `what is shown is old: a line\nand another`, yellow+"a-paused paused", "… and 13 more jobs")
	for _, want := range []string{`z-late +0 +3 +0 +0 +2 min +10 +5\b`, `a-paused paused .* - +0\b`, `quiet +z-late +0/3 +1\.5 s quiet`, `gone +z-late +0 +\? dead`} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("nothing matches %s:\n%s", want, text)
		}
	}
	if late, paused := strings.Index(text, "z-late"), strings.Index(text, "a-paused"); late > paused {
		t.Error("what is late does not come first")
	}
	if len(lines) != 20 {
		t.Errorf("%d lines:\n%s", len(lines), text)
	}
}
