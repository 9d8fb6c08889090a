package api

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	docBlock  = regexp.MustCompile("(?s)```sh\n([^`]+)```\n\n```text\n([^`]+)```")
	docURL    = regexp.MustCompile(`http://127\.0\.0\.1:8080(\S+)`)
	docHeader = regexp.MustCompile(`-H ["']([A-Za-z-]+): ([^"']+)["']`)
	docBody   = regexp.MustCompile(`-d '([^']*)'`)
	docID     = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
)

// What the documents print under a curl is what this API answers to it, ids aside.
func TestDocumentedRequests(t *testing.T) {
	client, _ := realQueue(t)
	h, _ := newAPI(t, client)
	for _, lang := range []string{"en", "ja"} {
		examples := docBlock.FindAllStringSubmatch(readDoc(t, lang), -1)
		if len(examples) != 4 {
			t.Errorf("%s: %d examples", lang, len(examples))
		}
		for _, example := range examples {
			var printed strings.Builder
			for _, command := range strings.Split(strings.ReplaceAll(example[1], "\\\n", " "), "\n") {
				if command != "" {
					printed.WriteString(do(h, curl(t, command)).Body.String())
				}
			}
			if got, want := docID.ReplaceAllString(printed.String(), "ID"), docID.ReplaceAllString(example[2], "ID"); got != want {
				t.Errorf("%s: %s\nprints %s\nnot %s", lang, example[1], got, want)
			}
		}
	}
}

// curl makes the request of a curl command as the documents write it.
func curl(t *testing.T, command string) *http.Request {
	t.Helper()
	url := docURL.FindStringSubmatch(command)
	if url == nil || !strings.HasPrefix(command, "curl ") {
		t.Fatalf("not a curl: %s", command)
	}
	r := httptest.NewRequest(http.MethodGet, url[1], nil)
	if strings.Contains(command, " -X POST ") {
		r.Method = http.MethodPost
	}
	for _, header := range docHeader.FindAllStringSubmatch(command, -1) {
		r.Header.Set(header[1], strings.ReplaceAll(header[2], "$TOKEN", testToken(t)))
	}
	if body := docBody.FindStringSubmatch(command); body != nil {
		r.Body = io.NopCloser(strings.NewReader(body[1]))
	}
	return r
}

// The documents have a row for each code, and none for one that is not there.
func TestDocumentedCodes(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| ([0-9]{3}) \\|")
	codes := map[string]bool{}
	for _, k := range append(kinds, internal) {
		codes[fmt.Sprintf("%s %d", k.code, k.status)] = true
	}
	for _, lang := range []string{"en", "ja"} {
		told := map[string]bool{}
		for _, found := range row.FindAllStringSubmatch(readDoc(t, lang), -1) {
			code := found[1] + " " + found[2]
			if told[code] = true; !codes[code] {
				t.Errorf("%s tells of %s, which is never answered", lang, code)
			}
		}
		for code := range codes {
			if !told[code] {
				t.Errorf("%s does not tell of %s", lang, code)
			}
		}
		for _, field := range fieldNames {
			if !strings.Contains(readDoc(t, lang), "\n| `"+field+"` | ") {
				t.Errorf("%s does not tell of the field %s", lang, field)
			}
		}
	}
}

func readDoc(t *testing.T, lang string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/" + lang + "/API.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
