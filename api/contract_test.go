package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/golang-jwt/jwt/v5"
)

// contract is openapi.json as the tests use it. Every request that a test of this package sends, and every answer, is held to
// it: what is answered must be documented, and what was taken must have been allowed. A request that is refused may be
// anything, since tests send wrong ones on purpose.
type contract struct {
	doc   *openapi3.T
	paths []contractPath

	mu      sync.Mutex
	seen    map[string]bool // "GET /livez 200"; of problems also "POST /x 400 malformed-body"
	strayed []string        // what went wrong where no test could be told
}

type contractPath struct {
	template string
	pattern  *regexp.Regexp
	names    []string
	item     *openapi3.PathItem
}

// theContract is loaded once. It is stricter than the document: answers must have no member that is not in it, where clients
// are asked to ignore such.
var theContract = sync.OnceValue(func() *contract {
	var tree any
	if err := json.Unmarshal(document, &tree); err != nil {
		panic(err)
	}
	closeObjects(tree)
	strict, _ := json.Marshal(tree)
	doc, err := openapi3.NewLoader().LoadFromData(strict)
	if err != nil {
		panic(err)
	}
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.FileBodyDecoder)
	c := &contract{doc: doc, seen: map[string]bool{}}
	for template, item := range doc.Paths.Map() {
		c.paths = append(c.paths, newContractPath(template, item))
	}
	return c
})

func newContractPath(template string, item *openapi3.PathItem) contractPath {
	p := contractPath{template: template, item: item}
	pattern := regexp.MustCompile(`\{([a-z_]+)\}`).ReplaceAllStringFunc(template, func(name string) string {
		p.names = append(p.names, strings.Trim(name, "{}"))
		return `([^/]+)`
	})
	p.pattern = regexp.MustCompile("^" + pattern + "$")
	return p
}

// closeObjects adds additionalProperties: false wherever an object lists its members and says nothing of others.
func closeObjects(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			closeObjects(e)
		}
	case map[string]any:
		_, said := v["additionalProperties"]
		if _, lists := v["properties"].(map[string]any); lists && !said && v["type"] == "object" {
			v["additionalProperties"] = false
		}
		for _, e := range v {
			closeObjects(e)
		}
	}
}

// checked holds what h answers to the contract, and tells t.
func checked(t testing.TB, h http.Handler) http.Handler {
	return &checkedHandler{h, func(err error) { t.Errorf("openapi.json: %v", err) }}
}

type checkedHandler struct {
	next   http.Handler
	strays func(error)
}

func (c *checkedHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked := r.Clone(context.WithoutCancel(r.Context()))
	answer := &answerCopy{ResponseWriter: w, status: http.StatusOK}
	var body bytes.Buffer
	if r.Body != nil {
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(r.Body, &body), r.Body}
	}
	c.next.ServeHTTP(answer, r)
	asked.Body = io.NopCloser(&body)
	if err := theContract().judge(asked, answer); err != nil {
		c.strays(fmt.Errorf("%s %s: %d: %w", asked.Method, asked.URL, answer.status, err))
	}
}

// answerCopy keeps a copy of an answer.
type answerCopy struct {
	http.ResponseWriter
	status int
	begun  bool
	body   bytes.Buffer
}

func (a *answerCopy) WriteHeader(status int) {
	if !a.begun {
		a.status, a.begun = status, true
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answerCopy) Write(b []byte) (int, error) {
	a.begun = true
	a.body.Write(b)
	return a.ResponseWriter.Write(b)
}

func (a *answerCopy) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// find returns the path of the document that a request is for, with the values of its parameters.
func (c *contract) find(u *url.URL) (contractPath, map[string]string, bool) {
	for _, p := range c.paths {
		found := p.pattern.FindStringSubmatch(u.EscapedPath())
		if found == nil {
			continue
		}
		values := map[string]string{}
		for i, name := range p.names {
			values[name], _ = url.PathUnescape(found[i+1])
		}
		return p, values, true
	}
	return contractPath{}, nil, false
}

// judge says what is wrong with an answer.
func (c *contract) judge(r *http.Request, a *answerCopy) error {
	if a.Header().Get("X-Request-Id") == "" {
		return errors.New("no X-Request-Id")
	}
	path, values, known := c.find(r.URL)
	if !known {
		return c.plainProblem(a, http.StatusNotFound, "not-found")
	}
	operations := path.item.Operations()
	if operations[http.MethodGet] != nil {
		operations[http.MethodHead] = operations[http.MethodGet]
	}
	operation := operations[r.Method]
	if operation == nil {
		methods := slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(operations)), http.MethodOptions)))
		if got, want := a.Header().Get("Allow"), strings.Join(methods, ", "); got != want {
			return fmt.Errorf("Allow is %q, want %q", got, want)
		}
		if r.Method == http.MethodOptions {
			if a.status != http.StatusNoContent || a.body.Len() > 0 {
				return errors.New("OPTIONS wants 204 without a body")
			}
			return nil
		}
		return c.plainProblem(a, http.StatusMethodNotAllowed, "method-not-allowed")
	}
	input := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: values, QueryParams: r.URL.Query(),
		Route:   &routers.Route{Spec: c.doc, Path: path.template, PathItem: path.item, Method: r.Method, Operation: operation},
		Options: &openapi3filter.Options{AuthenticationFunc: mayAsk, SkipSettingDefaults: true},
	}
	if err := c.judgeAnswer(input, a); err != nil {
		return err
	}
	if a.status < 400 {
		if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
			return fmt.Errorf("this request must not be taken: %w", err)
		}
	}
	c.note(r.Method, path.template, a)
	return nil
}

// everywhere are the headers that any answer may have.
var everywhere = []string{"X-Request-Id", "Content-Type", "Cache-Control", "X-Content-Type-Options"}

func (c *contract) judgeAnswer(input *openapi3filter.RequestValidationInput, a *answerCopy) error {
	documented := input.Route.Operation.Responses.Status(a.status)
	if documented == nil {
		return fmt.Errorf("the status is not documented: %s", a.body.Bytes())
	}
	for name := range a.Header() {
		known := slices.ContainsFunc(slices.Collect(maps.Keys(documented.Value.Headers)), func(of string) bool { return strings.EqualFold(of, name) })
		closing := name == "Connection" && (a.status == http.StatusRequestTimeout || a.status == http.StatusRequestEntityTooLarge)
		if !known && !closing && !slices.Contains(everywhere, name) {
			return fmt.Errorf("the header %s is not documented", name)
		}
	}
	return openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: a.status, Header: a.Header(), Body: io.NopCloser(bytes.NewReader(a.body.Bytes())),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
}

// plainProblem checks an answer that the document has for no operation.
func (c *contract) plainProblem(a *answerCopy, status int, code string) error {
	var p problem
	if err := json.Unmarshal(a.body.Bytes(), &p); err != nil || a.status != status || p.Status != status || p.Code != code {
		return fmt.Errorf("not documented: want %d %s, got %s", status, code, a.body.Bytes())
	}
	return nil
}

// note keeps what has been seen.
func (c *contract) note(method, template string, a *answerCopy) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := fmt.Sprintf("%s %s %d", method, template, a.status)
	var p problem
	if json.Unmarshal(a.body.Bytes(), &p) == nil && p.Code != "" && a.status >= 400 {
		key += " " + p.Code
	}
	c.seen[key] = true
}

// mayAsk holds the tokens of requests that were taken to the scopes that the document wants.
func mayAsk(_ context.Context, in *openapi3filter.AuthenticationInput) error {
	var claims jwt.MapClaims
	given := strings.Fields(in.RequestValidationInput.Request.Header.Get("Authorization"))
	if len(given) != 2 {
		return errors.New("no token")
	}
	if _, _, err := jwt.NewParser().ParseUnverified(given[1], &claims); err != nil {
		return err
	}
	scope, scoped := claims["scope"].(string)
	if plain := in.SecuritySchemeName == "plain"; plain == scoped {
		return fmt.Errorf("scope is %q", scope)
	}
	for _, wanted := range in.Scopes {
		if !slices.Contains(strings.Fields(scope), wanted) {
			return fmt.Errorf("the token lacks the scope %s", wanted)
		}
	}
	return nil
}
