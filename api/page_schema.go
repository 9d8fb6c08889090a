package api

import (
	"encoding/json"
	"fmt"
	"html/template"
	"strings"
)

var pageStyle = template.CSS(pageCSS)

// schema is what the page shows of a schema: its members if it is an object, else one line. What stands under a name of its
// own is linked to, not repeated.
func (p pageReader) schema(raw json.RawMessage) pageSchema {
	m := asObject(raw)
	one := pageSchema{Says: says(m), Description: m.text("description")}
	if ref := m.text("$ref"); ref != "" {
		one.Ref = ref[strings.LastIndexByte(ref, '/')+1:]
		return one
	}
	if items := m.object("items"); items.text("$ref") != "" {
		one.Ref = p.schema(m.get("items")).Ref
	}
	required := " " + strings.Join(texts(m.list("required")), " ") + " "
	for _, property := range m.object("properties") {
		member := p.schema(property.value)
		member.Name, member.Required = property.name, strings.Contains(required, " "+property.name+" ")
		one.Members = append(one.Members, member)
	}
	for _, alternative := range m.list("oneOf") {
		if a := p.schema(alternative); len(a.Members) > 0 || a.Ref != "" {
			a.Name = "either"
			one.Members = append(one.Members, a)
		}
	}
	return one
}

func texts(raw []json.RawMessage) (all []string) {
	for _, one := range raw {
		var s string
		_ = json.Unmarshal(one, &s)
		all = append(all, s)
	}
	return all
}

// says puts type and limits of a schema into a few words.
func says(m members) string {
	var words []string
	if t := m.get("type"); t != nil {
		var one string
		var several []string
		if json.Unmarshal(t, &one) == nil {
			several = []string{one}
		} else {
			_ = json.Unmarshal(t, &several)
		}
		words = append(words, strings.Join(several, " or "))
	}
	if values := m.list("enum"); len(values) > 0 {
		words = append(words, "one of "+join(values))
	}
	for _, limit := range []struct{ name, words string }{
		{"const", "always %s"}, {"format", "as %s"}, {"pattern", "matches %s"}, {"minimum", "at least %s"}, {"maximum", "at most %s"},
		{"exclusiveMinimum", "more than %s"}, {"minItems", "at least %s of them"}, {"maxItems", "at most %s of them"},
		{"maxProperties", "at most %s of them"}, {"default", "default %s"},
	} {
		if value := m.get(limit.name); value != nil {
			words = append(words, fmt.Sprintf(limit.words, plain(value)))
		}
	}
	var inner []string
	for _, alternative := range m.list("oneOf") {
		if s := says(asObject(alternative)); s != "" {
			inner = append(inner, s)
		}
	}
	if len(inner) > 0 {
		words = append(words, strings.Join(inner, ", or "))
	}
	return strings.Join(words, ", ")
}

func join(values []json.RawMessage) string {
	var all []string
	for _, v := range values {
		all = append(all, plain(v))
	}
	return strings.Join(all, ", ")
}

// plain is a value as people write it: a string without its quotes.
func plain(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil && s != "" && string(raw) != "null" {
		return s
	}
	return string(raw)
}
