package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

func TestHeartbeatEveryIntervalGiveOrTakeATenth(t *testing.T) {
	for _, latency := range []time.Duration{0, 300 * time.Millisecond} {
		t.Run(latency.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStore(t)
				s.latency = latency
				start(s, 5, nil)
				pass(10 * time.Minute)
				beats := s.since("renew", 0)
				least, most := time.Hour, time.Duration(0)
				for i := range beats[1:] {
					d := beats[i+1].at.Sub(beats[i].at)
					least, most = min(least, d), max(most, d)
				}
				if least < 1800*time.Millisecond || most > 2200*time.Millisecond {
					t.Errorf("%s to %s between heartbeats", least, most)
				}
				if most-least < 200*time.Millisecond {
					t.Errorf("%s to %s between heartbeats: no jitter to speak of", least, most)
				}
				if s.count("new") != 1 {
					t.Errorf("registered %d times", s.count("new"))
				}
			})
		})
	}
}

// While Redis is away it is tried at least every 550 ms and never more than a few times a second, and the worker is at work
// again within 2 s of its return.
func TestOutage(t *testing.T) {
	for name, f := range map[string]fault{
		"refused":    {kind: answerErr, err: queue.ErrUnavailable},
		"swallowed":  {kind: hang},
		"paused":     {kind: hangTillBack},
		"slow error": {kind: requestLost, d: 700 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStore(t)
				r := start(s, 5, lasting(30*time.Second))
				s.add("long", 0)
				pass(5 * time.Second)
				s.goAway(f)
				mark, begin := s.mark(), time.Now()
				pass(10 * time.Minute)
				checkCalls(t, s, mark, 10*time.Minute)
				tries := s.since("renew", mark)
				for i := range tries[4:] { // after the first few, which come faster
					if d := tries[i+4].at.Sub(tries[i+3].at); f.kind == answerErr && (d < 450*time.Millisecond || d > 550*time.Millisecond) {
						t.Fatalf("%s between two tries", d)
					}
				}
				if last := tries[len(tries)-1]; f.kind == answerErr && time.Since(last.at) > 550*time.Millisecond {
					t.Errorf("the last try was %s ago", time.Since(last.at))
				}
				checkOutageLog(t, r, begin)
				s.comeBack()
				s.add("after", 0)
				pass(2 * time.Second)
				if len(r.diary.of("after")) != 1 || s.finished("long") != 1 || len(r.diary.of("long")) != 1 {
					t.Errorf("2 s after its return: %v; long finished %d times", r.diary.all(), s.finished("long"))
				}
				pass(10 * time.Minute)
				if n := len(r.logs.find("is back")); n != 1 {
					t.Errorf("%d lines say that Redis is back", n)
				}
			})
		})
	}
}

// checkCalls: at most 7 calls a second to a Redis that is away.
func checkCalls(t *testing.T, s *store, mark int, d time.Duration) {
	t.Helper()
	if n := len(s.since("", mark)); n > 7*int(d.Seconds()) {
		t.Errorf("%d calls in %s", n, d)
	}
}

// checkOutageLog: at least one line, at most 12 lines in any minute, and no word of a return.
func checkOutageLog(t *testing.T, r *rig, begin time.Time) {
	t.Helper()
	perMinute := map[int]int{}
	for _, l := range r.logs.find("") {
		if !l.at.Before(begin) {
			perMinute[int(l.at.Sub(begin).Minutes())]++
		}
	}
	if perMinute[0] == 0 {
		t.Error("nothing was logged in the first minute")
	}
	for minute, n := range perMinute {
		if n > 12 {
			t.Errorf("%d log lines in minute %d", n, minute)
		}
	}
	if n := len(r.logs.find("is back")); n != 0 {
		t.Errorf("%d lines say that Redis is back", n)
	}
}

// A Redis that is there every other moment fills no log, and whoever reads it learns how it ended.
func TestFlappingRedisFillsNoLog(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		r := start(s, 5, nil)
		begin := time.Now()
		for range 60 { // three minutes
			s.fail("renew", fault{kind: answerErr, err: queue.ErrUnavailable}, fault{})
			pass(3 * time.Second)
		}
		pass(time.Minute)
		perMinute := map[int]int{}
		for _, l := range r.logs.find("Redis") {
			perMinute[int(l.at.Sub(begin).Minutes())]++
		}
		for minute, n := range perMinute {
			if n > 24 { // 12 warnings and as many returns
				t.Errorf("%d log lines in minute %d", n, minute)
			}
		}
		gone, back := r.logs.find("cannot be reached"), r.logs.find("is back")
		if len(gone) == 0 || len(gone) > 36 || len(back) != len(gone) || back[len(back)-1].at.Before(gone[len(gone)-1].at) {
			t.Errorf("%d lines of its absence, %d of its return", len(gone), len(back))
		}
	})
}

// The start without Redis: one warning, no registration that nobody took, and work as soon as it is there.
func TestStartWithoutRedis(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		s.goAway(fault{kind: answerErr, err: queue.ErrUnavailable})
		s.add("a", 0)
		r := start(s, 5, nil)
		if r.runner.able() {
			t.Error("able without Redis")
		}
		pass(20 * time.Second)
		if n := len(r.logs.find("cannot be reached")); n != 1 || s.count("claim")+s.count("wait") > 0 {
			t.Errorf("%d warnings, %d claims, %d pops", n, s.count("claim"), s.count("wait"))
		}
		s.comeBack()
		pass(600 * time.Millisecond)
		if s.finished("a") != 1 || !r.runner.able() {
			t.Errorf("finished %d times, able: %v", s.finished("a"), r.runner.able())
		}
	})
}

// ErrTiming and ErrLayout end run with that error; nothing is left running or written after it.
func TestUnfitForTheQueue(t *testing.T) {
	for _, want := range []error{queue.ErrTiming, queue.ErrLayout} {
		for _, op := range []string{"new", "renew"} {
			t.Run(fmt.Sprint(op, " ", want), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s := newStore(t)
					s.fail(op, fault{kind: answerErr, err: fmt.Errorf("wrapped: %w", want)})
					s.add("a", 0)
					var cause error
					r := start(s, 5, func(ctx context.Context, _ Job) error {
						<-ctx.Done()
						cause = context.Cause(ctx)
						return cause
					})
					begin := time.Now()
					if err := r.wait(); !errors.Is(err, want) {
						t.Fatalf("run returned %v", err)
					}
					if d := time.Since(begin); d > 3*time.Second {
						t.Errorf("it took %s", d)
					}
					if op == "renew" && !errors.Is(cause, ErrLost) {
						t.Errorf("the handler's context ended for %v", cause)
					}
					calls := s.since("", 0)
					if last := calls[len(calls)-1]; s.count("leave")+s.count("settle") > 0 {
						t.Errorf("it went on to write: %v", last)
					}
				})
			})
		}
	}
}

func TestGreeting(t *testing.T) {
	host, _ := os.Hostname()
	for name, c := range map[string]struct {
		other queue.WorkerInfo
		warns int
	}{
		"another build":                     {queue.WorkerInfo{Host: host, PID: 4321, Build: "that", Dir: "/old"}, 1},
		"no build told":                     {queue.WorkerInfo{Host: host, PID: 4321}, 1},
		"the same build":                    {queue.WorkerInfo{Host: host, PID: 4321, Build: "this"}, 0},
		"another host":                      {queue.WorkerInfo{Host: "elsewhere", PID: 4321, Build: "that"}, 0},
		"this process, another queue or id": {queue.WorkerInfo{Host: host, PID: os.Getpid(), Build: "that"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newStore(t)
				s.others = []queue.WorkerInfo{c.other}
				r := start(s, 7, nil)
				pass(time.Minute)
				warns := r.logs.find("another build")
				if len(warns) != c.warns || c.warns > 0 && (warns[0].level != "warn" || warns[0].fields["pid"] != 4321.0) {
					t.Errorf("lines: %v", warns)
				}
				said := r.logs.find("worker registered")
				if len(said) != 1 || said[0].fields["worker"] != r.id() || said[0].fields["concurrency"] != 7.0 {
					t.Errorf("greeting: %v", said)
				}
			})
		})
	}
}

// To ask who else is there must not keep the heartbeat from being sent.
func TestGreetingDoesNotHoldUpHeartbeats(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStore(t)
		s.fail("workers", fault{kind: hang})
		r := start(s, 5, nil)
		for range 20 {
			pass(time.Second)
			if d := time.Since(r.lastBeat()); d > 4500*time.Millisecond {
				t.Fatalf("the last heartbeat was %s ago", d)
			}
		}
	})
}
