package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"regexp"
	"strings"
	"sync"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
)

// thePage is the document for people, made once. It has no scripts and loads nothing.
var thePage = sync.OnceValue(func() []byte {
	funcs := template.FuncMap{"prose": prose, "compact": compact, "indent": indent}
	text := template.Must(template.New("page").Funcs(funcs).Parse(pageHTML))
	var page bytes.Buffer
	if err := text.Execute(&page, readPage(document)); err != nil {
		panic(err) // a test renders it
	}
	return page.Bytes()
})

// pagePolicy lets the page's own style in, and nothing else.
var pagePolicy = func() string {
	sum := sha256.Sum256([]byte(pageCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// servePage answers GET /api/dm-jobqueue/docs.
func servePage(c *call) error {
	c.w.Header().Set("Content-Security-Policy", pagePolicy)
	writeStatic(c.w, "text/html; charset=utf-8", thePage())
	return nil
}

var codeMark = regexp.MustCompile("`([^`]+)`")

// prose makes HTML of the little markup that the document uses: paragraphs, lists, code.
func prose(text string) template.HTML {
	var html strings.Builder
	inList := false
	for _, line := range strings.Split(text, "\n") {
		item, isItem := strings.CutPrefix(line, "- ")
		if isItem != inList {
			html.WriteString(map[bool]string{true: "<ul>", false: "</ul>"}[isItem])
			inList = isItem
		}
		tag := map[bool]string{true: "li", false: "p"}[isItem]
		if line != "" {
			html.WriteString("<" + tag + ">" + codeMark.ReplaceAllString(template.HTMLEscapeString(item), "<code>$1</code>") + "</" + tag + ">")
		}
	}
	if inList {
		html.WriteString("</ul>")
	}
	return template.HTML(html.String())
}

// compact is JSON on one line, as it stands in a command between single quotes.
func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return ""
	}
	return strings.ReplaceAll(b.String(), "'", `'\''`)
}

func indent(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return ""
	}
	return b.String()
}
