package integration

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// repository is where the documents are, as seen from the tests.
const repository = ".."

// block is a fenced block of a Markdown file. The word after its language is not shown to readers: after sh and text it names
// a terminal, after go a file. A step that is no command, such as Ctrl+C, stands in an HTML comment and is a block as well.
type block struct {
	line       int
	lang, name string
	body       string
}

type page struct {
	path     string // slashes, from the root of the repository
	headings []string
	blocks   []block
	prose    string // without the blocks
}

// files lists what is in the repository, by the rules of git: what is there and not ignored.
func files(t *testing.T) []string {
	t.Helper()
	list := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
	list.Dir = repository
	out, err := list.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	names := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	return slices.DeleteFunc(names, func(name string) bool {
		_, err := os.Lstat(filepath.Join(repository, name))
		return errors.Is(err, fs.ErrNotExist) // deleted, and git does not know it yet
	})
}

// pages reads README, CHANGELOG and docs/.
func pages(t *testing.T) map[string]page {
	t.Helper()
	read := map[string]page{}
	for _, name := range files(t) {
		if path.Ext(name) == ".md" && (!strings.Contains(name, "/") || strings.HasPrefix(name, "docs/")) {
			read[name] = readPage(t, name)
		}
	}
	for _, name := range []string{"README.md", "CHANGELOG.md", "docs/en/Queue-Job.md", "docs/ja/Queue-Job.md", "docs/en/API.md"} {
		if read[name].path == "" {
			t.Fatalf("%s is missing", name)
		}
	}
	return read
}

var (
	fence   = regexp.MustCompile("^```([a-z]*) ?(.*)$")
	comment = regexp.MustCompile(`^<!-- (.+) -->$`)
	heading = regexp.MustCompile(`^#{1,6} `)
)

func readPage(t *testing.T, name string) page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, name))
	if err != nil {
		t.Fatal(err)
	}
	p := page{path: name}
	var prose, body []string
	open := false
	for i, line := range strings.Split(string(text), "\n") {
		begin := fence.FindStringSubmatch(line)
		switch {
		case open && line == "```":
			open = false
			p.blocks[len(p.blocks)-1].body = strings.Join(body, "\n")
		case open:
			body = append(body, line)
		case begin != nil:
			open, body = true, nil
			p.blocks = append(p.blocks, block{line: i + 1, lang: begin[1], name: begin[2]})
		case comment.MatchString(line):
			p.blocks = append(p.blocks, block{line: i + 1, lang: "step", name: comment.FindStringSubmatch(line)[1]})
		default:
			if heading.MatchString(line) {
				p.headings = append(p.headings, line)
			}
			prose = append(prose, line)
		}
	}
	if open {
		t.Errorf("%s: a block is not closed", name)
	}
	p.prose = strings.Join(prose, "\n")
	return p
}

// anchors are the headings of a page as GitHub makes anchors of them.
func anchors(p page) []string {
	var all []string
	seen := map[string]int{}
	for _, h := range p.headings {
		text := strings.ToLower(strings.TrimSpace(strings.TrimLeft(h, "#")))
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', unicode.IsLetter(r), unicode.IsMark(r), unicode.IsNumber(r):
				return r
			}
			return -1
		}, text)
		if n := seen[slug]; n > 0 {
			all = append(all, fmt.Sprintf("%s-%d", slug, n))
		} else {
			all = append(all, slug)
		}
		seen[slug]++
	}
	return all
}
