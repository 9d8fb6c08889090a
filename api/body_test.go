package api

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

func TestBadBodies(t *testing.T) {
	big := `{"message":"` + strings.Repeat("x", maxBody) + `"}`
	chunked := func(r *http.Request) { r.ContentLength = -1 }
	reader := func(read io.Reader) func(*http.Request) {
		return func(r *http.Request) { r.Body = io.NopCloser(read) }
	}
	for _, tc := range []struct {
		name, body string
		change     func(*http.Request)
		status     int
		code, says string // what its detail must say
	}{
		{"empty", "", nil, 400, "malformed-body", "is empty"},
		{"blank", " \n", nil, 400, "malformed-body", "is empty"},
		{"no JSON", "message=hi", nil, 400, "malformed-body", "is not JSON"},
		{"truncated", `{"message":"hi`, nil, 400, "malformed-body", "ends too early"},
		{"truncated after a member", `{"message":"hi"`, nil, 400, "malformed-body", "ends too early"},
		{"truncated after a name", `{"message"`, nil, 400, "malformed-body", "ends too early"},
		{"no comma", `{"message":"hi" "max_retry":1}`, nil, 400, "malformed-body", "is not JSON"},
		{"comma at the end", `{"message":"hi",}`, nil, 400, "malformed-body", "is not JSON"},
		{"number as a name", `{1:2}`, nil, 400, "malformed-body", "is not JSON"},
		{"single quotes", `{'message':'hi'}`, nil, 400, "malformed-body", "is not JSON"},
		{"NaN", `{"delay_seconds":NaN}`, nil, 400, "malformed-body", "is not JSON"},
		{"leading zero", `{"delay_seconds":01}`, nil, 400, "malformed-body", "is not JSON"},
		{"plus", `{"delay_seconds":+1}`, nil, 400, "malformed-body", "is not JSON"},
		{"bare control character", "{\"message\":\"a\nb\"}", nil, 400, "malformed-body", "is not JSON"},
		{"byte order mark", "\ufeff{}", nil, 400, "malformed-body", "is not JSON"},
		{"array", `[{}]`, nil, 400, "malformed-body", "must be a JSON object"},
		{"null", `null`, nil, 400, "malformed-body", "must be a JSON object"},
		{"string", `"{}"`, nil, 400, "malformed-body", "must be a JSON object"},
		{"deep array", strings.Repeat("[", 50_000), nil, 400, "malformed-body", "must be a JSON object"},
		{"not UTF-8", "{\"message\":\"\xff\"}", nil, 400, "malformed-body", "UTF-8"},
		{"half a character", "{\"message\":\"\xe3\x81\"}", nil, 400, "malformed-body", "UTF-8"},
		{"two objects", `{}{}`, nil, 400, "malformed-body", "after the JSON object"},
		{"brace too many", `{}}`, nil, 400, "malformed-body", "after the JSON object"},
		{"words after it", `{"message":"hi"} hello`, nil, 400, "malformed-body", "after the JSON object"},
		{"unknown field", `{"delay":5}`, nil, 400, "unknown-field", `no field "delay"`},
		{"unknown field of null", `{"delay":null}`, nil, 400, "unknown-field", `no field "delay"`},
		{"field in capitals", `{"Message":"hi"}`, nil, 400, "unknown-field", `write "message"`},
		{"field with a long s", "{\"me\u017fsage\":1}", nil, 400, "unknown-field", `write "message"`},
		{"field with a blank", `{" message":"hi"}`, nil, 400, "unknown-field", "no field"},
		{"deep unknown field", `{"x":` + strings.Repeat("[", 50_000) + `}`, nil, 400, "unknown-field", `no field "x"`},
		{"long unknown field", `{"` + strings.Repeat("é", 500) + `":1}`, nil, 400, "unknown-field", `…"`},
		{"duplicate", `{"message":"a","message":"b"}`, nil, 400, "duplicate-field", `"message" stands twice`},
		{"duplicate of null", `{"max_retry":null,"max_retry":5}`, nil, 400, "duplicate-field", `"max_retry" stands twice`},
		{"duplicate, escaped", `{"message":"a","mess\u0061ge":"b"}`, nil, 400, "duplicate-field", `"message" stands twice`},
		{"broken off", "", reader(io.MultiReader(strings.NewReader(`{"mess`), failing{io.ErrUnexpectedEOF})), 400, "malformed-body", "broke off"},
		{"too slow", "", reader(failing{os.ErrDeadlineExceeded}), 408, "request-timeout", "in time"},
		{"too large", big, nil, 413, "body-too-large", "131072"},
		{"too large, length unknown", big, chunked, 413, "body-too-large", "131072"},
		{"no type", `{}`, header("Content-Type", ""), 415, "unsupported-media-type", "Content-Type: application/json"},
		{"form", `{}`, header("Content-Type", "application/x-www-form-urlencoded"), 415, "unsupported-media-type", "Content-Type"},
		{"text", `{}`, header("Content-Type", "text/json"), 415, "unsupported-media-type", "Content-Type"},
		{"similar type", `{}`, header("Content-Type", "application/json-seq"), 415, "unsupported-media-type", "Content-Type"},
		{"nonsense type", `{}`, header("Content-Type", "application/json/x"), 415, "unsupported-media-type", "Content-Type"},
		{"gzip", `{}`, header("Content-Encoding", "gzip"), 415, "unsupported-media-type", "uncompressed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q := &fakeQueue{}
			h, _ := newAPI(t, q)
			if tc.change == nil {
				tc.change = func(*http.Request) {}
			}
			w := post(t, h, tc.body, tc.change)
			p := wantProblem(t, w, tc.status, tc.code)
			if !strings.Contains(p.Detail, tc.says) {
				t.Errorf("detail %q does not say %q", p.Detail, tc.says)
			}
			if closes := w.Header().Get("Connection") == "close"; closes != (tc.status == 408 || tc.status == 413) {
				t.Errorf("connection closed: %v", closes)
			}
			if len(q.jobs) != 0 {
				t.Error("a job was enqueued")
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestMediaTypesThatAreTaken(t *testing.T) {
	h, _ := newAPI(t, &fakeQueue{})
	for _, mediaType := range []string{"application/json; charset=utf-8", "Application/JSON;x=y", "application/json;"} {
		if w := post(t, h, `{}`, header("Content-Type", mediaType)); w.Code != http.StatusCreated {
			t.Errorf("%s: status %d: %s", mediaType, w.Code, w.Body)
		}
	}
	if w := post(t, h, `{}`, header("Content-Encoding", "identity")); w.Code != http.StatusCreated {
		t.Errorf("identity: status %d: %s", w.Code, w.Body)
	}
}

func TestBodyOfExactlyTheLimit(t *testing.T) {
	h, _ := newAPI(t, &fakeQueue{})
	body := "{}" + strings.Repeat(" ", 128<<10-2)
	if w := post(t, h, body); w.Code != http.StatusCreated {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	wantProblem(t, post(t, h, body+" "), 413, "body-too-large")
}

func TestTooDeep(t *testing.T) {
	for _, tc := range []struct {
		text   string
		member string
		deep   bool
	}{
		{`[[]]`, "", false},
		{`[[[]]]`, "", true},
		{`[[],[],[]]`, "", false},
		{`{"a":{},"b":{"c":[]}}`, "b", true},
		{`{"a":"[[[[","b":1}`, "", false},
		{`{"a":"\"[[[","b":"\\"}`, "", false},
		{`{"a":"\\","b":[[[`, "b", true},
		{`]]]][[[[[[[`, "", true},
		{`"\`, "", false},
	} {
		if member, deep := tooDeep([]byte(tc.text), 2); deep != tc.deep || member != tc.member {
			t.Errorf("%s: %q %v, want %q %v", tc.text, member, deep, tc.member, tc.deep)
		}
	}
}

// A refusal never tells the log what the client wrote.
func TestRefusalTextHoldsNothingOfTheRequest(t *testing.T) {
	_, err := parseObject([]byte(`{"geheim":1}`), fieldNames)
	if !errors.Is(err, errUnknownField) || strings.Contains(err.Error(), "geheim") {
		t.Errorf("error is %q", err)
	}
}
