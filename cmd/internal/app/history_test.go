package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/punctualq/punctual/cmd/internal/settings"
	"github.com/punctualq/punctual/queue"
)

// tell opens a history as one process does, and tells n events.
func tell(t *testing.T, path string, n int) {
	t.Helper()
	p := &process{settings: settings.Settings{History: path}, log: zerolog.Nop()}
	if err := p.keepHistory(); err != nil {
		t.Fatal(err)
	}
	for range n {
		p.history(queue.Event{Op: queue.OpTrim, Res: queue.ResInvoke})
	}
}

// A history is appended to, one line an event, and each process begins at 1 under another name.
func TestHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl")
	tell(t, path, 2)
	tell(t, path, 1)
	var seen []queue.Event
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var e queue.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil || !strings.HasSuffix(line, "\n") {
			t.Fatalf("%q: %v", line, err)
		}
		seen = append(seen, e)
	}
	if len(seen) != 3 || seen[0].Seq != 1 || seen[1].Seq != 2 || seen[2].Seq != 1 || seen[0].Proc != seen[1].Proc || seen[1].Proc == seen[2].Proc {
		t.Errorf("%+v", seen)
	}
}

// A line that was cut off is ended, so that the next one can be read.
func TestHistoryAfterACutLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl")
	for _, c := range []struct{ before, ended string }{{"", ""}, {`{"seq":1}` + "\n", `{"seq":1}` + "\n"}, {`{"se`, `{"se` + "\n"}} {
		if err := os.WriteFile(path, []byte(c.before), 0o600); err != nil {
			t.Fatal(err)
		}
		tell(t, path, 1)
		text, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(text), c.ended+`{"seq":1,`) || strings.Count(string(text), "\n") != strings.Count(c.ended, "\n")+1 {
			t.Errorf("after %q: %q %v", c.before, text, err)
		}
	}
}

func TestHistoryOff(t *testing.T) {
	p := &process{}
	if err := p.keepHistory(); err != nil || p.history != nil {
		t.Errorf("without PUNCTUAL_HISTORY: %v", err)
	}
	p.settings.History = filepath.Join(t.TempDir(), "no", "such", "folder")
	if err := p.keepHistory(); err == nil {
		t.Error("a file that cannot be opened is no error")
	}
}
