package faults

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/punctualq/punctual/integration/faults/history"
	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// backlogRows: very many jobs that wait.
var backlogRows = map[string]func(*Run){"R33": backlog}

// backlog has the common traffic beside a million jobs of tomorrow: it must not notice them.
func backlog(r *Run) {
	jobs := r.Times(100_000, 1_000_000)
	r.Scene(fmt.Sprintf("%d jobs of tomorrow", jobs), Setup{Timing: Default}, func(s *Scene) {
		server, worker := s.Server(), s.Worker()
		emptyEnqueue, emptyClaim := s.traffic(server, worker, "beside an empty queue")

		before, begin := s.used(), time.Now()
		s.fill(jobs, 24*time.Hour, []byte(strconv.Quote(strings.Repeat("x", 198))), nil) // 200 bytes; a history of a million would be read for minutes
		r.Figure("registered by one Go process", float64(jobs)/time.Since(begin).Seconds(), "jobs/s", "")
		r.Figure("memory of a job with a payload of 200 bytes", float64(s.used()-before)/float64(jobs), "bytes", "")
		r.Injected()
		redistest.Await(s.T, time.Minute, "the rewrite of the append-only file to end", func() bool {
			return strings.Contains(s.Client.Info(s.Context(), "persistence").Val(), "aof_rewrite_in_progress:0")
		})
		enqueue, claim := s.traffic(server, worker, "beside the backlog")
		if enqueue > emptyEnqueue+200 || claim > emptyClaim+200 { // the figures tell more; this is for what would grow with the backlog
			s.Errorf("p99 beside the backlog: 201 after %.1f ms, claim %.1f ms late; beside an empty queue %.1f and %.1f",
				enqueue, claim, emptyEnqueue, emptyClaim)
		}

		begin = time.Now()
		audit := exec.Command(built.Path(s.T, "punctual"), "audit")
		audit.Env = append(os.Environ(), s.env(nil)...)
		if out, err := audit.CombinedOutput(); err != nil {
			s.Errorf("punctual audit: %v\n%s", err, out)
		}
		r.Figure("punctual audit of all, beside an idle worker", time.Since(begin).Seconds(), "s", "")

		s.Redis.Kill(s.T)
		r.Injected()
		begin = time.Now()
		s.Redis.Start(s.T)
		r.Figure("Redis reads its append-only file", time.Since(begin).Seconds(), "s", "")
		load := s.Load(server, 2, 20*time.Millisecond, Mixed)
		r.Resumed(load.AwaitCreated(s.T, back))
		load.Stop()
		s.Never("reaped")
		s.forget(jobs)
	})
}

// traffic is 10 s of the common load. It returns the p99 of the 201s and of how late the jobs were claimed, both in ms.
func (s *Scene) traffic(server, worker *Process, when string) (enqueue, claim float64) {
	s.Helper()
	seen := len(s.claims(worker))
	load := s.Load(server, 4, 5*time.Millisecond, Mixed)
	time.Sleep(10 * time.Second)
	load.Stop()
	s.awaitNothingDue()
	late := s.claims(worker)[seen:]
	enqueue, claim = Quantile(load.Created(), 0.99), Quantile(late, 0.99)
	s.Run.Figure("jobs of the traffic "+when, float64(len(late)), "", "")
	s.Run.Figure("201 "+when+": p99", enqueue, "ms", "")
	s.Run.Figure("lateness "+when+": p99", claim, "ms", "")
	return enqueue, claim
}

// claims is how late each job was that a worker has claimed so far, in ms.
func (s *Scene) claims(worker *Process) (late []float64) {
	s.Helper()
	h, err := history.Load(worker.history)
	if err != nil {
		s.Fatal(err)
	}
	for _, e := range h.Events {
		if e.Op == queue.OpClaim && e.Res == queue.ResOK && e.ID != "" {
			late = append(late, float64(e.RedisMS-e.DueMS))
		}
	}
	return late
}

// awaitNothingDue waits until only jobs of tomorrow are left.
func (s *Scene) awaitNothingDue() {
	s.Helper()
	redistest.Await(s.T, 30*time.Second, "all that is due today to be done", func() bool {
		today := fmt.Sprint(time.Now().Add(time.Hour).UnixMilli())
		n, err := s.Client.ZCount(s.Context(), Key("scheduled"), "-inf", today).Result()
		_, processing, _, errCount := s.Count()
		return err == nil && errCount == nil && n == 0 && processing == 0
	})
}

// forget removes the jobs of tomorrow, which no history knows, with what was counted of them.
func (s *Scene) forget(jobs int) {
	s.Helper()
	s.awaitNothingDue()
	if n := s.Client.HLen(s.Context(), Key("jobs")).Val(); n != int64(jobs) {
		s.Errorf("%d jobs wait, want %d", n, jobs)
	}
	pipe := s.Client.TxPipeline()
	pipe.Unlink(s.Context(), Key("jobs"), Key("scheduled"))
	pipe.HIncrBy(s.Context(), Key("stats"), "adjusted", -int64(jobs))
	if _, err := pipe.Exec(s.Context()); err != nil {
		s.Fatal(err)
	}
}
