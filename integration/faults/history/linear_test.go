package history

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/punctualq/punctual/queue"
)

// taken is a story of one job that a has claimed.
func taken(s *story) string {
	s.enqueue("x", 0)
	return s.claim("a", 1, "x", 1, 0)
}

// reapLost is a reap of a whose answer was lost.
func reapLost(s *story) {
	s.ask("api", Event{Op: queue.OpReap, Worker: "a"})
	s.answer("api", queue.ResUnknown, Event{Op: queue.OpReap, Worker: "a"})
}

func finish(s *story, worker, element string) { s.settle(worker, element, done, done) }

// sound are stories that have an order.
var sound = map[string]func(s *story){
	"done":  func(s *story) { finish(s, "a", taken(s)) },
	"retry": func(s *story) { s.settle("a", taken(s), retry, retry); finish(s, "b", s.claim("b", 1, "x", 2, 0)) },
	"release": func(s *story) {
		s.settle("a", taken(s), release, release)
		finish(s, "b", s.claim("b", 1, "x", 1, 0))
	},
	"reaped, and the late result refused": func(s *story) {
		e := taken(s)
		s.reap("api", "a", "reaped")
		f := s.claim("b", 1, "x", 2, 0)
		s.settle("a", e, done, lost)
		finish(s, "b", f)
	},
	"reaped, and the late result refused before the reap is answered": func(s *story) {
		e := taken(s)
		s.ask("api", Event{Op: queue.OpReap, Worker: "a"})
		s.settle("a", e, done, lost)
		s.answer("api", queue.ResOK, Event{Op: queue.OpReap, Worker: "a", Outcome: "reaped"})
		finish(s, "b", s.claim("b", 1, "x", 2, 0))
	},
	"a reap that was not answered explains the next claim": func(s *story) {
		taken(s)
		reapLost(s)
		finish(s, "b", s.claim("b", 1, "x", 2, 0))
	},
	"a reap that was not answered did nothing": func(s *story) {
		e := taken(s)
		reapLost(s)
		finish(s, "a", e)
	},
	"a reap that left jobs left this one": func(s *story) {
		e := taken(s)
		s.ask("api", Event{Op: queue.OpReap, Worker: "a"})
		s.answer("api", queue.ResOK, Event{Op: queue.OpReap, Worker: "a", Outcome: "reaped", Left: 1})
		finish(s, "a", e)
	},
	"a settle that was not answered explains one that is refused": func(s *story) {
		e := taken(s)
		s.settleRes("a", e, done, queue.ResUnknown, done)
		s.settle("a", e, done, lost)
	},
	"a settle that was not answered did nothing": func(s *story) {
		e := taken(s)
		s.settleRes("a", e, done, queue.ResUnknown, done)
		finish(s, "a", e)
	},
	"a retry that was not answered explains the next claim": func(s *story) {
		s.settleRes("a", taken(s), retry, queue.ResUnknown, retry)
		finish(s, "b", s.claim("b", 1, "x", 2, 0))
	},
	"an enqueue that was not answered": func(s *story) {
		s.ask("api", Event{Op: queue.OpEnqueue, ID: "x"})
		s.answer("api", queue.ResUnknown, Event{Op: queue.OpEnqueue, ID: "x"})
		finish(s, "a", s.claim("a", 1, "x", 1, 0))
	},
	"an enqueue that was not answered explains that it exists": func(s *story) {
		s.ask("api", Event{Op: queue.OpEnqueue, ID: "x"})
		s.ask("other", Event{Op: queue.OpEnqueue, ID: "x"})
		s.answer("other", queue.ResFail, Event{Op: queue.OpEnqueue, ID: "x", Outcome: "exists"})
	},
	"done and handed in again": func(s *story) {
		finish(s, "a", taken(s))
		s.enqueue("x", 0)
		finish(s, "a", s.claim("a", 2, "x", 1, 0))
	},
	"dead, redriven, and begun anew": func(s *story) {
		s.settle("a", taken(s), "dead", "dead")
		s.deed(queue.OpRedrive, queue.ResOK, "", 0)
		finish(s, "a", s.claim("a", 2, "x", 1, 0))
	},
	"a redrive that was not answered explains the next claim": func(s *story) {
		s.settle("a", taken(s), "dead", "dead")
		s.deed(queue.OpRedrive, queue.ResUnknown, "", 0)
		finish(s, "a", s.claim("a", 2, "x", 1, 0))
	},
	"rescheduled, edited, purged, and handed in again": func(s *story) {
		s.enqueue("x", 0)
		s.deed(queue.OpReschedule, queue.ResOK, "", 0)
		s.deed(queue.OpEdit, queue.ResOK, "", 0)
		s.deed(queue.OpPurge, queue.ResOK, "scheduled", 0)
		s.enqueue("x", 0)
		s.settle("a", s.claim("a", 1, "x", 1, 0), "dead", "dead")
		s.deed(queue.OpPurge, queue.ResOK, "dead", 0)
		s.enqueue("x", 0)
		finish(s, "a", s.claim("a", 2, "x", 1, 0))
		s.deed(queue.OpPurge, queue.ResOK, "done", 0)
	},
	"retries taken away by an edit": func(s *story) {
		s.enqueue("x", 0)
		s.claim("a", 1, "x", 1, 0)
		s.reap("api", "a", "reaped")
		s.deed(queue.OpEdit, queue.ResOK, "", 0)
		s.claim("a", 2, "x", 2, 0)
		s.reap("api", "a", "reaped")
		s.deed(queue.OpRedrive, queue.ResOK, "", 0)
		s.claim("b", 1, "x", 1, 0)
	},
	"claimed before the enqueue was answered": func(s *story) {
		s.ask("api", Event{Op: queue.OpEnqueue, ID: "x"})
		s.claim("a", 1, "x", 1, 0)
		s.answer("api", queue.ResOK, Event{Op: queue.OpEnqueue, ID: "x"})
	},
	"a claim that was not answered is adopted": func(s *story) {
		s.enqueue("x", 0)
		s.ask("pa", Event{Op: queue.OpClaim, Worker: "a", Number: 1, Count: 1})
		s.answer("pa", queue.ResUnknown, Event{Op: queue.OpClaim, Worker: "a", Number: 1})
		s.answer("pa", queue.ResOK, Event{Op: queue.OpAdopt, Worker: "a", Number: 1, ID: "x", Element: "1:x", Attempt: 1, MaxRetry: 3})
		finish(s, "a", "1:x")
	},
	"a claim that was not answered explains an attempt": func(s *story) {
		s.enqueue("x", 0)
		s.ask("pa", Event{Op: queue.OpClaim, Worker: "a", Number: 1, Count: 1})
		s.reap("api", "a", "reaped")
		finish(s, "b", s.claim("b", 1, "x", 2, 0))
	},
	"a process was killed while it wrote down what it had claimed": func(s *story) {
		s.enqueue("x", 0)
		s.ask("pa", Event{Op: queue.OpClaim, Worker: "a", Number: 1, Count: 1})
		s.answer("pa", queue.ResOK, Event{Op: queue.OpClaim, Worker: "a", Number: 1, Count: 1})
		s.reap("api", "a", "reaped")
		finish(s, "b", s.claim("b", 1, "x", 2, 0))
	},
	"buried by a reap, dropped, and handed in again": func(s *story) {
		s.enqueue("x", 0)
		for i := range int64(4) {
			s.claim("a", i+1, "x", int(i+1), 0)
			s.reap("api", "a", "reaped")
		}
		s.ask("api", Event{Op: queue.OpTrim})
		s.answer("api", queue.ResOK, Event{Op: queue.OpTrim, Count: 1})
		s.enqueue("x", 0)
		s.claim("b", 1, "x", 1, 0)
	},
}

// unsound are stories that have none.
var unsound = map[string]func(s *story){
	"a result is taken after another claim": func(s *story) {
		e := taken(s)
		s.reap("api", "a", "reaped")
		s.claim("b", 1, "x", 2, 0)
		finish(s, "a", e)
	},
	"two claims at once": func(s *story) { taken(s); s.claim("b", 1, "x", 2, 0) },
	"two claims at once, and a reap that did nothing": func(s *story) {
		taken(s)
		s.reap("api", "a", "alive")
		s.claim("b", 1, "x", 2, 0)
	},
	"done twice": func(s *story) { e := taken(s); finish(s, "a", e); finish(s, "a", e) },
	"a retry and done of one claim, which cannot both have been taken": func(s *story) {
		e := taken(s)
		s.settle("a", e, retry, retry)
		finish(s, "a", e)
	},
	"refused for no reason":                          func(s *story) { s.settle("a", taken(s), done, lost) },
	"claimed after it was done":                      func(s *story) { finish(s, "a", taken(s)); s.claim("b", 1, "x", 2, 0) },
	"claimed before it was handed in":                func(s *story) { s.claim("a", 1, "x", 1, 0); s.enqueue("x", 0) },
	"claimed, and handing it in failed":              func(s *story) { failed(s); s.claim("a", 1, "x", 1, 0) },
	"handed in twice":                                func(s *story) { s.enqueue("x", 0); s.enqueue("x", 0) },
	"an attempt that is not counted":                 func(s *story) { s.settle("a", taken(s), retry, retry); s.claim("b", 1, "x", 1, 0) },
	"an attempt that nobody made":                    func(s *story) { s.settle("a", taken(s), retry, retry); s.claim("b", 1, "x", 3, 0) },
	"a claim that was not answered explains no two":  twoAttempts,
	"reaped before the claim that the reap explains": func(s *story) { s.reap("api", "a", "reaped"); taken(s); s.claim("b", 1, "x", 2, 0) },
	"the settle was not answered, and was sent too late": func(s *story) {
		e := taken(s)
		s.settle("a", e, done, lost)
		s.settleRes("a", e, done, queue.ResUnknown, done)
	},
	"redriven while a worker had it":    func(s *story) { taken(s); s.deed(queue.OpRedrive, queue.ResOK, "", 0) },
	"rescheduled while a worker had it": func(s *story) { taken(s); s.deed(queue.OpReschedule, queue.ResOK, "", 0) },
	"edited after it was done":          func(s *story) { finish(s, "a", taken(s)); s.deed(queue.OpEdit, queue.ResOK, "", 0) },
	"purged and claimed": func(s *story) {
		s.enqueue("x", 0)
		s.deed(queue.OpPurge, queue.ResOK, "scheduled", 0)
		s.claim("a", 1, "x", 1, 0)
	},
	"purged as one that waits, while it was dead": func(s *story) {
		s.settle("a", taken(s), "dead", "dead")
		s.deed(queue.OpPurge, queue.ResOK, "scheduled", 0)
	},
	"redriven, and its attempts counted on": func(s *story) {
		s.settle("a", taken(s), "dead", "dead")
		s.deed(queue.OpRedrive, queue.ResOK, "", 0)
		s.claim("a", 2, "x", 2, 0)
	},
	"claimed after it was buried": func(s *story) {
		s.enqueue("x", 0)
		for i := range int64(4) {
			s.claim("a", i+1, "x", int(i+1), 0)
			s.reap("api", "a", "reaped")
		}
		s.claim("a", 5, "x", 5, 0)
	},
}

func failed(s *story) {
	s.ask("api", Event{Op: queue.OpEnqueue, ID: "x"})
	s.answer("api", queue.ResFail, Event{Op: queue.OpEnqueue, ID: "x"})
}

func twoAttempts(s *story) {
	s.enqueue("x", 0)
	s.ask("pa", Event{Op: queue.OpClaim, Worker: "a", Number: 1, Count: 1})
	s.reap("api", "a", "reaped")
	s.claim("b", 1, "x", 3, 0)
}

func TestLinearizable(t *testing.T) {
	for name, tell := range sound {
		t.Run(name, func(t *testing.T) {
			s, dir := newStory(), t.TempDir()
			tell(s)
			if err := Linearizable(s.history(), dir); err != nil {
				t.Error(err)
			}
			if pages, _ := filepath.Glob(filepath.Join(dir, "*")); len(pages) > 0 {
				t.Errorf("pictures of nothing: %v", pages)
			}
		})
	}
}

func TestNotLinearizable(t *testing.T) {
	for name, tell := range unsound {
		t.Run(name, func(t *testing.T) {
			s, dir := newStory(), t.TempDir()
			s.enqueue("innocent", 0)
			tell(s)
			err := Linearizable(s.history(), dir)
			page := filepath.Join(dir, "linear-q-x.html")
			if err == nil || errors.Is(err, ErrUndecided) || !strings.Contains(err.Error(), "q/x is not") || !strings.Contains(err.Error(), page) {
				t.Fatalf("got %v", err)
			}
			if strings.Contains(err.Error(), "innocent") {
				t.Errorf("it accuses others: %v", err)
			}
			if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "1:x") && !strings.Contains(string(text), "enqueue") {
				t.Errorf("no picture: %v", err)
			}
		})
	}
}

// TestUndecided: too much is not taken for wrong, even if it is, and it hides nothing that is known to be wrong.
func TestUndecided(t *testing.T) {
	long := func(s *story) {
		e := taken(s)
		for range mostSteps {
			s.settleRes("a", e, retry, queue.ResUnknown, retry)
		}
	}
	s := newStory()
	long(s)
	if err := Linearizable(s.history(), t.TempDir()); !errors.Is(err, ErrUndecided) {
		t.Errorf("many operations: %v", err)
	}
	s.enqueue("y", 0)
	s.claim("b", 1, "y", 2, 0)
	if err := Linearizable(s.history(), t.TempDir()); err == nil || errors.Is(err, ErrUndecided) {
		t.Errorf("many operations, and one job that is wrong: %v", err)
	}
	s = newStory()
	for range mostEvents / 2 {
		s.enqueue("x", 0)
	}
	s.enqueue("x", 0)
	if err := Linearizable(s.history(), t.TempDir()); !errors.Is(err, ErrUndecided) {
		t.Errorf("many events: %v", err)
	}
}
