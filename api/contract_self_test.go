package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What is not in the document is noticed: the tests of the contract would else prove nothing.
func TestContractNotices(t *testing.T) {
	const good = `{"job_id":"x","status":"registered"}`
	located := map[string]string{"Location": pathJobs + "x", "Content-Type": "application/json"}
	with := func(name, value string) map[string]string {
		all := map[string]string{name: value}
		for k, v := range located {
			if _, given := all[k]; !given {
				all[k] = v
			}
		}
		return all
	}
	problem := map[string]string{"Content-Type": "application/problem+json"}
	for name, tc := range map[string]struct {
		method, path string
		token        string // claims; "": the one of the tests
		ask          string
		status       int
		headers      map[string]string
		body         string
		says         string // of the fault; "": there is none
	}{
		"all is well":                {body: good, headers: located, status: 201},
		"a member that is not there": {body: `{"job_id":"x","status":"registered","x":1}`, headers: located, status: 201, says: "additional"},
		"a member that is missing":   {body: `{"job_id":"x"}`, headers: located, status: 201, says: "missing"},
		"another type":               {body: `{"job_id":1,"status":"registered"}`, headers: located, status: 201, says: "job_id"},
		"a status":                   {body: good, headers: located, status: 202, says: "status is not documented"},
		"a header":                   {body: good, headers: with("X-Powered-By", "x"), status: 201, says: "X-Powered-By"},
		"a header that is missing":   {body: good, headers: map[string]string{"Content-Type": "application/json"}, status: 201, says: "Location"},
		"a media type":               {body: good, headers: with("Content-Type", "text/plain"), status: 201, says: "text/plain"},
		"a code":                     {body: `{"type":"about:blank","title":"x","status":400,"detail":"x","code":"new","request_id":"x"}`, headers: problem, status: 400, says: "code"},
		"a request that was taken":   {ask: `{"x":1}`, body: good, headers: located, status: 201, says: "must not be taken"},
		"a scope that was not asked": {token: "jobs:read", body: good, headers: located, status: 201, says: "must not be taken"},
		"a path":                     {path: "/new", body: `{}`, headers: located, status: 200, says: "not documented"},
		"a method":                   {method: "PUT", body: good, headers: located, status: 201, says: "Allow"},
		"OPTIONS with a body":        {method: "OPTIONS", body: good, headers: with("Allow", "OPTIONS, POST"), status: 200, says: "OPTIONS"},
	} {
		var fault error
		h := &checkedHandler{strays: func(err error) { fault = err }, next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("X-Request-Id", "x")
			for name, value := range tc.headers {
				w.Header().Set(name, value)
			}
			w.WriteHeader(tc.status)
			_, _ = io.WriteString(w, tc.body)
		})}
		r := request(t, `{}`)
		if tc.ask != "" {
			withBody(tc.ask)(r)
		}
		if tc.method != "" {
			r.Method = tc.method
		}
		if tc.path != "" {
			r.URL.Path = tc.path
		}
		if tc.token != "" {
			r.Header.Set("Authorization", "Bearer "+tokenOf(t, map[string]any{"scope": tc.token}))
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		if tc.says == "" && fault != nil || tc.says != "" && (fault == nil || !strings.Contains(fault.Error(), tc.says)) {
			t.Errorf("%s: noticed %v, want %q", name, fault, tc.says)
		}
	}
}

// What no test has seen is told, and so is an excuse that is not needed.
func TestContractMissesWhatNoTestGot(t *testing.T) {
	c := &contract{seen: map[string]bool{}}
	none := len(c.unseen())
	for _, answer := range documentedAnswers() {
		c.seen[answer] = excuse(answer) == ""
	}
	if left := c.unseen(); none < 200 || len(left) > 0 {
		t.Errorf("of no test %d, of all %v", none, left)
	}
	c.seen["GET /metrics 200"] = true
	if left := c.unseen(); len(left) != 1 {
		t.Errorf("%v", left)
	}
}
