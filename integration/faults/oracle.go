package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/integration/faults/history"
	"github.com/punctualq/punctual/queue"
)

// Rules are what a row may do by its nature. Zero values allow nothing.
type Rules struct {
	LeaseDoubtCancel bool // the workers run with LEASE_DOUBT=cancel
	MayLose          bool // the fault destroys data that Redis had: the lost are counted, and what was rolled back runs again
	ClockSteps       bool // the fault sets the clock of Redis
	Undrained        bool // the play leaves jobs behind on purpose
	Damaged          bool // the play damages what is in Redis: the audit may find it
}

// rolledBack are the rules of a history that only hold where Redis keeps what it said.
var rolledBack = []string{history.Lost, history.Duplicated, "I5", "I6", "I7", "I8", "I10", "I11", "I13"}

// byAnotherHand are the rules that a job cannot keep of which the play itself has moved the due time, or put an element on a
// list that no claim has put there.
var byAnotherHand = []string{history.Early, "history", "I6"}

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
	s.judge()
	s.leaked()
	if s.Failed() {
		s.keepHistory()
	}
}

// audit has `punctual audit` look at the queue.
func (s *Scene) audit() {
	s.Helper()
	cmd := exec.Command(built.Path(s.T, "punctual"), "audit", "--json")
	cmd.Env = append(os.Environ(), s.env(nil)...)
	out, err := cmd.Output()
	var report struct {
		Queues []struct {
			Findings []json.RawMessage `json:"findings"`
		} `json:"queues"`
	}
	if json.Unmarshal(out, &report) != nil {
		s.Errorf("punctual audit: %v\n%s", err, out)
		return
	}
	found := 0
	for _, q := range report.Queues {
		for _, finding := range q.Findings {
			if s.Rules.Damaged {
				s.Logf("audit: %s", finding)
			} else {
				s.Errorf("audit: %s", finding)
			}
		}
		found += len(q.Findings)
	}
	defer s.Run.Result.lock()()
	s.Run.Result.AuditFindings += found
}

// persistent are the keys that may stay when all workers have left in good order and nothing is scheduled.
var persistent = []string{"punctual:queues", Key("jobs"), Key("dead"), Key("attempts"), Key("errors"), Key("stats"), Key("meta"), Key("wake"),
	Key("groups"), Key("minutes"), Key("trail")}

// leaked looks for keys that nobody will ever remove.
func (s *Scene) leaked() {
	s.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var leaked []string
	seen := map[string]bool{}
	allowed := persistent
	if s.Rules.Undrained {
		allowed = append(slices.Clone(persistent), Key("scheduled"))
	}
	keys, err := s.keys(ctx)
	if err != nil {
		s.Errorf("look for keys that are left: %v", err)
	}
	for _, key := range keys { // a key that two nodes have is left on one of them
		if seen[key] || !slices.Contains(allowed, key) && !strings.Contains(key, ":idempotency:") {
			leaked = append(leaked, key)
		}
		seen[key] = true
	}
	if len(leaked) > 0 {
		s.Errorf("keys are left: %v", leaked)
	}
	defer s.Run.Result.lock()()
	s.Run.Result.LeakedKeys += len(leaked)
}

// keys are all of ours, on all servers that are masters.
func (s *Scene) keys(ctx context.Context) (keys []string, err error) {
	var mu sync.Mutex
	scan := func(ctx context.Context, one redis.Cmdable) error {
		mu.Lock()
		defer mu.Unlock()
		found := map[string]bool{} // SCAN may tell of a key twice
		it := one.Scan(ctx, 0, "punctual:*", 1000).Iterator()
		for it.Next(ctx) {
			if !found[it.Val()] {
				keys = append(keys, it.Val())
			}
			found[it.Val()] = true
		}
		return it.Err()
	}
	if nodes, ok := s.Client.(*redis.ClusterClient); ok {
		err = nodes.ForEachMaster(ctx, func(ctx context.Context, one *redis.Client) error { return scan(ctx, one) })
		return keys, err
	}
	err = scan(ctx, s.Client)
	return keys, err
}

// judge has the checker read what all processes have written.
func (s *Scene) judge() {
	s.Helper()
	h, err := history.Load(s.dir)
	if err != nil {
		s.Errorf("read the histories: %v", err)
		return
	}
	left, err := s.left()
	if err != nil {
		s.Errorf("read what is left: %v", err)
		return
	}
	rules := history.Rules{Final: []history.State{left}, Timing: queue.Timing{Interval: s.Timing.Interval, TTL: s.Timing.TTL},
		LeaseDoubtCancel: s.Rules.LeaseDoubtCancel, ClockSteps: s.Rules.ClockSteps, Asleep: s.asleep(h)}
	s.told(h)
	v := history.Check(h, rules)
	v.Findings = slices.DeleteFunc(v.Findings, func(f history.Finding) bool { return s.damaged[f.ID] && slices.Contains(byAnotherHand, f.Rule) })
	except := []string{}
	if s.Rules.MayLose {
		except = rolledBack
	}
	excused := s.excuse(h, v.Findings)
	if err := v.Err(except...); err != nil {
		s.Error(err)
	}
	if !excused {
		s.ordered(h)
	}
	s.count(v)
}

// excuse allows what Redis itself has rolled back, and tells of each.
func (s *Scene) excuse(h history.History, findings []history.Finding) bool {
	excused := rollBacks(s.killed, h, findings)
	for _, f := range excused {
		s.Logf("excused by a kill of Redis within %v: %+v", postponedWrite, *f)
		f.Allowed = true
	}
	if len(excused) > 0 {
		s.Run.Figure("broken by a write that Redis had put off when it was killed", float64(len(excused)), "rules", "")
	}
	return len(excused) > 0
}

// rollBacks are the findings that a kill of Redis explains: with appendfsync everysec it answers for up to postponedWrite without
// having written, while its disk is busy, and a kill then takes it back to before. Only a job of which something was answered so
// shortly before a kill can be meant.
func rollBacks(killed []int64, h history.History, findings []history.Finding) (explained []*history.Finding) {
	late := map[string]bool{}
	for _, at := range killed {
		for _, e := range h.Events {
			if e.ID != "" && e.RedisMS <= at && e.RedisMS > at-postponedWrite.Milliseconds() {
				late[e.ID] = true
			}
		}
	}
	for i := range findings {
		if f := &findings[i]; !f.Allowed && late[f.ID] && slices.Contains(rolledBack, f.Rule) {
			explained = append(explained, f)
		}
	}
	return explained
}

// ordered asks whether the operations on each job have an order that explains their answers, unless the fault itself made
// Redis forget or was damage that somebody mended. The pictures lie beside the histories that are kept.
func (s *Scene) ordered(h history.History) {
	s.Helper()
	if s.Rules.MayLose || s.Rules.ClockSteps || s.Rules.Damaged {
		return
	}
	switch err := history.Linearizable(h, s.kept); {
	case errors.Is(err, history.ErrUndecided):
		s.Log(err)
	case err != nil:
		s.Error(err)
	}
}

// told checks that every job that a client was told of with 201 stands in the history as acknowledged: the history is believed.
func (s *Scene) told(h history.History) {
	s.Helper()
	known := map[string]bool{}
	for _, e := range h.Events {
		if e.Op == queue.OpEnqueue && e.Res == queue.ResOK {
			known[e.ID] = true
		}
	}
	for _, id := range s.acked.list() {
		if !known[id] {
			s.Errorf("a client was answered 201 for %s, which no API process knows to be written", id)
		}
	}
}

// count adds what a scene has shown to the result of its row.
func (s *Scene) count(v history.Verdict) {
	defer s.Run.Result.lock()()
	r := s.Run.Result
	r.Jobs += v.Acked
	r.Starts += v.Runs
	for _, f := range v.Findings {
		switch {
		case f.Rule == history.Duplicated && (f.Allowed || s.Rules.MayLose):
			r.Duplicates++
		case f.Rule == history.Duplicated:
			r.DuplicatesRefused++
		case f.Allowed:
		case s.Rules.MayLose && f.Rule != history.Lost && slices.Contains(rolledBack, f.Rule): // not a rule here
		case f.Rule == history.Lost:
			r.Lost++
		case f.Rule == history.Unexpected:
			r.Unexpected++
		case f.Rule == history.Early:
			r.Early++
		default:
			r.Violations++
		}
	}
	if s.Rules.ClockSteps {
		return // lateness is what the clock of Redis says
	}
	worst := func(old *float64, d time.Duration) { *old = max(*old, ms(d)) }
	worst(&r.Lateness.P50, v.Lateness.P50)
	worst(&r.Lateness.P99, v.Lateness.P99)
	worst(&r.Lateness.Max, v.Lateness.Max)
}

// left is what the queue holds now.
func (s *Scene) left() (history.State, error) {
	switch c := s.Client.(type) {
	case *redis.Client:
		return history.Left(s.Context(), c, "default")
	case *redis.ClusterClient:
		one, err := c.MasterForKey(s.Context(), Key("scheduled"))
		if err != nil {
			return history.State{}, err
		}
		return history.Left(s.Context(), one, "default")
	default:
		return history.State{}, fmt.Errorf("a client of type %T: what is left is not known", c)
	}
}

// asleep finds in a history when the processes that were stopped could not run.
func (s *Scene) asleep(h history.History) (all []history.Asleep) {
	procs := map[string]string{} // "name:pid" → the name in the history
	for _, e := range h.Events {
		if name, _, ok := strings.Cut(e.Proc, ":"); ok {
			pid, _, _ := strings.Cut(e.Proc[len(name)+1:], ":")
			procs[pid] = e.Proc
		}
	}
	for _, p := range s.processes {
		for _, a := range p.asleep {
			a.Proc = procs[fmt.Sprint(p.Pid())]
			all = append(all, a)
		}
	}
	return all
}
