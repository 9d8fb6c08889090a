package faults

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

// evicting has Redis throw away what nobody has used for a while: our records, whole keys at a time. That must be told
// before it happens, be found after it has, and no worker may break or run hot.
func evicting(r *Run) {
	r.Scene("allkeys-lru", Setup{}, func(s *Scene) {
		s.Rules = Rules{MayLose: true}
		server := s.Server()
		worker := s.Worker()
		for range r.Times(1, 10) {
			s.Redis.Config(s.T, "maxmemory-policy", "allkeys-lru")
			for _, p := range []*Process{server, worker} {
				p.AwaitHTTP("/readyz", http.StatusServiceUnavailable, 5*time.Second)
			}
			const waiting = 200
			for range waiting {
				s.Register(server, Job{Message: strings.Repeat("x", 1000), Delay: 5})
			}
			s.Redis.Config(s.T, "maxmemory", fmt.Sprint(s.used()+(1<<20)))
			redistest.Await(s.T, 10*time.Second, "our records to be evicted", func() bool {
				pipe := s.Client.Pipeline()
				for range 50 { // of somebody else
					pipe.Set(s.Context(), fmt.Sprintf("filler:%d", r.Rand.Uint64()), strings.Repeat("x", 1000), 0)
				}
				_, _ = pipe.Exec(s.Context()) // too much for it, perhaps
				left, err := s.Client.HLen(s.Context(), Key("jobs")).Result()
				return err == nil && left < waiting
			})
			r.Injected()
			witnesses := s.Client.Exists(s.Context(), Key("scheduled"), Key("stats")).Val() // that there were jobs
			found := s.findings()
			s.Redis.Config(s.T, "maxmemory-policy", "noeviction")
			s.Redis.Config(s.T, "maxmemory", "0")
			s.deleteAll("filler:*")
			for _, p := range []*Process{server, worker} {
				p.AwaitHTTP("/readyz", http.StatusOK, 10*time.Second)
			}
			if found >= 0 {
				r.Figure("findings of the audit after an eviction", float64(found), "", "≥ 1")
				if found == 0 && witnesses > 0 {
					s.Errorf("records are gone, and the audit has found nothing")
				}
				s.findings("--fix")
			}
			s.AwaitDrained(30 * time.Second)
			r.Figure("commands of an idle worker after it", s.idle(), "/s", "< 250")
		}
	})
}

// findings is how many the audit has; -1 if it could not be made.
func (s *Scene) findings(flags ...string) int {
	cmd := exec.Command(built.Path(s.T, "punctual"), append([]string{"audit"}, flags...)...)
	cmd.Env = append(os.Environ(), s.env(nil)...)
	out, err := cmd.Output()
	switch code := cmd.ProcessState.ExitCode(); code {
	case 0:
		return 0
	case 1:
		return max(1, strings.Count(string(out), "\n"))
	default:
		s.Logf("punctual audit %v: %v", flags, err)
		return -1
	}
}

// idle is how many commands Redis runs a second, those of scripts included, while nothing is to be done: with the fast timing a
// worker and an API process make about a hundred.
func (s *Scene) idle() float64 {
	s.Helper()
	count := func() (n float64) {
		text, err := s.Client.Info(s.Context(), "stats").Result()
		if err != nil {
			s.Fatal(err)
		}
		_, rest, _ := strings.Cut(text, "total_commands_processed:")
		_, _ = fmt.Sscan(rest, &n)
		return n
	}
	before := count()
	time.Sleep(2 * time.Second) // over which it is counted
	rate := (count() - before) / 2
	if rate >= 250 {
		s.Errorf("%.0f commands a second while nothing is to be done", rate)
	}
	return rate
}

// deleteAll deletes the keys of a pattern.
func (s *Scene) deleteAll(pattern string) {
	s.Helper()
	for it := s.Client.Scan(s.Context(), 0, pattern, 1000).Iterator(); it.Next(s.Context()); {
		if err := s.Client.Del(s.Context(), it.Val()).Err(); err != nil {
			s.Fatal(err)
		}
	}
}
