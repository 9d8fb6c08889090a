package integration

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

var answersPage = flag.String("answers", "", "write the table of TestAnswers to this file (docs/en/Answers.md)")

// unmade is the status that no command can bring about: it stands for a fault of the program itself.
const unmade = 500

// madeAnswer is one row: a command that a person could type, and the status that comes of it.
type madeAnswer struct {
	route   string // method and path, as the document has them
	status  int
	command string // all but how curl is to print
	got     string // status and code that came
}

// TestAnswers makes every status of every route of the document, by a command each, from real servers: one, one that is at its rate limit,
// and one without Redis.
func TestAnswers(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl here")
	}
	t.Parallel()
	r := redistest.Own(t)
	env, rows := standForAnswers(t, r)
	made := map[string]bool{}
	for _, a := range rows {
		made[fmt.Sprint(a.route, " ", a.status)] = true
	}
	for _, documented := range documentedStatuses(t) {
		if !made[documented] && !strings.HasSuffix(documented, fmt.Sprint(" ", unmade)) {
			t.Errorf("no command makes %s", documented)
		}
		delete(made, documented)
	}
	for row := range made {
		t.Errorf("%s is not in the document", row)
	}
	// One after another, for some take away what others have; the slow ones wait beside them.
	var slow sync.WaitGroup
	for i := range rows {
		if a := &rows[i]; a.status == http.StatusRequestTimeout {
			slow.Go(func() { a.run(t, env) })
		} else {
			a.run(t, env)
		}
	}
	slow.Wait()
	if *answersPage != "" && !t.Failed() {
		if err := os.WriteFile(*answersPage, []byte(pageOfAnswers(rows)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// run types the command.
func (a *madeAnswer) run(t *testing.T, env []string) {
	cmd := exec.Command("bash", "-c", `curl() { command curl -sS -m 30 -w '\n%{http_code}' "$@"; }; `+a.command)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	end := strings.LastIndex(text, "\n")
	body, status := text[:max(end, 0)], text[end+1:]
	var problem struct {
		Code string `json:"code"`
	}
	if json.Unmarshal([]byte(body), &problem) == nil && a.status >= 400 {
		status += " " + problem.Code
	}
	if a.got = strings.TrimSpace(status); !strings.HasPrefix(a.got, strconv.Itoa(a.status)) {
		t.Errorf("%s: want %d of\n%s\ngot %s (%v)", a.route, a.status, a.command, text, err)
	}
}

// standForAnswers starts the servers and a worker, puts one job into each state, and returns what the commands find in their
// environment, and the commands.
func standForAnswers(t *testing.T, r *redistest.Server) (env []string, rows []madeAnswer) {
	t.Helper()
	server := startServer(t, r)
	busy := startServer(t, r, "RATE_LIMIT=1/h:1")
	down := startServer(t, r, "REDIS_URL=redis://127.0.0.1:1/0")
	startJobqueue(t, r, "WORKER_CONCURRENCY=3", "QUEUES=default")
	client := open(t, r.URL())
	add := func(job queue.NewJob) {
		t.Helper()
		if _, err := client.Enqueue(t.Context(), job); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"waits-1", "waits-2"} {
		add(queue.NewJob{ID: id, Type: "sleep", Delay: time.Hour})
	}
	for _, id := range []string{"runs", "ends"} {
		add(queue.NewJob{ID: id, Type: "sleep", Payload: []byte(`{"seconds": 600}`)})
	}
	for _, id := range []string{"died", "broken"} {
		add(queue.NewJob{ID: id, Type: "nobody-knows-it", MaxRetry: queue.NoRetry})
	}
	add(queue.NewJob{ID: "unreadable", Queue: "damaged", Type: "sleep", Delay: time.Hour})
	if err := r.Client().ZRem(t.Context(), "punctual:{damaged}:scheduled", "unreadable").Err(); err != nil {
		t.Fatal(err)
	}
	if err := r.Client().ZAdd(t.Context(), "punctual:{damaged}:dead", zOf("unreadable")).Err(); err != nil {
		t.Fatal(err)
	}
	if err := r.Client().HSet(t.Context(), "punctual:{damaged}:jobs", "unreadable", `{"type":"unreadable","max_retry":0,"reason":"a test"}`).Err(); err != nil {
		t.Fatal(err)
	}
	is := func(id string, state queue.State) {
		redistest.Await(t, 20*time.Second, id+" to be "+string(state), func() bool {
			info, err := client.Get(t.Context(), "default", id)
			return err == nil && info.State == state
		})
	}
	is("runs", queue.Processing)
	is("ends", queue.Processing)
	is("died", queue.Dead)
	is("broken", queue.Dead)
	workers, err := client.Workers(t.Context())
	if err != nil || len(workers) != 1 {
		t.Fatalf("%+v, %v", workers, err)
	}
	header := func(c api.TokenClaims) string {
		token, err := api.NewToken([]byte(secret), c)
		if err != nil {
			t.Fatal(err)
		}
		return "Authorization: Bearer " + token
	}
	env = []string{"URL=http://" + server.addr, "BUSY=http://" + busy.addr, "DOWN=http://" + down.addr, "WORKER=" + workers[0].ID,
		"AUTH=" + header(api.TokenClaims{Subject: "answers", Scopes: api.Scopes()}),
		"NARROW=" + header(api.TokenClaims{Subject: "answers", Scopes: []string{"nothing:at-all"}})}
	prime := exec.Command("bash", "-c", `curl -sS -H "$AUTH" "$BUSY/api/dm-jobqueue/stats"`)
	prime.Env = append(os.Environ(), env...)
	if out, err := prime.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	return env, commandsOfAnswers()
}

// documentedStatuses are all routes of the document with each of their statuses.
func documentedStatuses(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("../api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	for path, methods := range doc.Paths {
		for method, raw := range methods {
			var operation struct {
				Responses map[string]json.RawMessage `json:"responses"`
			}
			if method == "parameters" || json.Unmarshal(raw, &operation) != nil {
				continue
			}
			for status := range operation.Responses {
				all = append(all, strings.ToUpper(method)+" "+path+" "+status)
			}
		}
	}
	slices.Sort(all)
	return all
}
