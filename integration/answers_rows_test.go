package integration

import (
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

func zOf(id string) redis.Z { return redis.Z{Score: float64(time.Now().UnixMilli()), Member: id} }

// asked is a route as the commands ask for it.
type asked struct {
	method, path string
	target       string // what comes after the server's address; default: path
	body         string // a good one; "": it takes none
	noQuery      bool   // it does not look at the query, so that only its body can be wrong
	open         bool   // it asks for no token
}

const apiBase = "/api/dm-jobqueue"

var askedRoutes = []asked{
	{method: "POST", path: apiBase + "/register", body: `{"message": "hello"}`, noQuery: true},
	{method: "POST", path: apiBase + "/register/bulk", body: `{"jobs": [{"message": "hello"}]}`, noQuery: true},
	{method: "GET", path: apiBase + "/jobs"},
	{method: "GET", path: apiBase + "/jobs/{job_id}", target: apiBase + "/jobs/waits-1"},
	{method: "PATCH", path: apiBase + "/jobs/{job_id}", target: apiBase + "/jobs/waits-1", body: `{"max_retry": 9}`},
	{method: "DELETE", path: apiBase + "/jobs/{job_id}", target: apiBase + "/jobs/waits-1"},
	{method: "POST", path: apiBase + "/jobs/{job_id}/run", target: apiBase + "/jobs/waits-2/run"},
	{method: "POST", path: apiBase + "/jobs/{job_id}/reschedule", target: apiBase + "/jobs/waits-1/reschedule", body: `{"delay_seconds": 7200}`},
	{method: "POST", path: apiBase + "/jobs/{job_id}/redrive", target: apiBase + "/jobs/died/redrive"},
	{method: "POST", path: apiBase + "/jobs/{job_id}/purge", target: apiBase + "/jobs/broken/purge"},
	{method: "GET", path: apiBase + "/queues"},
	{method: "GET", path: apiBase + "/queues/{queue}", target: apiBase + "/queues/default"},
	{method: "POST", path: apiBase + "/queues/{queue}/pause", target: apiBase + "/queues/default/pause"},
	{method: "POST", path: apiBase + "/queues/{queue}/resume", target: apiBase + "/queues/default/resume"},
	{method: "POST", path: apiBase + "/queues/{queue}/redrive", target: apiBase + "/queues/default/redrive", body: `{"type": "sleep"}`},
	{method: "POST", path: apiBase + "/queues/{queue}/purge", target: apiBase + "/queues/default/purge", body: `{"state": "done"}`},
	{method: "GET", path: apiBase + "/workers"},
	{method: "POST", path: apiBase + "/workers/{worker}/quiet", target: apiBase + "/workers/$WORKER/quiet"},
	{method: "POST", path: apiBase + "/workers/{worker}/stop", target: apiBase + "/workers/$WORKER/stop"},
	{method: "GET", path: apiBase + "/stats"},
	{method: "GET", path: apiBase + "/openapi.json", open: true},
	{method: "GET", path: apiBase + "/docs", open: true},
	{method: "GET", path: "/metrics", open: true},
	{method: "GET", path: "/livez", open: true},
	{method: "GET", path: "/readyz", open: true},
}

// at is the command that asks a server for the route, with more of curl's options.
func (a asked) at(server, target string, more ...string) string {
	words := []string{"curl"}
	if a.method != "GET" {
		words = append(words, "-X "+a.method)
	}
	if !a.open {
		words = append(words, more...)
	}
	return strings.Join(append(words, `"$`+server+target+`"`), " ")
}

const (
	withToken = `-H "$AUTH"`
	asJSON    = `-H 'Content-Type: application/json'`
)

func data(body string) string { return `-d '` + body + `'` }

// commandsOfAnswers are all rows: of each route first what it refuses, which changes nothing, then what it does.
func commandsOfAnswers() (rows []madeAnswer) {
	for _, a := range askedRoutes {
		if a.target == "" {
			a.target = a.path
		}
		row := func(status int, command string) {
			rows = append(rows, madeAnswer{route: a.method + " " + a.path, status: status, command: command})
		}
		good := []string{withToken}
		if a.body != "" {
			good = append(good, asJSON, data(a.body))
		}
		a.refusals(row, good)
		a.others(row)
		if succeeds := a.successes(); succeeds != nil {
			succeeds(row)
		} else {
			row(200, a.at("URL", a.target, good...))
		}
	}
	return rows
}

// refusals are what all routes with a token refuse in the same way.
func (a asked) refusals(row func(int, string), good []string) {
	if a.open {
		return
	}
	if a.body != "" {
		row(400, a.at("URL", a.target, withToken, asJSON, data(`{"`)))
	}
	if !a.noQuery {
		row(400, a.at("URL", a.target+"?nonsense=1", good...))
	}
	row(401, a.at("URL", a.target, good[1:]...))
	row(403, a.at("URL", a.target, append([]string{`-H "$NARROW"`}, good[1:]...)...))
	row(429, a.at("BUSY", a.target, good...))
	if a.path != apiBase+"/register/bulk" { // its answer is 200, and each result says 503
		row(503, a.at("DOWN", a.target, good...))
	}
	if a.body == "" {
		return
	}
	row(408, `{ printf '{'; sleep 12; } | `+a.at("URL", a.target, withToken, asJSON, "-T -"))
	row(413, `head -c 5000000 /dev/zero | tr '\0' ' ' | `+a.at("URL", a.target, withToken, asJSON, "--data-binary @-"))
	row(415, a.at("URL", a.target, withToken, `-H 'Content-Type: text/plain'`, data(a.body)))
}

// others are what only some routes refuse.
func (a asked) others(row func(int, string)) {
	with := func(body string) []string {
		if body == "" {
			return []string{withToken}
		}
		return []string{withToken, asJSON, data(body)}
	}
	switch {
	case strings.Contains(a.path, "{job_id}"):
		row(404, a.at("URL", strings.NewReplacer("waits-1", "nobody", "waits-2", "nobody", "died", "nobody", "broken", "nobody").Replace(a.target), with(a.body)...))
	case strings.Contains(a.path, "{queue}"):
		row(404, a.at("URL", strings.Replace(a.target, "default", "nobody", 1), with(a.body)...))
	case strings.Contains(a.path, "{worker}"):
		row(404, a.at("URL", strings.Replace(a.target, "$WORKER", "nobody:1:0", 1), with(a.body)...))
	}
	switch a.path[strings.LastIndex(a.path, "/"):] {
	case "/register":
		row(409, a.at("URL", a.target, with(`{"message": "hello", "job_id": "waits-1"}`)...))
		row(422, a.at("URL", a.target, with(`{"message": "hello", "delay_seconds": -1}`)...))
	case "/bulk":
		row(422, a.at("URL", a.target, with(`{"jobs": []}`)...))
	case "/{job_id}":
		switch a.method {
		case "PATCH":
			row(409, a.at("URL", strings.Replace(a.target, "waits-1", "runs", 1), with(a.body)...))
			row(422, a.at("URL", a.target, with(`{"max_retry": -1}`)...))
		case "DELETE":
			row(409, a.at("URL", strings.Replace(a.target, "waits-1", "died", 1), withToken))
		}
	case "/run":
		row(409, a.at("URL", strings.Replace(a.target, "waits-2", "runs", 1), withToken))
	case "/reschedule":
		row(409, a.at("URL", strings.Replace(a.target, "waits-1", "runs", 1), with(a.body)...))
		row(422, a.at("URL", a.target, with(`{"delay_seconds": -1}`)...))
	case "/redrive":
		if a.body != "" {
			row(422, a.at("URL", a.target, with(`{"limit": -1}`)...))
			break
		}
		row(409, a.at("URL", strings.Replace(a.target, "died", "waits-1", 1), withToken))
		row(422, a.at("URL", strings.Replace(a.target, "died", "unreadable", 1)+"?queue=damaged", withToken))
	case "/purge":
		if a.body == "" {
			row(409, a.at("URL", strings.Replace(a.target, "broken", "waits-1", 1), withToken))
			break
		}
		row(422, a.at("URL", a.target, with(`{"state": "processing"}`)...))
	case "/readyz":
		row(503, a.at("DOWN", a.target))
	}
}

// successes are those of the routes that do not just answer 200; nil for the others.
func (a asked) successes() func(row func(int, string)) {
	switch a.method + " " + strings.TrimPrefix(a.path, apiBase) {
	case "POST /register":
		return func(row func(int, string)) { row(201, a.at("URL", a.target, withToken, asJSON, data(a.body))) }
	case "DELETE /jobs/{job_id}":
		return func(row func(int, string)) {
			row(200, "curl -X POST "+withToken+" "+asJSON+" "+data(`{"message": "x", "job_id": "new", "delay_seconds": 60}`)+
				` -o /dev/null -w '' "$URL`+apiBase+`/register" && `+a.at("URL", strings.Replace(a.target, "waits-1", "new", 1), withToken))
			row(202, a.at("URL", strings.Replace(a.target, "waits-1", "ends", 1), withToken))
		}
	case "POST /workers/{worker}/quiet", "POST /workers/{worker}/stop":
		return func(row func(int, string)) { row(202, a.at("URL", a.target, withToken)) }
	}
	return nil
}

// pageOfAnswers is the table as it is published.
func pageOfAnswers(rows []madeAnswer) string {
	var b strings.Builder
	b.WriteString("# Answers\n\nEvery status of every route of `api/openapi.json`, each made by the command of its row. Written by " +
		"`go test -run '^TestAnswers$' ./integration -args -answers ../docs/en/Answers.md`, which runs the commands against real servers: " +
		"`$URL` is one that works, `$BUSY` one at its `RATE_LIMIT`, `$DOWN` one whose Redis does not answer. `$AUTH` is the header of a token with all " +
		"scopes, `$NARROW` one with none of them, `$WORKER` the id of a living worker. The jobs `waits-1` and `waits-2` are scheduled, `runs` and `ends` are processing, " +
		"`died` and `broken` are dead, and so is `unreadable`, whose record cannot be read.\n\n" +
		"What no command makes: 500, which is a fault of the program itself. Routes that the document does not have answer 404 `not-found`, other methods 405 `method-not-allowed`.\n")
	route := ""
	for _, a := range rows {
		if a.route != route {
			route = a.route
			fmt.Fprintf(&b, "\n## %s\n\n| answer | command |\n|---|---|\n", route)
		}
		fmt.Fprintf(&b, "| %s | `%s` |\n", a.got, strings.ReplaceAll(a.command, "|", `\|`))
	}
	return b.String()
}
