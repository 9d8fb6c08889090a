package history

import (
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

const (
	done    = queue.OutcomeDone
	retry   = queue.OutcomeRetry
	release = queue.OutcomeRelease
	lost    = queue.OutcomeLost
)

var timing = queue.Timing{Interval: 100 * time.Millisecond, TTL: 500 * time.Millisecond}

// example is one history; want is the rule that it breaks and the reason, empty if it breaks none.
type example struct {
	name  string
	tell  func(s *story)
	rules Rules
	want  string // "rule: q/id: part of the reason"
	also  string // an allowed finding
}

// begun is a story with a worker a, a job x that it has claimed at once, and a worker b.
func begun(s *story) string {
	s.living(300)
	s.beat("a", "new")
	s.beat("b", "new")
	s.enqueue("x", 0)
	return s.claim("a", 1, "x", 1, s.redis()-1)
}

func due(s *story) int64 { return s.redis() }

// reaped: a has died, and b may claim what it had.
func reaped(s *story) {
	s.living(700)
	s.reap("api", "a", "reaped")
	s.beat("b", "renew")
}

var nothing = []State{{Queue: "q"}}

func TestRules(t *testing.T) {
	cases := []example{
		{name: "done", tell: func(s *story) { e := begun(s); s.run("a", e); s.settle("a", e, done, done) }, rules: Rules{Final: nothing}},
		{name: "acknowledged and never seen again", tell: func(s *story) { s.enqueue("x", 0) }, rules: Rules{Final: nothing},
			want: "lost: q/x: never claimed"},
		{name: "acknowledged and waiting", tell: func(s *story) { s.enqueue("x", 0) }, rules: Rules{Final: []State{{Queue: "q", Scheduled: []string{"x"}}}}},
		{name: "acknowledged and dead", tell: func(s *story) { s.enqueue("x", 0) }, rules: Rules{Final: []State{{Queue: "q", Dead: []string{"x"}}}}},
		{name: "acknowledged, nobody knows the end", tell: func(s *story) { s.enqueue("x", 0) }},
		{name: "claimed, run and gone", tell: func(s *story) { s.run("a", begun(s)) }, rules: Rules{Final: nothing}, want: "lost: q/x: claimed 1 times"},
		{name: "claimed, and the report was not answered", tell: func(s *story) {
			e := begun(s)
			s.run("a", e)
			s.settleRes("a", e, done, queue.ResUnknown, done)
		}, rules: Rules{Final: nothing}},
		{name: "not taken and not there", tell: func(s *story) {
			s.ask("api", Event{Op: queue.OpEnqueue, ID: "x"})
			s.answer("api", queue.ResFail, Event{Op: queue.OpEnqueue, ID: "x"})
		}, rules: Rules{Final: nothing}},
		{name: "not taken, and there", tell: func(s *story) {
			s.ask("api", Event{Op: queue.OpEnqueue, ID: "x"})
			s.answer("api", queue.ResFail, Event{Op: queue.OpEnqueue, ID: "x"})
		}, rules: Rules{Final: []State{{Queue: "q", Scheduled: []string{"x"}}}}, want: "unexpected: q/x: was not taken"},
		{name: "there, and never handed in", tell: func(s *story) {}, rules: Rules{Final: []State{{Queue: "q", Dead: []string{"x"}}}},
			want: "unexpected: q/x: nobody"},
		{name: "exists, handed in before this history", tell: func(s *story) {
			s.ask("api", Event{Op: queue.OpEnqueue, ID: "x"})
			s.answer("api", queue.ResFail, Event{Op: queue.OpEnqueue, ID: "x", Outcome: "exists"})
		}, rules: Rules{Final: []State{{Queue: "q", Scheduled: []string{"x"}}}}},
		{name: "outcome unknown, and there", tell: func(s *story) {
			s.ask("api", Event{Op: queue.OpEnqueue, ID: "x"})
			s.answer("api", queue.ResUnknown, Event{Op: queue.OpEnqueue, ID: "x"})
		}, rules: Rules{Final: []State{{Queue: "q", Scheduled: []string{"x"}}}}, also: "recovered: q/x: not told"},
		{name: "the API was killed before it answered", tell: func(s *story) { s.ask("api", Event{Op: queue.OpEnqueue, ID: "x"}) },
			rules: Rules{Final: []State{{Queue: "q", Scheduled: []string{"x"}}}}, also: "recovered: q/x: not told"},

		{name: "run once more after a retry", tell: func(s *story) {
			e := begun(s)
			s.run("a", e)
			at := s.settle("a", e, retry, retry).RedisMS
			e = s.claim("b", 1, "x", 2, at)
			s.run("b", e)
			s.settle("b", e, done, done)
		}, rules: Rules{Final: nothing}},
		{name: "run once more after its worker died", tell: func(s *story) {
			s.start("a", begun(s))
			reaped(s)
			e := s.claim("b", 1, "x", 2, due(s))
			s.run("b", e)
			s.settle("b", e, done, done)
		}, rules: Rules{Final: nothing, Timing: timing}, also: "duplicated: q/x: a was reaped"},
		{name: "run once more while its worker lives", tell: func(s *story) {
			s.start("a", begun(s))
			s.run("b", s.claim("b", 1, "x", 2, due(s)))
		}, want: "duplicated: q/x: run by a and again by b"},
		{name: "one claim run twice", tell: func(s *story) { e := begun(s); s.run("a", e); s.run("a", e) }, want: "duplicated: q/x: run twice by a"},
		{name: "run without a claim", tell: func(s *story) { begun(s); s.run("b", "1:x") }, want: "I5: q/x: never claimed"},

		{name: "early by the due time of Redis", tell: func(s *story) {
			s.beat("a", "new")
			s.enqueue("x", 50)
			s.claim("a", 1, "x", 1, s.redis()+47)
		}, want: "early: q/x: before it was due"},
		{name: "early though Redis says it was due", tell: func(s *story) {
			s.beat("a", "new")
			s.enqueue("x", 50)
			s.claim("a", 1, "x", 1, due(s))
		}, want: "early: q/x: should have been due"},
		{name: "just in time", tell: func(s *story) {
			s.beat("a", "new")
			s.enqueue("x", 50)
			at := due(s) - 1 + 50 // of the answer
			s.wait(at - s.redis() - 2)
			s.claim("a", 1, "x", 1, at)
		}},
		{name: "a retry before its delay", tell: func(s *story) {
			e := begun(s)
			s.settle("a", e, retry, retry)
			s.procs["pa"][len(s.procs["pa"])-2].DelayMS = 50
			s.claim("b", 1, "x", 2, due(s))
		}, want: "early: q/x: should have been due"},
		{name: "a due time that nobody has set", tell: func(s *story) {
			e := begun(s)
			at := s.settle("a", e, retry, retry).RedisMS
			s.wait(50)
			s.claim("b", 1, "x", 2, at+20)
		}, want: "I13: q/x: should have been"},

		{name: "claimed while another holds it", tell: func(s *story) { begun(s); s.claim("b", 1, "x", 2, due(s)) }, want: "I5: q/x: while a held it"},
		{name: "a claim number used twice", tell: func(s *story) {
			e := begun(s)
			s.settle("a", e, done, done)
			s.enqueue("y", 0)
			s.claim("a", 1, "y", 1, s.redis()-1)
		}, want: "I5: q/: claim number"},
		{name: "claimed after an attempt to reap that found it alive", tell: func(s *story) {
			begun(s)
			s.reap("api", "a", "alive")
			s.claim("b", 1, "x", 2, due(s))
		}, want: "I5: q/x: while a held it"},
		{name: "claimed after a reap whose answer was lost", tell: func(s *story) {
			begun(s)
			s.ask("api", Event{Op: queue.OpReap, Worker: "a"})
			s.answer("api", queue.ResUnknown, Event{Op: queue.OpReap, Worker: "a"})
			s.claim("b", 1, "x", 2, due(s))
		}},

		{name: "a late result is taken", tell: func(s *story) {
			e := begun(s)
			reaped(s)
			s.claim("b", 1, "x", 2, due(s))
			s.wait(5)
			s.settle("a", e, retry, retry)
		}, want: "I6: q/x: after b had claimed it"},
		{name: "a late result is refused", tell: func(s *story) {
			e := begun(s)
			reaped(s)
			s.claim("b", 1, "x", 2, due(s))
			s.settle("a", e, done, lost)
		}},
		{name: "a result is refused for no reason", tell: func(s *story) { s.settle("a", begun(s), done, lost) }, want: "I6: q/x: nobody has reaped it"},
		{name: "a result is refused since it was taken before", tell: func(s *story) {
			e := begun(s)
			s.settleRes("a", e, done, queue.ResUnknown, done)
			s.settle("a", e, done, lost)
		}, rules: Rules{Final: nothing}},
		{name: "a result is taken twice", tell: func(s *story) { e := begun(s); s.settle("a", e, retry, retry); s.settle("a", e, retry, retry) },
			want: "I6: q/x: 2 results"},
		{name: "a result under a new id", tell: func(s *story) { begun(s); reaped(s); s.renamed("a", "1:x", lost) }},
		{name: "a result under a new id that counted", tell: func(s *story) { begun(s); reaped(s); s.renamed("a", "1:x", done) },
			want: "I6: q/x: under another id"},
		{name: "a result of a claim that never was", tell: func(s *story) { begun(s); s.settle("b", "7:x", done, lost) }, want: "I6: q/x: never claimed"},

		{name: "done twice", tell: func(s *story) {
			e := begun(s)
			reaped(s)
			f := s.claim("b", 1, "x", 2, due(s))
			s.settle("b", f, done, done)
			s.settle("a", e, done, done)
		}, want: "I7: q/x: ended 2 times"},
		{name: "done, handed in again, and done", tell: func(s *story) {
			s.settle("a", begun(s), done, done)
			s.enqueue("x", 0)
			e := s.claim("a", 2, "x", 1, s.redis()-1)
			s.settle("a", e, done, done)
		}, rules: Rules{Final: nothing}},
		{name: "done and still there", tell: func(s *story) { s.settle("a", begun(s), done, done) },
			rules: Rules{Final: []State{{Queue: "q", Scheduled: []string{"x"}}}}, want: "I7: q/x: still scheduled"},

		{name: "claimed after it was done", tell: func(s *story) {
			s.settle("a", begun(s), done, done)
			s.claim("b", 1, "x", 1, due(s))
		}, want: "I8: q/x: after it was done"},
		{name: "too many attempts", tell: func(s *story) {
			s.beat("a", "new")
			s.enqueue("x", 0)
			s.ask("pa", Event{Op: queue.OpClaim, Worker: "a", Number: 1})
			s.answer("pa", queue.ResOK, Event{Op: queue.OpClaim, Worker: "a", Number: 1})
			s.claimed("a", 1, "x", 5, s.redis()-1)
		}, want: "I8: q/x: max_retry is 3"},
		{name: "an attempt that is not counted", tell: func(s *story) {
			at := s.settle("a", begun(s), retry, retry).RedisMS
			s.claim("b", 1, "x", 1, at)
		}, want: "I8: q/x: attempt 1 follows attempt 1"},
		{name: "an attempt that is given back", tell: func(s *story) {
			at := s.settle("a", begun(s), release, release).RedisMS
			s.claim("b", 1, "x", 1, at)
		}},
		{name: "an attempt that nobody made", tell: func(s *story) {
			at := s.settle("a", begun(s), retry, retry).RedisMS
			s.claim("b", 1, "x", 3, at)
		}, want: "I8: q/x: attempt 3 follows attempt 1"},
		{name: "an attempt of a worker that was killed", tell: func(s *story) {
			at := s.settle("a", begun(s), retry, retry).RedisMS
			s.ask("pc", Event{Op: queue.OpClaim, Worker: "c", Number: 1})
			s.claim("b", 1, "x", 3, at)
		}},

		{name: "claimed unregistered", tell: func(s *story) { s.enqueue("x", 0); s.claim("a", 1, "x", 1, s.redis()-1) }, want: "I10: q/x: not registered"},
		{name: "claimed after it was reaped", tell: func(s *story) {
			e := begun(s)
			s.settle("a", e, done, done)
			reaped(s)
			s.enqueue("y", 0)
			s.claim("a", 2, "y", 1, s.redis()-1)
		}, want: "I10: q/y: reaped or had left"},
		{name: "claimed after it left", tell: func(s *story) {
			s.settle("a", begun(s), done, done)
			s.ask("pa", Event{Op: queue.OpLeave, Worker: "a"})
			s.answer("pa", queue.ResOK, Event{Op: queue.OpLeave, Worker: "a", Outcome: "left"})
			s.enqueue("y", 0)
			s.claim("a", 2, "y", 1, s.redis()-1)
		}, want: "I10: q/y: reaped or had left"},
		{name: "fenced after it was reaped, and registered anew", tell: func(s *story) {
			s.settle("a", begun(s), done, done)
			reaped(s)
			s.ask("pa", Event{Op: queue.OpClaim, Worker: "a", Number: 2})
			s.answer("pa", queue.ResFail, Event{Op: queue.OpClaim, Worker: "a", Number: 2, Outcome: "fenced"})
			s.beat("a2", "new")
			s.enqueue("y", 0)
			s.claim("a2", 3, "y", 1, s.redis()-1)
		}},

		{name: "reaped while its heartbeat counts", tell: func(s *story) { begun(s); s.living(300); s.reap("api", "a", "reaped") },
			rules: Rules{Timing: timing}, want: "I11: q/: after a heartbeat"},
		{name: "reaped after it has left with jobs", tell: func(s *story) {
			begun(s)
			s.ask("pa", Event{Op: queue.OpLeave, Worker: "a"})
			s.answer("pa", queue.ResOK, Event{Op: queue.OpLeave, Worker: "a", Outcome: "kept"})
			s.living(50)
			s.reap("api", "a", "reaped")
		}, rules: Rules{Timing: timing}},
		{name: "reaped at once after an outage", tell: func(s *story) { begun(s); s.wait(2000); s.living(100); s.reap("api", "a", "reaped") },
			rules: Rules{Timing: timing}, want: "I11: q/: observation window"},
		{name: "reaped a while after an outage", tell: func(s *story) { begun(s); s.wait(2000); s.living(400); s.reap("api", "a", "reaped") },
			rules: Rules{Timing: timing}},
		{name: "reaped when nobody has looked", tell: func(s *story) { begun(s); s.living(600); s.wait(300); s.reap("api", "a", "reaped") },
			rules: Rules{Timing: timing}, want: "I11: q/: after the last observation"},

		{name: "run on in doubt", tell: func(s *story) { e := begun(s); s.start("a", e); s.wait(700); s.end("a", e) },
			rules: Rules{Timing: timing, LeaseDoubtCancel: true, Tolerance: 100 * time.Millisecond}, want: "I12: q/x: had not ended"},
		{name: "run on in doubt, noticed at the next heartbeat", tell: func(s *story) {
			e := begun(s)
			s.start("a", e)
			s.wait(700)
			s.beat("a", "renew")
		}, rules: Rules{Timing: timing, LeaseDoubtCancel: true, Tolerance: 100 * time.Millisecond}, want: "I12: q/x: had not ended"},
		{name: "run on in doubt, as is the default", tell: func(s *story) { e := begun(s); s.start("a", e); s.wait(700); s.end("a", e) },
			rules: Rules{Timing: timing, Tolerance: 100 * time.Millisecond}},
		{name: "cancelled in doubt", tell: func(s *story) {
			e := begun(s)
			s.start("a", e)
			s.wait(400)
			s.handler("a", e, queue.OpCancel)
			s.wait(400)
			s.end("a", e)
		}, rules: Rules{Timing: timing, LeaseDoubtCancel: true, Tolerance: 100 * time.Millisecond}},
		{name: "stopped, and cancelled when it goes on", tell: func(s *story) {
			e := begun(s)
			s.start("a", e)
			s.wait(1000)
			s.handler("a", e, queue.OpCancel)
		}, rules: Rules{Timing: timing, LeaseDoubtCancel: true, Tolerance: 100 * time.Millisecond,
			Asleep: []Asleep{{Proc: "pa", From: 0, To: 1400 * int64(time.Millisecond)}}}},
		{name: "started in doubt", tell: func(s *story) { e := begun(s); s.wait(700); s.start("a", e) },
			rules: Rules{Timing: timing, Tolerance: 100 * time.Millisecond}, want: "I12: q/x: started on a"},

		{name: "put off, and claimed then", tell: func(s *story) {
			s.beat("a", "new")
			s.enqueue("x", 0)
			s.deed(queue.OpReschedule, queue.ResOK, "", s.redis()+52)
			s.wait(60)
			s.claim("a", 1, "x", 1, epoch+4+52)
		}},
		{name: "put off, and claimed before", tell: func(s *story) {
			s.beat("a", "new")
			s.enqueue("x", 0)
			s.wait(5)
			s.deed(queue.OpReschedule, queue.ResOK, "", s.redis()+500)
			s.wait(5)
			s.claim("a", 1, "x", 1, epoch+3)
		}, want: "early: q/x: should have been due"},
		{name: "run now", tell: func(s *story) {
			s.beat("a", "new")
			s.enqueue("x", 5000)
			s.wait(5)
			s.deed(queue.OpReschedule, queue.ResOK, "", s.redis()+1)
			s.wait(5)
			s.claim("a", 1, "x", 1, epoch+10)
		}},
		{name: "rescheduled, and due when nobody said", tell: func(s *story) {
			s.beat("a", "new")
			s.enqueue("x", 0)
			s.wait(5)
			s.deed(queue.OpReschedule, queue.ResOK, "", s.redis()+10)
			s.wait(50)
			s.claim("a", 1, "x", 1, epoch+40)
		}, want: "I13: q/x: should have been"},
		{name: "a retry that people have put off", tell: func(s *story) {
			at := s.settle("a", begun(s), retry, retry).RedisMS
			s.wait(5)
			s.deed(queue.OpReschedule, queue.ResOK, "", s.redis()+500)
			s.wait(5)
			s.claim("b", 1, "x", 2, at)
		}, want: "early: q/x: should have been due"},
		{name: "rescheduled, and not answered", tell: func(s *story) {
			s.beat("a", "new")
			s.enqueue("x", 5000)
			s.deed(queue.OpReschedule, queue.ResUnknown, "", 0)
			s.claim("a", 1, "x", 1, s.redis()-1)
		}},
		{name: "not rescheduled, and claimed before", tell: func(s *story) {
			s.beat("a", "new")
			s.enqueue("x", 5000)
			s.deed(queue.OpReschedule, queue.ResFail, "", 0)
			s.claim("a", 1, "x", 1, s.redis()-1)
		}, want: "early: q/x: should have been due"},

		{name: "dead, redriven, and done at its first attempt", tell: func(s *story) {
			s.settle("a", begun(s), "dead", "dead")
			s.deed(queue.OpRedrive, queue.ResOK, "", 0)
			e := s.claim("a", 2, "x", 1, s.redis())
			s.run("a", e)
			s.settle("a", e, done, done)
		}, rules: Rules{Final: nothing}},
		{name: "dead, and run again though nobody has redriven it", tell: func(s *story) {
			s.settle("a", begun(s), "dead", "dead")
			s.deed(queue.OpRedrive, queue.ResFail, "", 0)
			s.claim("a", 2, "x", 1, s.redis())
		}, want: "I8: q/x: after it was dead"},
		{name: "redriven once, and dead three times", tell: func(s *story) {
			s.settle("a", begun(s), "dead", "dead")
			s.deed(queue.OpRedrive, queue.ResOK, "", 0)
			for i := range int64(2) {
				s.settle("a", s.claim("a", 2+i, "x", 1, s.redis()), "dead", "dead")
			}
		}, want: "I7: q/x: ended 3 times"},

		{name: "purged", tell: func(s *story) { s.enqueue("x", 5000); s.deed(queue.OpPurge, queue.ResOK, "scheduled", 0) }, rules: Rules{Final: nothing}},
		{name: "dead and purged", tell: func(s *story) {
			s.settle("a", begun(s), "dead", "dead")
			s.deed(queue.OpPurge, queue.ResOK, "dead", 0)
		}, rules: Rules{Final: nothing}},
		{name: "purged, for all one knows", tell: func(s *story) { s.enqueue("x", 5000); s.deed(queue.OpPurge, queue.ResUnknown, "scheduled", 0) },
			rules: Rules{Final: nothing}},
		{name: "not purged, and gone", tell: func(s *story) { s.enqueue("x", 5000); s.deed(queue.OpPurge, queue.ResFail, "scheduled", 0) },
			rules: Rules{Final: nothing}, want: "lost: q/x: never claimed"},
		{name: "purged and still there", tell: func(s *story) { s.enqueue("x", 5000); s.deed(queue.OpPurge, queue.ResOK, "scheduled", 0) },
			rules: Rules{Final: []State{{Queue: "q", Scheduled: []string{"x"}}}}, want: "I7: q/x: purged, and still scheduled"},
		{name: "purged and claimed", tell: func(s *story) {
			s.beat("a", "new")
			s.enqueue("x", 0)
			s.deed(queue.OpPurge, queue.ResOK, "scheduled", 0)
			s.claim("a", 1, "x", 1, s.redis()-3)
		}, want: "I8: q/x: after it was purged"},
		{name: "purged and handed in again", tell: func(s *story) {
			s.beat("a", "new")
			s.enqueue("x", 0)
			s.deed(queue.OpPurge, queue.ResOK, "scheduled", 0)
			s.enqueue("x", 0)
			s.settle("a", s.claim("a", 1, "x", 1, s.redis()-1), done, done)
		}, rules: Rules{Final: nothing}},

		{name: "an edit excuses no retry beyond max_retry", tell: func(s *story) {
			e := begun(s)
			for i := range int64(4) {
				at := s.settle("a", e, retry, retry).RedisMS
				if i == 3 {
					s.deed(queue.OpEdit, queue.ResOK, "", 0)
				}
				e = s.claim("a", 2+i, "x", int(2+i), at)
			}
		}, want: "I8: q/x: retried after attempt 4"},
		{name: "max_retry taken away by an edit", tell: func(s *story) {
			s.beat("a", "new")
			s.enqueue("x", 0)
			s.deed(queue.OpEdit, queue.ResOK, "", 0)
			s.ask("pa", Event{Op: queue.OpClaim, Worker: "a", Number: 1})
			s.answer("pa", queue.ResUnknown, Event{Op: queue.OpClaim, Worker: "a", Number: 1})
			s.claim("a", 2, "x", 5, s.redis()-4)
		}},
		{name: "a deed that nobody has sent", tell: func(s *story) { s.answer("api", queue.ResOK, Event{Op: queue.OpPurge, ID: "x"}) },
			want: "history: q/x: never sent"},

		{name: "an answer to nothing", tell: func(s *story) { s.answer("api", queue.ResOK, Event{Op: queue.OpEnqueue, ID: "x"}) }, want: "history: q/x: never sent"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newStory()
			c.tell(s)
			v := Check(s.history(), c.rules)
			if c.want == "" {
				if err := v.Err(); err != nil {
					t.Errorf("innocent, but %v", err)
				}
			} else if !told(v.Broken(), c.want) {
				t.Errorf("broken: %q, want %q among them", v.Broken(), c.want)
			}
			if c.also != "" && (!told(v.Findings, c.also) || told(v.Broken(), c.also)) {
				t.Errorf("found %q, want %q among them, and allowed", v.Findings, c.also)
			}
		})
	}
}

// told says whether a finding is among others: its rule and id, and a part of its reason.
func told(found []Finding, want string) bool {
	head, reason, _ := strings.Cut(want, ": ")
	id, reason, _ := strings.Cut(reason, ": ")
	for _, f := range found {
		if f.Rule == head && f.Queue+"/"+f.ID == id && strings.Contains(f.Reason, reason) {
			return true
		}
	}
	return false
}
