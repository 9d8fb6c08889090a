package api

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestPage(t *testing.T) {
	h, _ := newAPI(t, &fakeQueue{})
	w := get(h, pathBase+"/docs")
	page := w.Body.String()
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d %s", w.Code, w.Header().Get("Content-Type"))
	}
	for path, item := range theContract().doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if !strings.Contains(page, `id="`+operation.OperationID+`"`) || !strings.Contains(page, "<code>"+path+"</code>") {
				t.Errorf("%s %s is not on the page", method, path)
			}
		}
	}
	for _, answer := range documentedAnswers() {
		if words := strings.Fields(answer); len(words) == 4 && !strings.Contains(page, "<code>"+words[3]+"</code>") {
			t.Errorf("the code %s is not on the page", words[3])
		}
	}
	for name := range theContract().doc.Components.Schemas {
		if !strings.Contains(page, `id="schema-`+name+`"`) {
			t.Errorf("the schema %s is not on the page", name)
		}
	}
	ids := map[string]bool{}
	for _, id := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if ids[id[1]] {
			t.Errorf("the id %s stands twice", id[1])
		}
		ids[id[1]] = true
	}
	for _, link := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !ids[link[1]] {
			t.Errorf("a link leads to #%s, which is not there", link[1])
		}
	}
	if dir := os.Getenv("PUNCTUAL_PAGE"); dir != "" { // for looking at it
		_ = os.WriteFile(dir, w.Body.Bytes(), 0o600)
	}
}

// Nothing is loaded, nothing is run, and the policy forbids it; the page's own style is let in.
func TestPageLoadsNothing(t *testing.T) {
	h, _ := newAPI(t, &fakeQueue{})
	w := get(h, pathBase+"/docs")
	page := w.Body.String()
	if found := regexp.MustCompile(`(?i)<(script|img|link|iframe|object|embed|form|base)\b| (on[a-z]+|style|src)=|@import|url\(|https?://[^<]*"`).FindString(page); found != "" {
		t.Errorf("the page has %s", found)
	}
	_, style, _ := strings.Cut(page, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	policy := w.Header().Get("Content-Security-Policy")
	if !strings.Contains(policy, "style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("the policy %q does not fit the style", policy)
	}
	for _, part := range []string{"color-scheme: light dark", "prefers-color-scheme: dark"} {
		if !strings.Contains(style, part) {
			t.Errorf("the style has no %q", part)
		}
	}
}

// What the page shows as a command is a request that the API takes.
func TestPageCommands(t *testing.T) {
	for _, tag := range readPage(document).Tags {
		for _, o := range tag.Operations {
			if _, elsewhere := documentedRoutes[o.Method+" "+o.Path]; elsewhere {
				continue
			}
			q := everything()
			h, _ := newAPI(t, q)
			start, rest, _ := strings.Cut(o.Curl, `"$PUNCTUAL`)
			path, rest, _ := strings.Cut(rest, `"`)
			r := curl(t, start+"http://127.0.0.1:8080"+path+rest)
			r.Method = o.Method
			if len(o.Scopes) > 0 {
				r.Header.Set("Authorization", "Bearer "+tokenOf(t, map[string]any{"scope": allScopes}))
			}
			if w := do(h, r); w.Code >= 300 {
				t.Errorf("%s: %d %s", o.Curl, w.Code, w.Body)
			}
		}
	}
}
