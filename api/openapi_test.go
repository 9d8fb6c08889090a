package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

func TestDocumentIsValid(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil { // its examples, too
		t.Error(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("it is of version %q", doc.OpenAPI)
	}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.OperationID == "" || operation.Summary == "" || len(operation.Tags) != 1 {
				t.Errorf("%s %s has no operationId, no summary, or no tag", method, path)
			}
		}
	}
	if keys := duplicateKeys(t, document); len(keys) > 0 {
		t.Errorf("it has members twice: %v", keys)
	}
}

// duplicateKeys lists the members that an object of the text has twice: a reader would take the last.
func duplicateKeys(t *testing.T, text []byte) (twice []string) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	var read func(path string)
	read = func(path string) {
		token, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		delim, _ := token.(json.Delim)
		seen := map[string]bool{}
		for i := 0; delim != 0 && dec.More(); i++ {
			name := fmt.Sprint(i)
			if delim == '{' {
				key, _ := dec.Token()
				name = fmt.Sprint(key)
			}
			if seen[name] {
				twice = append(twice, path+"/"+name)
			}
			seen[name] = true
			read(path + "/" + name)
		}
		if delim != 0 {
			_, _ = dec.Token()
		}
	}
	read("")
	return twice
}

// Each code of the table of problems is in the document with its status, and no other.
func TestDocumentHasTheCodes(t *testing.T) {
	documented := []string{"404 not-found", "405 method-not-allowed"} // of no operation: they stand in the text
	for _, answer := range documentedAnswers() {
		var method, path, status, code string
		if n, _ := fmt.Sscan(answer, &method, &path, &status, &code); n == 4 {
			documented = append(documented, status+" "+code)
		}
	}
	answered := []string{}
	for _, k := range append(kinds, internal) {
		answered = append(answered, fmt.Sprintf("%d %s", k.status, k.code))
	}
	for _, list := range []*[]string{&documented, &answered} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	if !slices.Equal(documented, answered) {
		t.Errorf("documented %v\nanswered   %v", documented, answered)
	}
}

func TestDocumentIsServed(t *testing.T) {
	h, _ := newAPI(t, &fakeQueue{})
	w := get(h, pathBase+"/openapi.json")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" || !bytes.Equal(w.Body.Bytes(), document) {
		t.Errorf("status %d, type %q, %d bytes", w.Code, w.Header().Get("Content-Type"), w.Body.Len())
	}
}
