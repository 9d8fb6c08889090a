package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/punctualq/punctual/integration/redistest"
)

// ids is a set of job ids that many goroutines add to.
type ids struct {
	mu  sync.Mutex
	all []string
}

func (s *ids) add(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, id)
}

func (s *ids) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}

// Job is the body of a registration.
type Job struct {
	Message  string `json:"message,omitempty"`
	Type     string `json:"type,omitempty"`
	Payload  any    `json:"payload,omitempty"`
	Delay    int    `json:"delay_seconds"`
	MaxRetry *int   `json:"max_retry,omitempty"`
}

// Sleep is a job that runs for a while.
func Sleep(d time.Duration) Job {
	return Job{Type: "sleep", Payload: map[string]float64{"seconds": d.Seconds()}}
}

// Retries sets max_retry.
func (j Job) Retries(n int) Job { j.MaxRetry = &n; return j }

// Answer is what the API said; Status is 0 if it said nothing.
type Answer struct {
	Status int           `json:"-"`
	Took   time.Duration `json:"-"`
	JobID  string        `json:"job_id"`
	Code   string        `json:"code"`
}

// token is good for two days. It does not say when it was issued: some servers here have a clock that is an hour behind.
var token = sync.OnceValues(func() (string, error) {
	claims := jwt.MapClaims{"sub": "faults", "exp": time.Now().Add(48 * time.Hour).Unix()}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
})

// client has connections for many callers at once.
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// post registers a job by the API at addr.
func post(t testing.TB, addr string, job Job) Answer {
	bearer, err := token()
	if err != nil {
		t.Error(err)
		return Answer{}
	}
	body, err := json.Marshal(job)
	if err != nil {
		t.Error(err)
		return Answer{}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/api/dm-jobqueue/register", bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return Answer{}
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Content-Type", "application/json")
	begin := time.Now()
	res, err := client.Do(req)
	if err != nil {
		return Answer{Took: time.Since(begin)}
	}
	defer res.Body.Close()
	a := Answer{Status: res.StatusCode}
	if json.NewDecoder(res.Body).Decode(&a) != nil { // cut off: the client does not know
		a.Status = 0
	}
	a.Took = time.Since(begin)
	return a
}

// Post registers a job and keeps what became of it for the oracle.
func (s *Scene) Post(server *Process, job Job) Answer {
	a := post(s.T, server.Addr, job)
	if a.Status == http.StatusCreated {
		s.acked.add(a.JobID)
	}
	return a
}

// Register is Post of a job that must be taken; it returns the id.
func (s *Scene) Register(server *Process, job Job) string {
	s.Helper()
	a := s.Post(server, job)
	if a.Status != http.StatusCreated {
		s.Fatalf("register %+v: %d %s", job, a.Status, a.Code)
	}
	return a.JobID
}

// Load is jobs that arrive all the time.
type Load struct {
	mu      sync.Mutex
	answers map[string]int // "201", or status and code: how often
	slowest time.Duration  // of the 503s
	took    []float64      // ms, of the 201s
	first   time.Time      // when the first 201 came since AwaitCreated looks for one
	stop    context.CancelFunc
	posting sync.WaitGroup
}

// Load posts jobs from a few callers, each one every pause, until Stop. make is called with the number of the job.
func (s *Scene) Load(server *Process, callers int, pause time.Duration, make func(n int) Job) *Load {
	ctx, stop := context.WithCancel(context.Background())
	l := &Load{stop: stop, answers: map[string]int{}}
	for c := range callers {
		l.posting.Go(func() {
			tick := time.NewTicker(pause)
			defer tick.Stop()
			for n := c; ; n += callers {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				a := s.Post(server, make(n))
				if a.Status == http.StatusServiceUnavailable {
					s.Run.Refused(a.Took)
				}
				l.note(a)
			}
		})
	}
	s.Cleanup(l.Stop)
	return l
}

func (l *Load) note(a Answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := http.StatusText(a.Status)
	switch a.Status {
	case http.StatusServiceUnavailable:
		name = a.Code
		l.slowest = max(l.slowest, a.Took)
	case http.StatusCreated:
		l.took = append(l.took, ms(a.Took))
		if l.first.IsZero() {
			l.first = time.Now()
		}
	}
	l.answers[name]++
}

// AwaitCreated waits for the next 201 and returns how long that took.
func (l *Load) AwaitCreated(t testing.TB, within time.Duration) time.Duration {
	t.Helper()
	begin := time.Now()
	l.mu.Lock()
	l.first = time.Time{}
	l.mu.Unlock()
	var came time.Time
	redistest.Await(t, within, "a 201 under load", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		came = l.first
		return !came.IsZero()
	})
	return came.Sub(begin)
}

// Created is how long the 201s took, in ms.
func (l *Load) Created() []float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.took)
}

// Stop ends the load and returns when the last answer is there.
func (l *Load) Stop() {
	l.stop()
	l.posting.Wait()
}

// Answers are how often each answer came: by the text of the status, or by the code of a 503; "" is none.
func (l *Load) Answers() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string]int{}
	for name, n := range l.answers {
		all[name] = n
	}
	return all
}

// Mixed is the common load: jobs that print a message now or in a second.
func Mixed(n int) Job { return Job{Message: "load", Delay: n % 2} }
