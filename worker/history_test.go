package worker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// ledger keeps the events of a runner.
type ledger struct {
	mu     sync.Mutex
	events []queue.Event
}

func (l *ledger) keep(c *Config) {
	c.History = func(e queue.Event) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.events = append(l.events, e)
	}
}

// lines returns each event as "op id outcome (cause)".
func (l *ledger) lines() (lines []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		line := fmt.Sprintf("%s %s %s", e.Op, e.ID, e.Outcome)
		if e.Cause != "" {
			line += " (" + e.Cause + ")"
		}
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

func (l *ledger) expect(t *testing.T, want ...string) {
	t.Helper()
	if lines := l.lines(); !slices.Equal(lines, want) {
		t.Errorf("told %q, want %q", lines, want)
	}
}

func TestHistoryOfHandlers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l, s := &ledger{}, newStore(t)
		r := start(s, 1, func(ctx context.Context, job Job) error {
			if lines := l.lines(); len(lines) == 0 || lines[len(lines)-1] != "start "+job.ID {
				t.Errorf("%s runs, and was told: %q", job.ID, lines)
			}
			if job.ID == "a" {
				return nil
			}
			return Permanent(fmt.Errorf("no"))
		}, l.keep)
		s.add("a", 0)
		pass(time.Second)
		s.add("b", 0)
		pass(time.Second)
		l.expect(t, "start a", "end a done", "start b", "end b dead")
		for _, e := range l.events {
			if e.Worker != r.id() || e.Queue != "q" || e.Res != queue.ResOK || e.Attempt != 1 || e.Element != fmt.Sprintf("%d:%s", e.Number, e.ID) {
				t.Errorf("%+v", e)
			}
		}
	})
}

// A context that ends while its handler runs is told of before the end; one that ends later is not.
func TestHistoryOfCancelledHandlers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l, s := &ledger{}, newStore(t)
		r := start(s, 2, func(ctx context.Context, job Job) error {
			<-ctx.Done()
			return ctx.Err()
		}, l.keep)
		s.add("a", 0, func(r *record) { r.Timeout, r.MaxRetry = time.Second, 0 })
		pass(2 * time.Second)
		cause := fmt.Sprintf(" (%v)", ErrTimeout)
		l.expect(t, "start a", "cancel a"+cause, "end a dead"+cause)
		_ = r.stop()
	})
}

func TestHistoryOfAdoptedJobs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l, s := &ledger{}, newStore(t)
		r := start(s, 5, lasting(50*time.Millisecond), l.keep)
		pass(2500 * time.Millisecond)
		s.fail("claim", fault{kind: replyLost})
		s.add("a", 0)
		pass(time.Second)
		l.expect(t, "adopt a", "start a", "end a done")
		if e := l.events[0]; e.Worker != r.id() || e.Element == "" || e.Attempt != 1 || e.MaxRetry != 10 {
			t.Errorf("%+v", e)
		}
	})
}

func TestHistoryOfDoubt(t *testing.T) {
	for mode, want := range map[LeaseDoubt][]string{
		DoubtContinue: {"start a", "doubt"},
		DoubtCancel:   {"start a", "doubt", fmt.Sprintf("cancel a (%v)", ErrLeaseDoubt), fmt.Sprintf("end a release (%v)", ErrLeaseDoubt)},
	} {
		t.Run(string(mode), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l, s := &ledger{}, newStore(t)
				start(s, 3, lasting(time.Minute), l.keep, func(c *Config) { c.LeaseDoubt = mode })
				s.add("a", 0)
				pass(5 * time.Second)
				l.expect(t, "start a")
				s.goAway(fault{kind: answerErr, err: queue.ErrUnavailable})
				pass(15 * time.Second)
				l.expect(t, want...)
				s.comeBack()
				pass(2 * time.Minute)
			})
		})
	}
}
