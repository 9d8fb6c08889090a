package faults

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// corrupt does every damage of the table under load: once workers come upon it, once `punctual audit --fix` comes first. Then
// it makes each key one of a wrong type.
func corrupt(r *Run) {
	for range r.Times(1, 5) {
		r.Scene("workers come upon it", Setup{Settings: quickRetry}, func(s *Scene) { s.damageAll(false) })
		r.Scene("the audit mends it first", Setup{Settings: quickRetry}, func(s *Scene) { s.damageAll(true) })
		r.Scene("keys of a wrong type", Setup{Settings: quickRetry}, wrongTypes)
	}
}

var quickRetry = []string{"RETRY_BASE=20ms", "RETRY_CAP=20ms"}

func (s *Scene) damageAll(fix bool) {
	server, workers := s.Server(), []*Process{s.Worker(), s.Worker()}
	load := s.Load(server, 2, 20*time.Millisecond, Mixed)
	worker := s.Client.ZRange(s.Context(), Key("workers"), 0, 0).Val()[0]
	note := s.ownHistory()
	if s.Client.Do(s.Context(), "ZADD", Key("scheduled"), "nan", "x").Err() == nil {
		s.Error("this Redis takes a score that is no number, and no damage of the table is one")
	}
	ends := map[string]damage{}
	for n, d := range damages {
		if fix {
			d.worker = d.fixed
		}
		if d.worker == neither {
			continue
		}
		id := fmt.Sprint("nobody-", n)
		if d.job.Delay > 0 {
			id = s.Register(server, d.job)
		} else {
			for _, res := range []queue.Res{queue.ResInvoke, queue.ResUnknown} { // the history must know where it comes from
				note(queue.Event{Op: queue.OpEnqueue, Res: res, Queue: "default", ID: id})
			}
		}
		d.do(s, id, worker)
		s.Run.Injected()
		ends[id], s.damaged[id] = d, true
	}
	found := s.report()
	for id, d := range ends {
		if d.code != "" && !found.names(d.code, id) {
			s.Errorf("%s: the audit has not found %s of %s", d.name, d.code, id)
		}
	}
	if fix {
		s.report("--fix")
	}
	for id, d := range ends {
		if s.dueNow(id); d.code == "score-malformed" { // nobody can guess what it was
			s.raw("ZADD", Key("dead"), "XX", s.now(), id)
		}
	}
	begin := time.Now()
	s.awaitEnds(ends)
	s.Run.Recovered(time.Since(begin))
	load.Stop()
	s.AwaitDrained(30 * time.Second)
	for answer, n := range load.Answers() {
		if answer != "Created" {
			s.Errorf("%d registrations were answered with %q", n, answer)
		}
	}
	for _, p := range append(workers, server) {
		if !p.Running() {
			s.Errorf("%s has ended", p.name)
		}
	}
	found = s.report("--fix")
	for n := 0; n < 3 && len(found) > 0; n++ { // the counters can be compared when the rest is well
		found = s.report("--fix")
	}
	if len(found) > 0 {
		s.Errorf("the audit finds something again and again: %+v", found)
	}
}

// awaitEnds waits until every damaged job has the end that it is to have.
func (s *Scene) awaitEnds(ends map[string]damage) {
	s.Helper()
	defer func() {
		for id, d := range ends {
			s.Errorf("%s: %s is not %q: record %q, attempts %q, errors %+v", d.name, id, d.worker, s.Client.HGet(s.Context(), Key("jobs"), id).Val(),
				s.Client.HGet(s.Context(), Key("attempts"), id).Val(), s.failures(id))
		}
	}()
	redistest.Await(s.T, 30*time.Second, "all damaged jobs to have their ends", func() bool {
		for id, d := range ends {
			if s.ended(id, d.worker) {
				delete(ends, id)
			}
		}
		return len(ends) == 0
	})
}

// ended tells whether an id is dead with a text, or nothing is left of it.
func (s *Scene) ended(id, want string) bool {
	s.Helper()
	ctx, pipe := s.Context(), s.Client.Pipeline()
	dead := pipe.ZScore(ctx, Key("dead"), id)
	left := []*redis.FloatCmd{dead, pipe.ZScore(ctx, Key("scheduled"), id), pipe.ZScore(ctx, Key("done"), id), pipe.ZScore(ctx, Key("workers"), id)}
	fields := []*redis.BoolCmd{pipe.HExists(ctx, Key("jobs"), id), pipe.HExists(ctx, Key("attempts"), id), pipe.HExists(ctx, Key("errors"), id)}
	_, _ = pipe.Exec(ctx) // what is not there is an error to it
	if want != done {
		failures := s.failures(id)
		return dead.Err() == nil && fields[0].Val() && len(failures) > 0 && strings.Contains(failures[0].Error, want)
	}
	for _, score := range left {
		if score.Err() != redis.Nil {
			return false
		}
	}
	for _, field := range fields {
		if field.Err() != nil || field.Val() {
			return false
		}
	}
	return s.Holders()[id] == ""
}

// raw runs one command.
func (s *Scene) raw(args ...any) {
	s.Helper()
	if err := s.Client.Do(s.Context(), args...).Err(); err != nil && err != redis.Nil {
		s.Fatalf("%v: %v", args, err)
	}
}

// dueNow makes a job due, if it is scheduled.
func (s *Scene) dueNow(id string) {
	s.Helper()
	s.raw("ZADD", Key("scheduled"), "XX", s.now(), id)
	s.raw("RPUSH", Key("wake"), "1") // a worker that sleeps knows nothing of it
}

// now is the clock of Redis in ms.
func (s *Scene) now() int64 { return s.Client.Time(s.Context()).Val().UnixMilli() }

type findings []queue.Finding

func (all findings) names(code, id string) bool {
	for _, f := range all {
		if f.Code == code && (strings.Contains(f.ID, id) || f.Key != Key("jobs") && !strings.Contains(f.Key, "scheduled")) {
			return true
		}
	}
	return false
}

// report is what `punctual audit` finds.
func (s *Scene) report(flags ...string) (all findings) {
	s.Helper()
	cmd := exec.Command(built.Path(s.T, "punctual"), append([]string{"audit", "--json"}, flags...)...)
	cmd.Env = append(os.Environ(), s.env(nil)...)
	out, err := cmd.Output()
	var report struct{ Queues []queue.AuditReport }
	if json.Unmarshal(out, &report) != nil {
		s.Fatalf("punctual audit: %v\n%s", err, out)
	}
	for _, q := range report.Queues {
		all = append(all, q.Findings...)
	}
	return all
}
