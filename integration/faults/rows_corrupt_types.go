package faults

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/integration/redistest"
)

// spoil and restore make a key one of a wrong type, and delete that again: what was there comes back.
var (
	spoil = redis.NewScript(`if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('RENAME', KEYS[1], KEYS[2]) end
redis.call(ARGV[1], KEYS[1], 'spoiled')`)
	restore = redis.NewScript(`redis.call('DEL', KEYS[1])
if redis.call('EXISTS', KEYS[2]) == 1 then redis.call('RENAME', KEYS[2], KEYS[1]) end`)
)

// wrongTypes makes each key one of a wrong type for longer than the TTL, while jobs run.
func wrongTypes(s *Scene) {
	needed := []string{"jobs", "scheduled", "wake", "stats", "meta"} // by a registration
	server, workers := s.Server(), []*Process{s.Worker(), s.Worker()}
	busiest := 0.0
	keys := slices.Concat(needed, []string{"dead", "attempts", "errors", "workers", "processing:", "heartbeat:", "done"})
	for _, key := range keys {
		for range 5 {
			s.Register(server, Sleep(500*time.Millisecond))
		}
		if strings.HasSuffix(key, ":") {
			s.AwaitProcessing(5, 10*time.Second)
			for _, w := range s.Holders() {
				key += w
				break
			}
		}
		write := "SET"
		if strings.HasPrefix(key, "heartbeat:") {
			write = "LPUSH" // SET is what a heartbeat is
		}
		names := []string{Key(key), Key("kept")}
		if err := spoil.Run(s.Context(), s.Client, names, write).Err(); err != nil && err != redis.Nil {
			s.Fatal(err)
		}
		s.Run.Injected()
		want := http.StatusCreated
		if slices.Contains(needed, key) {
			want = http.StatusServiceUnavailable
		}
		a := s.Post(server, Job{Message: "while a key is spoiled"})
		if a.Status != want {
			s.Errorf("%s is of a wrong type: a registration is answered %d %s, want %d", key, a.Status, a.Code, want)
		}
		if a.Status == http.StatusServiceUnavailable {
			s.Run.Refused(a.Took)
		}
		before := s.scripts()
		time.Sleep(s.Timing.TTL * 3 / 2) // how long it lasts is the fault
		rate := (s.scripts() - before) / (s.Timing.TTL * 3 / 2).Seconds()
		s.Logf("%s: %.0f scripts a second", key, rate)
		busiest = max(busiest, rate)
		if err := restore.Run(s.Context(), s.Client, names).Err(); err != nil && err != redis.Nil {
			s.Fatal(err)
		}
		begin := time.Now()
		if a := s.Post(server, Job{Message: "when all is well again"}); a.Status != http.StatusCreated {
			s.Errorf("%s is well again: a registration is answered %d %s", key, a.Status, a.Code)
		}
		s.Run.Resumed(time.Since(begin))
		s.AwaitDrained(30 * time.Second)
		s.Run.Recovered(time.Since(begin))
		redistest.AssertConserved(s.T, s.Redis.Client(), "default")
	}
	lines := 0
	for _, p := range append(workers, server) {
		lines += strings.Count(p.Log(), "\n")
		if !p.Running() {
			s.Errorf("%s has ended", p.name)
		}
	}
	s.Run.Figure("scripts of two workers while a key is of a wrong type, at most", busiest, "/s", "< 150")
	s.Run.Figure("log lines of all processes, for each key", float64(lines)/float64(len(keys)), "", "")
	if busiest >= 150 { // a round of two or three every 64 ms: the breath that they take, with the fast timing
		s.Errorf("%.0f scripts a second while nothing can be done: a hot loop", busiest)
	}
}

// scripts is how often Redis has run one.
func (s *Scene) scripts() (n float64) {
	s.Helper()
	stats, err := s.Redis.Client().InfoMap(s.Context(), "commandstats").Result()
	if err != nil {
		s.Fatal(err)
	}
	_, _ = fmt.Sscanf(stats["Commandstats"]["cmdstat_evalsha"], "calls=%g", &n)
	return n
}
