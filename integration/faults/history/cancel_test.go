package history

import (
	"maps"
	"strings"
	"testing"

	"github.com/punctualq/punctual/queue"
)

// cancel is a cancel of x that was answered so.
func (s *story) cancel(res queue.Res, found string) {
	s.ask("api", Event{Op: queue.OpCancelJob, ID: "x"})
	s.answer("api", res, Event{Op: queue.OpCancelJob, ID: "x", Outcome: queue.Outcome(found)})
}

const cancelled = queue.OutcomeCancelled

// cancels are stories with a cancel, and the rule that each breaks: none, and then they have an order too.
var cancels = map[string]struct {
	tell func(s *story)
	left State
	want string
}{
	"one that waits": {tell: func(s *story) { s.enqueue("x", 0); s.cancel(queue.ResOK, "scheduled") }},
	"one that waits, twice, and handed in again": {tell: func(s *story) {
		s.enqueue("x", 0)
		s.cancel(queue.ResOK, "scheduled")
		s.cancel(queue.ResFail, "")
		s.enqueue("x", 0)
		finish(s, "a", s.claim("a", 1, "x", 1, 0))
	}},
	"one that is run": {tell: func(s *story) {
		e := taken(s)
		s.cancel(queue.ResOK, "processing")
		s.settle("a", e, retry, cancelled)
	}},
	"one that is done all the same": {tell: func(s *story) { e := taken(s); s.cancel(queue.ResOK, "processing"); finish(s, "a", e) }},
	"one that is held still":        {tell: func(s *story) { taken(s); s.cancel(queue.ResOK, "processing") }, left: State{Processing: []string{"x"}}},
	"its worker dies": {tell: func(s *story) {
		taken(s)
		s.cancel(queue.ResOK, "processing")
		s.reap("api", "a", "reaped")
	}},
	"not answered, and it ran": {tell: func(s *story) { s.enqueue("x", 0); s.cancel(queue.ResUnknown, "") }},
	"not answered, and it did not run": {tell: func(s *story) {
		s.enqueue("x", 0)
		s.cancel(queue.ResUnknown, "")
		finish(s, "a", s.claim("a", 1, "x", 1, 0))
	}},
	"not answered, and it explains what was dropped": {tell: func(s *story) {
		e := taken(s)
		s.cancel(queue.ResUnknown, "")
		s.settle("a", e, retry, cancelled)
	}},
	"dropped, and nobody has cancelled it": {tell: func(s *story) { s.settle("a", taken(s), retry, cancelled) }, want: Cancelled},
	"claimed after it was gone": {tell: func(s *story) {
		s.enqueue("x", 0)
		s.cancel(queue.ResOK, "scheduled")
		s.claim("a", 1, "x", 1, 0)
	}, left: State{Processing: []string{"x"}}, want: Cancelled},
	"retried": {tell: func(s *story) {
		e := taken(s)
		s.cancel(queue.ResOK, "processing")
		s.settle("a", e, retry, retry)
	}, left: State{Scheduled: []string{"x"}}, want: Cancelled},
	"run again after its worker has died": {tell: func(s *story) {
		taken(s)
		s.cancel(queue.ResOK, "processing")
		s.reap("api", "a", "reaped")
		finish(s, "b", s.claim("b", 1, "x", 2, 0))
	}, want: Cancelled},
}

func TestCancelled(t *testing.T) {
	for name, c := range maps.All(cancels) {
		t.Run(name, func(t *testing.T) {
			s := newStory()
			c.tell(s)
			c.left.Queue = "q"
			err := Check(s.history(), Rules{Final: []State{c.left}}).Err("I10", "I13") // nobody registers here
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want+": q/x")) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if err := Linearizable(s.history(), t.TempDir()); (err == nil) != (c.want == "") {
				t.Errorf("linearizable: %v", err)
			}
		})
	}
}
