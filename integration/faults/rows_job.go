package faults

import (
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// jobRows: jobs and records that do harm.
var jobRows = map[string]func(*Run){"R32": sameInstant, "R26": poison, "R27": misbehaved, "R34": corrupt, "R36": deadBeyondBound}

// sameInstant makes very many jobs due at the same millisecond, with idle workers waiting for it.
func sameInstant(r *Run) {
	jobs := r.Times(5_000, 100_000)
	r.Scene(fmt.Sprintf("%d jobs due at once", jobs), Setup{Timing: Default}, func(s *Scene) {
		due := s.Client.Time(s.Context()).Val().Add(r.For(4*time.Second, 30*time.Second)).UnixMilli()
		told := s.ownHistory()
		s.fill(jobs, time.Hour, nil, func(e queue.Event) { // what allDueAt makes of it
			if e.Res == queue.ResOK {
				e.DueMS = due
			}
			told(e)
		})
		for range r.Times(3, 10) {
			s.Worker("WORKER_CONCURRENCY=50")
		}
		s.Redis.Config(s.T, "slowlog-log-slower-than", "5000") // µs
		s.Redis.Config(s.T, "slowlog-max-len", "1000")
		s.allDueAt(jobs, due)
		r.Injected()
		redistest.Await(s.T, 2*time.Minute, "all to be done", func() bool {
			return s.Client.HGet(s.Context(), Key("stats"), "done").Val() == strconv.Itoa(jobs)
		})
		r.Figure("all done after the instant", float64(s.Client.Time(s.Context()).Val().UnixMilli()-due)/1000, "s", "")
		scripts, longest := 0, time.Duration(0)
		for _, entry := range s.Client.SlowLogGet(s.Context(), 1000).Val() {
			if len(entry.Args) > 0 && entry.Args[0] == "evalsha" {
				scripts++
				longest = max(longest, entry.Duration)
			}
		}
		r.Figure("scripts of more than 5 ms", float64(scripts), "", "")
		r.Figure("the longest of these", ms(longest), "ms", "")
		s.Never("reaped")
	})
}

// fill writes many jobs by the Go API, in calls of 1,000.
func (s *Scene) fill(jobs int, delay time.Duration, payload []byte, told func(queue.Event)) {
	s.Helper()
	q, err := queue.Open(s.Context(), s.URL, queue.Options{History: told})
	if err != nil {
		s.Fatal(err)
	}
	defer q.Close()
	if payload == nil {
		payload = []byte(`"one of many"`)
	}
	for done := 0; done < jobs; {
		batch := make([]queue.NewJob, min(1000, jobs-done))
		for i := range batch {
			batch[i] = queue.NewJob{Type: "message", Payload: payload, Delay: delay}
		}
		if _, err := q.EnqueueMany(s.Context(), batch); err != nil {
			s.Fatal(err)
		}
		done += len(batch)
	}
}

// allDueAt gives all scheduled jobs the same due time, as no caller could.
func (s *Scene) allDueAt(jobs int, due int64) {
	s.Helper()
	move := redis.NewScript(`for _, id in ipairs(redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[1] + 999)) do
  redis.call('ZADD', KEYS[1], 'XX', ARGV[2], id) end`)
	// From the end: what was moved stands before the rest.
	for range jobs / 1000 {
		err := move.Run(s.Context(), s.Client, []string{Key("scheduled")}, jobs-1000, due).Err()
		if err != nil && err != redis.Nil {
			s.Fatal(err)
		}
	}
	if n := s.Client.ZCount(s.Context(), Key("scheduled"), fmt.Sprint(due), fmt.Sprint(due)).Val(); n != int64(jobs) {
		s.Fatalf("%d of %d jobs are due at the instant", n, jobs)
	}
}

// deadBeyondBound makes more dead jobs than are kept; a worker trims once a minute.
func deadBeyondBound(r *Run) {
	dead, kept := r.Times(500, 20_000), r.Times(100, 5_000)
	r.Scene(fmt.Sprintf("%d dead jobs, %d kept", dead, kept), Setup{}, func(s *Scene) {
		s.fill(dead, 0, []byte(`1`), s.ownHistory()) // no message: a permanent failure
		s.Worker("WORKER_CONCURRENCY=50", fmt.Sprintf("DEAD_MAX=%d", kept))
		r.Injected()
		redistest.Await(s.T, 2*time.Minute, "the surplus to be dropped", func() bool {
			trimmed := s.Client.HGet(s.Context(), Key("stats"), "dead_trimmed").Val()
			return trimmed == strconv.Itoa(dead-kept)
		})
		if n := s.Client.ZCard(s.Context(), Key("dead")).Val(); n != int64(kept) {
			s.Errorf("%d dead jobs are kept, want %d", n, kept)
		}
	})
}
