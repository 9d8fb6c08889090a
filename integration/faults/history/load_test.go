package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/punctualq/punctual/queue"
)

// lines is what a process writes: an enqueue a job.
func lines(proc string, n int) string {
	var b bytes.Buffer
	write := queue.HistoryTo(&b, proc, nil)
	for i := range n {
		write(Event{Op: queue.OpEnqueue, Res: queue.ResInvoke, Queue: "q", ID: fmt.Sprint(i)})
	}
	return b.String()
}

func TestLoad(t *testing.T) {
	whole := lines("one", 3)
	cut := whole[:len(whole)-10]
	parts := strings.SplitAfter(whole, "\n")
	for _, c := range []struct {
		name, text string
		events     int // -1: refused
	}{
		{"whole", whole, 3},
		{"empty", "", 0},
		{"the last line is cut", cut, 2},
		{"the last line is cut, and another process goes on", cut + "\n" + lines("two", 2), 4},
		{"a line in the middle is cut", parts[0] + parts[1][:20] + "\n" + parts[2], -1},
		{"a line is missing", parts[0] + parts[2], -1},
		{"the first line is missing", parts[1] + parts[2], -1},
		{"two cut lines", parts[0] + "{\n{\n" + lines("two", 1), -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "a.jsonl"), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			h, err := Load(dir)
			if refused := err != nil; refused != (c.events < 0) || !refused && len(h.Events) != c.events {
				t.Errorf("%d events, %v; want %d", len(h.Events), err, c.events)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	s := newStory()
	for i := range 30 {
		s.write(fmt.Sprint("p", i%7), Event{Op: queue.OpObserve})
	}
	h := s.history()
	for i := 1; i < len(h.Events); i++ {
		if h.Events[i-1].MonoNS >= h.Events[i].MonoNS {
			t.Fatalf("event %d is not after the one before", i)
		}
	}
	if len(h.Events) != 30 {
		t.Errorf("%d events, want 30", len(h.Events))
	}
}

// TestLinear: the checker's steps grow as the history does, up to a million events.
func TestLinear(t *testing.T) {
	perEvent := map[int]float64{}
	for _, jobs := range []int{10_000, 100_000} {
		s := newStory()
		s.beat("a", "new")
		for i := range jobs {
			id := fmt.Sprint(i)
			s.enqueue(id, 0)
			e := s.claim("a", int64(i+1), id, 1, s.redis()-1)
			s.run("a", e)
			s.settle("a", e, done, done)
			if i%100 == 0 {
				s.beat("a", "renew")
			}
		}
		h := s.history()
		v := Check(h, Rules{Final: nothing})
		if err := v.Err(); err != nil {
			t.Fatal(err)
		}
		perEvent[jobs] = float64(v.steps) / float64(len(h.Events))
	}
	if ratio := perEvent[100_000] / perEvent[10_000]; ratio > 1.05 {
		t.Errorf("ten times the history takes %.2f times the steps an event: %v", ratio, perEvent)
	}
}

// TestEventsReadBack: what is written can be read, field by field.
func TestEventsReadBack(t *testing.T) {
	var b bytes.Buffer
	want := Event{Op: queue.OpClaim, Res: queue.ResOK, ID: "x", Element: "1:x", Attempt: 2, DueMS: 5, Error: "none\n"}
	queue.HistoryTo(&b, "p", nil)(want)
	var got Event
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want.Seq, want.Proc, want.MonoNS = 1, "p", got.MonoNS
	if got != want || got.MonoNS == 0 || strings.Count(b.String(), "\n") != 1 {
		t.Errorf("read %+v, want %+v", got, want)
	}
}
