package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// What page.html shows, read from the document. Members keep the order that they have there.
type (
	pageData struct {
		Style                       any
		Title, Summary, Description string
		Tags                        []pageTag
		Security, Schemas           []pageSchema
	}
	pageTag struct {
		Name, Description string
		Operations        []pageOperation
	}
	pageOperation struct {
		ID, Method, Path, Curl string
		Summary, Description   string
		Scopes                 []string // who may ask: scopes, "a token without scopes"; empty: anybody
		Parameters             []pageParameter
		Body                   *pageBody
		Answers                []pageAnswer
	}
	pageParameter struct {
		Name, In, Description, Says string
		Required                    bool
		example                     string
	}
	pageBody struct {
		Description string
		Schema      pageSchema
		Examples    []pageExample
	}
	pageAnswer struct {
		Status, Description string
		Codes               []string
		Headers             []pageParameter
		Schema              pageSchema
		Examples            []pageExample
	}
	pageExample struct {
		Summary string
		Value   json.RawMessage
	}
	pageSchema struct {
		Name, Ref, Says, Description string
		Required                     bool
		Members                      []pageSchema
	}
)

// members is an object in the order in which it is written.
type members []member

type member struct {
	name  string
	value json.RawMessage
}

func (m *members) UnmarshalJSON(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return fmt.Errorf("%s is no object", text)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		one := member{name: name.(string)}
		if err := dec.Decode(&one.value); err != nil {
			return err
		}
		*m = append(*m, one)
	}
	return nil
}

func (m members) get(name string) json.RawMessage {
	if i := slices.IndexFunc(m, func(one member) bool { return one.name == name }); i >= 0 {
		return m[i].value
	}
	return nil
}

func (m members) text(name string) (s string) {
	_ = json.Unmarshal(m.get(name), &s)
	return s
}

func (m members) object(name string) members { return asObject(m.get(name)) }

func (m members) list(name string) (all []json.RawMessage) {
	_ = json.Unmarshal(m.get(name), &all)
	return all
}

func asObject(raw json.RawMessage) (m members) {
	_ = json.Unmarshal(raw, &m)
	return m
}

// pageReader follows the references of the document.
type pageReader struct{ root members }

func (p pageReader) follow(raw json.RawMessage) members {
	m := asObject(raw)
	ref := m.text("$ref")
	if ref == "" {
		return m
	}
	at := p.root
	for _, name := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		at = at.object(name)
	}
	return at
}

func readPage(document []byte) pageData {
	p := pageReader{asObject(document)}
	info := p.root.object("info")
	page := pageData{Style: pageStyle, Title: info.text("title"), Summary: info.text("summary"), Description: info.text("description")}
	for _, raw := range p.root.list("tags") {
		tag := asObject(raw)
		page.Tags = append(page.Tags, pageTag{Name: tag.text("name"), Description: tag.text("description")})
	}
	for _, path := range p.root.object("paths") {
		item := asObject(path.value)
		for _, method := range item {
			if method.name == "parameters" {
				continue
			}
			operation := asObject(method.value)
			one := p.operation(strings.ToUpper(method.name), path.name, operation, item.list("parameters"))
			for i := range page.Tags {
				if slices.ContainsFunc(operation.list("tags"), func(tag json.RawMessage) bool { return string(tag) == `"`+page.Tags[i].Name+`"` }) {
					page.Tags[i].Operations = append(page.Tags[i].Operations, one)
				}
			}
		}
	}
	for _, scheme := range p.root.object("components").object("securitySchemes") {
		page.Security = append(page.Security, pageSchema{Name: scheme.name, Description: asObject(scheme.value).text("description")})
	}
	for _, schema := range p.root.object("components").object("schemas") {
		one := p.schema(schema.value)
		one.Name = schema.name
		page.Schemas = append(page.Schemas, one)
	}
	return page
}

func (p pageReader) operation(method, path string, o members, shared []json.RawMessage) pageOperation {
	one := pageOperation{ID: o.text("operationId"), Method: method, Path: path, Summary: o.text("summary"), Description: o.text("description")}
	for _, raw := range o.list("security") {
		for _, scheme := range asObject(raw) {
			var scopes []string
			_ = json.Unmarshal(scheme.value, &scopes)
			one.Scopes = append(one.Scopes, scopes...)
			if scheme.name == "plain" {
				one.Scopes = append(one.Scopes, "or none at all")
			}
		}
	}
	for _, raw := range append(shared, o.list("parameters")...) {
		one.Parameters = append(one.Parameters, p.parameter(raw))
	}
	if raw := o.get("requestBody"); raw != nil {
		body := p.follow(raw)
		content := body.object("content").object("application/json")
		one.Body = &pageBody{body.text("description"), p.schema(content.get("schema")), examples(content)}
	}
	for _, r := range o.object("responses") {
		one.Answers = append(one.Answers, p.answer(r.name, p.follow(r.value)))
	}
	one.Curl = curlOf(one)
	return one
}

func (p pageReader) parameter(raw json.RawMessage) pageParameter {
	m := p.follow(raw)
	schema := p.follow(m.get("schema"))
	one := pageParameter{Name: m.text("name"), In: m.text("in"), Description: m.text("description"), Says: says(schema),
		Required: string(m.get("required")) == "true", example: m.text("example")}
	if given := schema.list("examples"); one.example == "" && len(given) > 0 {
		_ = json.Unmarshal(given[0], &one.example)
	}
	return one
}

func (p pageReader) answer(status string, r members) pageAnswer {
	one := pageAnswer{Status: status, Description: r.text("description")}
	for _, h := range r.object("headers") {
		header := p.parameter(h.value)
		header.Name = h.name
		one.Headers = append(one.Headers, header)
	}
	for _, content := range r.object("content") {
		media := asObject(content.value)
		schema := asObject(media.get("schema"))
		_ = json.Unmarshal(schema.object("properties").object("code").get("enum"), &one.Codes)
		if one.Codes == nil {
			one.Schema = p.schema(media.get("schema"))
		}
		one.Examples = examples(media)
	}
	return one
}

func examples(content members) (all []pageExample) {
	if one := content.get("example"); one != nil {
		all = append(all, pageExample{Value: one})
	}
	for _, named := range content.object("examples") {
		example := asObject(named.value)
		all = append(all, pageExample{example.text("summary"), example.get("value")})
	}
	return all
}

// curlOf is a command that sends the first example.
func curlOf(o pageOperation) string {
	path := o.Path
	for _, p := range o.Parameters {
		path = strings.ReplaceAll(path, "{"+p.Name+"}", p.example)
	}
	curl := "curl -sS"
	if o.Method != "GET" {
		curl += " -X " + o.Method
	}
	curl += ` "$PUNCTUAL` + path + `"`
	if len(o.Scopes) > 0 {
		curl += ` -H "Authorization: Bearer $TOKEN"`
	}
	if o.Body != nil {
		curl += ` -H 'Content-Type: application/json' -d '` + compact(o.Body.Examples[0].Value) + "'"
	}
	return curl
}
