package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

// refusal is one way in which Redis refuses work.
type refusal struct {
	name   string
	says   string   // what the log of the API must have of it
	redis  []string // more arguments of redis-server
	ready  string   // the code that /readyz of the API gives as its reason
	code   string   // of the 503s; "" takes redis-unavailable
	unseen bool     // heartbeats go on, so workers have nothing to tell of
	setup  func(*refused)
	begin  func(*refused)
	end    func(*refused) // nil: mend
}

// refused is a scene while Redis refuses.
type refused struct {
	*Scene
	settings []string // of all processes, beside those of every scene
	password string   // of the user in REDIS_URL
	disk     string   // small, and of this Redis alone
	mend     func()   // what setup or begin leaves for the end
}

const user = "punctual" // of Redis; the test itself is another one

// play has clients register while Redis refuses, beside a worker, and looks at what everyone says.
func (f refusal) play(r *Run) {
	password := fmt.Sprintf("a password that no log may hold %d", time.Now().UnixNano())
	password = strings.ReplaceAll(password, " ", "-")
	args := append([]string{"--user", user, "on", ">" + password, "~*", "&*", "+@all"}, f.redis...)
	r.Scene(f.name, Setup{Redis: args}, func(s *Scene) {
		x := &refused{Scene: s, password: password}
		s.URL = strings.Replace(s.URL, "redis://", "redis://"+user+":"+password+"@", 1)
		if f.setup != nil {
			f.setup(x)
		}
		server, worker := s.Server(x.settings...), s.Worker(x.settings...)
		before := Said("registered before")
		before.Delay = 1
		s.Register(server, before)
		logged := len(worker.Log())
		f.begin(x)
		r.Injected()
		lasts := time.NewTimer(r.For(3*s.Timing.TTL/2, 5*s.Timing.TTL)) // how long it lasts is the fault
		s.awaitRefusal(server)
		f.watch(s, server)
		if !strings.Contains(server.Log(), f.says) {
			s.Errorf("%s: the log of the API does not say %q", f.name, f.says)
		}
		if !f.unseen {
			worker.AwaitLog(10*time.Second, "cannot be reached")
		}
		<-lasts.C
		s.quiet(f.name, worker, worker.Log()[logged:])
		if f.end != nil {
			f.end(x)
		} else {
			x.mend()
		}
		begin := time.Now()
		redistest.Await(s.T, 20*time.Second, "a 201", func() bool { return s.Post(server, Said("registered after")).Status == http.StatusCreated })
		if back := time.Since(begin); back > 2*time.Second {
			s.Errorf("%s: 201 again after %s, want 2 s at most", f.name, back)
		} else {
			r.Resumed(back)
		}
		server.AwaitHTTP("/readyz", 200, 5*time.Second)
		redistest.Await(s.T, s.Timing.Recovery(), "the jobs of before and after to run", func() bool {
			ran := printed(worker)
			return ran["registered before"] > 0 && ran["registered after"] > 0
		})
		r.Recovered(time.Since(begin))
		s.secrets(password)
	})
}

// awaitRefusal waits until the API refuses a job: some faults take a moment.
func (s *Scene) awaitRefusal(server *Process) {
	s.Helper()
	redistest.Await(s.T, 20*time.Second, "a refusal", func() bool {
		return s.Post(server, Said("registered at the edge")).Status != http.StatusCreated
	})
}

// watch has clients register, ten at a time, and holds the answers against what is promised.
func (f refusal) watch(s *Scene, server *Process) {
	s.Helper()
	var mu sync.Mutex
	var took []float64
	codes := map[string]int{}
	var posting sync.WaitGroup
	for range 10 {
		posting.Go(func() {
			for range s.Run.Times(2, 20) {
				a := s.Post(server, Said("registered meanwhile"))
				mu.Lock()
				took = append(took, ms(a.Took))
				codes[fmt.Sprint(a.Status, " ", a.Code)]++
				mu.Unlock()
				if a.Status == http.StatusServiceUnavailable {
					s.Run.Refused(a.Took)
				}
			}
		})
	}
	posting.Wait()
	want := f.code
	if want == "" {
		want = "redis-unavailable"
	}
	for answer := range codes {
		if answer != "503 "+want && answer != "503 outcome-unknown" {
			s.Errorf("%s: answered %v, want 503 %s", f.name, codes, want)
		}
	}
	p99 := Quantile(took, 0.99)
	s.Run.Figure("503 within, "+f.name+", p99", p99, "ms", "≤ 1000 ms")
	if p99 > 1000 {
		s.Errorf("%s: 503 within %.0f ms (p99), want 1000 ms", f.name, p99)
	}
	status, reasons := readyz(server)
	s.Logf("%s: %v, /readyz %d %v", f.name, codes, status, reasons)
	if status != http.StatusServiceUnavailable || len(reasons) != 1 || reasons[0] != f.ready {
		s.Errorf("%s: /readyz answers %d %v, want 503 %s", f.name, status, reasons, f.ready)
	}
}

// quiet says that a worker runs on, and does not fill its log: it warns of an outage once, and so does the watch over Redis.
func (s *Scene) quiet(name string, worker *Process, log string) {
	s.Helper()
	if !worker.Running() {
		s.Errorf("%s: the worker has exited", name)
	}
	if lines := strings.Count(log, "\n"); lines > 6 {
		s.Errorf("%s: the worker wrote %d lines:\n%s", name, lines, log)
	}
	if strings.Contains(log, `"level":"error"`) {
		s.Errorf("%s: the worker calls it an error:\n%s", name, log)
	}
}

// secrets says that no process wrote one to its log or its output.
func (s *Scene) secrets(all ...string) {
	s.Helper()
	bearer, err := token()
	if err != nil {
		s.Fatal(err)
	}
	for _, p := range s.processes {
		for _, text := range append(all, secret, bearer) {
			if strings.Contains(p.Log()+p.Stdout(), text) {
				s.Errorf("%s (pid %d) wrote a secret to its log", p.name, p.Pid())
			}
		}
	}
}

// readyz is what a process says of its readiness.
func readyz(p *Process) (status int, reasons []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Addr+"/readyz", nil)
	if err != nil {
		return 0, nil
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, nil
	}
	defer res.Body.Close()
	var health struct {
		Reasons []struct {
			Code string `json:"code"`
		} `json:"reasons"`
	}
	if json.NewDecoder(res.Body).Decode(&health) != nil {
		return res.StatusCode, nil
	}
	for _, reason := range health.Reasons {
		reasons = append(reasons, reason.Code)
	}
	return res.StatusCode, reasons
}
