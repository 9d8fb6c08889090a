package api

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/punctualq/punctual/queue"
)

// neverSeen are ends of answers that the document has and no test of this package gets, each with its reason.
var neverSeen = map[string]string{
	"GET /metrics 200": "the process mounts it beside this handler",
}

// excuse returns the end in neverSeen that an answer has, "" if it has none.
func excuse(answer string) string {
	for end := range neverSeen {
		if strings.HasSuffix(answer, end) {
			return end
		}
	}
	return ""
}

func TestMain(m *testing.M) {
	queue.QuietDriver()
	code := m.Run()
	faults := theContract().strays()
	if code == 0 && all() {
		faults = append(faults, theContract().unseen()...)
	}
	if len(faults) > 0 {
		fmt.Printf("FAIL: openapi.json and the tests of this package do not fit:\n  %s\n", strings.Join(faults, "\n  "))
		code = 1
	}
	os.Exit(code)
}

// all says whether all tests were run, so that what was not seen was never sent.
func all() bool {
	for _, name := range []string{"run", "skip", "list", "fuzz"} {
		if f := flag.Lookup("test." + name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	return !testing.Short()
}

// stray keeps what went wrong where no test could be told, until all tests are over.
func (c *contract) stray(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.strayed = append(c.strayed, err.Error())
}

func (c *contract) strays() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.strayed)
}

// unseen lists each documented answer that no test got and that is not excused, and each excuse that is not needed.
func (c *contract) unseen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var faults []string
	excused := map[string]bool{}
	for _, answer := range documentedAnswers() {
		end := excuse(answer)
		excused[end] = true
		switch {
		case !c.seen[answer] && end == "":
			faults = append(faults, "no test got: "+answer)
		case c.seen[answer] && end != "":
			faults = append(faults, "seen, and excused all the same: "+answer)
		}
	}
	for _, end := range slices.Sorted(maps.Keys(neverSeen)) {
		if !excused[end] {
			faults = append(faults, "excused, and not in the document: "+end)
		}
	}
	return faults
}

// documentedAnswers are all operations with each of their statuses and codes, as note writes them.
func documentedAnswers() []string {
	type response struct {
		Ref     string `json:"$ref"`
		Content map[string]struct {
			Schema struct {
				Properties struct {
					Code struct {
						Enum []string `json:"enum"`
					} `json:"code"`
				} `json:"properties"`
			} `json:"schema"`
		} `json:"content"`
	}
	var doc struct {
		Paths      map[string]map[string]json.RawMessage `json:"paths"`
		Components struct {
			Responses map[string]response `json:"responses"`
		} `json:"components"`
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		panic(err)
	}
	var answers []string
	for path, methods := range doc.Paths {
		for method, raw := range methods {
			var operation struct {
				Responses map[string]response `json:"responses"`
			}
			if method == "parameters" || json.Unmarshal(raw, &operation) != nil {
				continue
			}
			for status, r := range operation.Responses {
				if name, ok := strings.CutPrefix(r.Ref, "#/components/responses/"); ok {
					r = doc.Components.Responses[name]
				}
				answer := strings.ToUpper(method) + " " + path + " " + status
				codes := r.Content["application/problem+json"].Schema.Properties.Code.Enum
				for _, code := range codes {
					answers = append(answers, answer+" "+code)
				}
				if len(codes) == 0 {
					answers = append(answers, answer)
				}
			}
		}
	}
	slices.Sort(answers)
	return answers
}
