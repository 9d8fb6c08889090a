package faults

import (
	"net/http"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

// redisRows: what happens to Redis itself.
var redisRows = map[string]func(*Run){
	"R10": crashEverySecond, "R11": crashAlways, "R12": crashUnsaved,
	"R14": scriptFlush, "R15": hang, "R16": awayLong, "R17": serverFirst,
	"R21": full, "R22": evicting,
}

// back is within which time after the return of Redis the API takes jobs again.
const back = 2 * time.Second

// inTime holds the 503s of a load to their promise: within a second, whatever Redis does.
func (s *Scene) inTime(load *Load) {
	s.Helper()
	unlock := s.Run.Result.lock()
	p99 := Quantile(s.Run.Result.First503, 0.99)
	unlock()
	if p99 > 1000 {
		s.Errorf("p99 of the 503s is %.0f ms, want at most 1000", p99)
	}
	for answer := range load.Answers() {
		switch answer {
		case "Created", "redis-unavailable", "outcome-unknown", "storage-full":
		default:
			s.Errorf("%d answers were %q", load.Answers()[answer], answer)
		}
	}
}

// scriptFlush takes all scripts from Redis again and again: each call must bring its own along.
func scriptFlush(r *Run) {
	r.Scene("SCRIPT FLUSH every 10 ms", Setup{}, func(s *Scene) {
		server := s.Server()
		s.Worker()
		s.Worker()
		load := s.Load(server, 4, 10*time.Millisecond, Mixed)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range r.Times(300, 6000) {
			<-tick.C
			if err := s.Client.ScriptFlush(s.Context()).Err(); err != nil {
				s.Fatal(err)
			}
			r.Injected()
		}
		load.Stop()
		answers := load.Answers()
		r.Figure("registrations that failed", float64(total(answers)-answers["Created"]), "", "0")
		if len(answers) != 1 || answers["Created"] == 0 {
			s.Errorf("answers are %v, want nothing but Created", answers)
		}
		s.AwaitDrained(20 * time.Second)
		for _, counter := range []string{"reaped", "retried", "lost", "dead"} {
			s.Never(counter)
		}
	})
}

func total(answers map[string]int) (n int) {
	for _, times := range answers {
		n += times
	}
	return n
}

// serverFirst starts the API without Redis.
func serverFirst(r *Run) {
	r.Scene("API first", Setup{}, func(s *Scene) {
		for range r.Times(3, 20) {
			s.Redis.Stop(s.T)
			server := s.Server()
			r.Injected()
			if status := server.Get("/readyz"); status != http.StatusServiceUnavailable {
				s.Errorf("/readyz is %d without Redis, want 503", status)
			}
			load := s.Load(server, 2, 20*time.Millisecond, Mixed)
			redistest.Await(s.T, 5*time.Second, "20 refusals", func() bool { return total(load.Answers()) >= 20 })
			if answers := load.Answers(); answers["redis-unavailable"] != total(answers) {
				s.Errorf("answers are %v, want nothing but redis-unavailable", answers)
			}
			s.Redis.Start(s.T)
			r.Resumed(load.AwaitCreated(s.T, back))
			server.AwaitHTTP("/readyz", http.StatusOK, back)
			load.Stop()
			s.inTime(load)
			s.end(server)
		}
	})
}

// end stops processes in good order.
func (s *Scene) end(processes ...*Process) {
	s.Helper()
	for _, p := range processes {
		p.Signal(sigterm)
	}
	for _, p := range processes {
		if code := p.AwaitExit(40 * time.Second); code != 0 {
			s.Errorf("%s (pid %d) exits with %d, want 0", p.name, p.Pid(), code)
		}
	}
}
