package faults

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Rules are what a row may do by its nature. Zero values allow nothing.
type Rules struct {
	LeaseDoubtCancel bool // the workers run with LEASE_DOUBT=cancel
	MayLose          bool // the fault destroys data that Redis had: the lost are counted, not refused
	MayDuplicate     bool // the fault makes second runs that the history alone cannot explain (data rolled back)
	Undrained        bool // the play leaves jobs behind on purpose
}

// check drains the scene, ends all processes, and asks the oracle: the audit, the history, the keys that are left.
func (s *Scene) check() {
	s.Helper()
	if s.Failed() {
		s.stopAll()
		s.keepHistory()
		return
	}
	if !s.Rules.Undrained {
		s.Worker("WORKER_CONCURRENCY=50") // somebody must be there to drain it
		s.AwaitDrained(90 * time.Second)
	}
	s.stopAll()
	s.audit()
	s.history()
	s.leaked()
	if s.Failed() {
		s.keepHistory()
	}
}

// audit has `punctual audit` look at the queue.
func (s *Scene) audit() {
	s.Helper()
	cmd := exec.Command(binary(s.T, "punctual"), "audit", "--json")
	cmd.Env = append(os.Environ(), s.env("audit", nil)...)
	out, err := cmd.Output()
	var report struct {
		Queues []struct {
			Findings []json.RawMessage `json:"findings"`
		} `json:"queues"`
	}
	if json.Unmarshal(out, &report) != nil {
		s.Logf("punctual audit: %v\n%s", err, out) // TODO: an error, once there is one
		return
	}
	for _, q := range report.Queues {
		for _, finding := range q.Findings {
			s.Errorf("audit: %s", finding)
		}
		defer s.Run.Result.lock()()
		s.Run.Result.AuditFindings += len(q.Findings)
	}
}

// persistent are the keys that may stay when all workers have left in good order and nothing is scheduled.
var persistent = []string{"punctual:queues", Key("jobs"), Key("dead"), Key("attempts"), Key("errors"), Key("stats"), Key("meta"), Key("wake")}

// leaked looks for keys that nobody will ever remove.
func (s *Scene) leaked() {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var leaked []string
	allowed := persistent
	if s.Rules.Undrained {
		allowed = append(slices.Clone(persistent), Key("scheduled"))
	}
	for it := s.Client.Scan(ctx, 0, "punctual:*", 1000).Iterator(); it.Next(ctx); {
		key := it.Val()
		if !slices.Contains(allowed, key) && !strings.Contains(key, ":idempotency:") {
			leaked = append(leaked, key)
		}
	}
	if len(leaked) > 0 {
		s.Errorf("keys are left: %v", leaked)
	}
	defer s.Run.Result.lock()()
	s.Run.Result.LeakedKeys += len(leaked)
}

// history has the checker read what all processes have written.
func (s *Scene) history() {
}
