package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/integration/redistest"
)

// keyed is the answer to a registration with an Idempotency-Key.
type keyed struct {
	status   int
	JobID    string `json:"job_id"`
	Code     string `json:"code"`
	replayed bool
	err      error
}

// registerKeyed posts a job with a key as a client should: while the answer is 503 it sends the same again.
func (p *process) registerKeyed(token, key, body string) (a keyed) {
	for range 20 {
		if a = p.postKeyed(token, key, body); a.err != nil || a.status != http.StatusServiceUnavailable {
			return a
		}
		time.Sleep(100 * time.Millisecond) // as Retry-After asks for, but shorter
	}
	return a
}

func (p *process) postKeyed(token, key, body string) (a keyed) {
	var req *http.Request
	if req, a.err = http.NewRequest(http.MethodPost, "http://"+p.addr+"/api/dm-jobqueue/register", strings.NewReader(body)); a.err != nil {
		return a
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	client := http.Client{Timeout: 10 * time.Second}
	res, err := client.Do(req)
	if a.err = err; err != nil {
		return a
	}
	defer res.Body.Close()
	a.status, a.replayed = res.StatusCode, res.Header.Get("Idempotency-Replayed") == "true"
	a.err = json.NewDecoder(res.Body).Decode(&a)
	return a
}

// TestOneKeyMakesOneJob: 100 posts of one key at once, to two API processes, make one job, which all of them are answered.
func TestOneKeyMakesOneJob(t *testing.T) {
	onEveryRedis(t, func(t *testing.T, r *redistest.Server) {
		servers := []*process{startServer(t, r), startServer(t, r)}
		token := func(subject string) string {
			text, err := api.NewToken([]byte(secret), api.TokenClaims{Subject: subject})
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		const key, body = `"8e03978e-40d5-43dd-bc93-6894a57f9324"`, `{"message": "pay once", "delay_seconds": 600}`
		mine := token("test")
		var all sync.WaitGroup
		answers := make([]keyed, 100)
		for i := range answers {
			all.Go(func() { answers[i] = servers[i%2].registerKeyed(mine, key, body) })
		}
		all.Wait()
		firsts := 0
		for i, a := range answers {
			if a.err != nil || a.status != http.StatusCreated || a.JobID == "" || a.JobID != answers[0].JobID {
				t.Errorf("post %d was answered %+v, the first %+v", i, a, answers[0])
			}
			if !a.replayed {
				firsts++
			}
		}
		if firsts > 1 { // none if its reply was lost and it was sent again
			t.Errorf("%d answers say that they are the first", firsts)
		}
		wantJobs(t, r, 1)

		if a := servers[1].registerKeyed(mine, key, `{ "delay_seconds": 600, "message": "pay once" }`); a.status != http.StatusCreated || !a.replayed {
			t.Errorf("the same request in another spelling: %+v", a)
		}
		if a := servers[0].registerKeyed(mine, key, `{"message": "pay twice"}`); a.status != http.StatusUnprocessableEntity || a.Code != "idempotency-conflict" {
			t.Errorf("another request: %+v", a)
		}
		wantJobs(t, r, 1)
		if a := servers[0].registerKeyed(token("another"), key, body); a.status != http.StatusCreated || a.replayed || a.JobID == answers[0].JobID {
			t.Errorf("another subject: %+v", a)
		}
		wantJobs(t, r, 2)
		redistest.AssertConserved(t, r.Client(), "default")
	})
}

// wantJobs counts the jobs that wait, and the keys that are remembered for them.
func wantJobs(t *testing.T, r *redistest.Server, want int) {
	t.Helper()
	jobs := r.Client().HLen(t.Context(), "punctual:{default}:jobs").Val()
	waiting := r.Client().ZCard(t.Context(), scheduledKey).Val()
	keys := len(r.Client().Keys(t.Context(), "punctual:{default}:idempotency:*").Val())
	if got := fmt.Sprint(jobs, waiting, keys); got != fmt.Sprint(want, want, want) {
		t.Errorf("jobs, waiting and keys are %s, want %d of each", got, want)
	}
}
