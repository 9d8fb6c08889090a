package integration

import (
	"bytes"
	"go/format"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The documents are held to what they say: their links lead somewhere, both languages say the same, every command is there and
// every setting exists. That the commands work as they stand is in docs_run_test.go.

var (
	inlineCode = regexp.MustCompile("`[^`]*`")
	link       = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	external   = regexp.MustCompile(`^(https?|mailto):`)
)

// TestDocsLinks: every relative link of the documents leads to a file of the repository, and to a heading that is there.
func TestDocsLinks(t *testing.T) {
	exists := map[string]bool{}
	for _, name := range files(t) {
		for ; name != "."; name = path.Dir(name) {
			exists[name] = true
		}
	}
	read := pages(t)
	for _, p := range read {
		for _, found := range link.FindAllStringSubmatch(inlineCode.ReplaceAllString(p.prose, ""), -1) {
			if external.MatchString(found[1]) {
				continue
			}
			file, anchor, hasAnchor := strings.Cut(found[1], "#")
			target := p.path
			if file != "" {
				target = path.Join(path.Dir(p.path), file)
			}
			if path.IsAbs(file) || !exists[target] {
				t.Errorf("%s links to %s, which is not in the repository", p.path, found[1])
				continue
			}
			if hasAnchor && !slices.Contains(anchors(read[target]), anchor) {
				t.Errorf("%s links to %s: no heading of %s has that anchor; there are %q", p.path, found[1], target, anchors(read[target]))
			}
		}
	}
}

var (
	shellComment = regexp.MustCompile(`(?m)(^|\s)#\s.*$`)
	goComment    = regexp.MustCompile(`(?m)(^|\s)//.*$`)
)

// onlyEnglish are tables of names of code and of commands, which a program writes.
var onlyEnglish = []string{"docs/en/Answers.md", "docs/en/Mutants.md"}

// TestDocsInBothLanguages: the English and the Japanese documents are the same files with the same headings and the same
// blocks, comments aside.
func TestDocsInBothLanguages(t *testing.T) {
	read := pages(t)
	for name, p := range read {
		if inJapanese, ok := strings.CutPrefix(name, "docs/ja/"); ok {
			if _, ok := read["docs/en/"+inJapanese]; !ok {
				t.Errorf("%s has no counterpart in English", name)
			}
		}
		inEnglish, ok := strings.CutPrefix(name, "docs/en/")
		if !ok || slices.Contains(onlyEnglish, name) {
			continue
		}
		other, ok := read["docs/ja/"+inEnglish]
		if !ok {
			t.Errorf("%s has no counterpart in Japanese", name)
			continue
		}
		if levels(p) != levels(other) {
			t.Errorf("%s and %s have other headings:\n%s\n%s", name, other.path, levels(p), levels(other))
		}
		if len(p.blocks) != len(other.blocks) {
			t.Errorf("%s has %d blocks, %s has %d", name, len(p.blocks), other.path, len(other.blocks))
			continue
		}
		for i, b := range p.blocks {
			o := other.blocks[i]
			if b.lang != o.lang || b.name != o.name || withoutComments(b) != withoutComments(o) {
				t.Errorf("%s:%d and %s:%d are other blocks", name, b.line, other.path, o.line)
			}
		}
	}
}

// levels draws the headings of a page as their numbers of #.
func levels(p page) string {
	var all []string
	for _, h := range p.headings {
		marks, _, _ := strings.Cut(h, " ")
		all = append(all, marks)
	}
	return strings.Join(all, " ")
}

func withoutComments(b block) string {
	switch b.lang {
	case "sh":
		return shellComment.ReplaceAllString(b.body, "")
	case "go":
		return goComment.ReplaceAllString(b.body, "")
	}
	return b.body
}

// TestDocsNameEveryCommand: what users are promised to be able to type stands in README or in the guide of each language.
func TestDocsNameEveryCommand(t *testing.T) {
	commands := []string{
		"make run",
		"make test",
		"./scripts/start-redis.sh start",
		"./scripts/start-redis.sh stop",
		"./scripts/start-redis.sh status",
		"./scripts/start-redis-insight.sh start",
		"./scripts/start-redis-insight.sh stop",
		"APP_ENV=develop go run ./cmd/server/main.go",
		"APP_ENV=develop go run ./cmd/jobqueue/main.go",
		"go run ./cmd/punctual token",
		"redis-cli ZRANGE 'punctual:{default}:scheduled' 0 -1 WITHSCORES",
		"redis-cli HGET 'punctual:{default}:jobs' <id>",
		"redis-cli KEYS 'punctual:*:heartbeat:*'",
	}
	read := pages(t)
	for _, guide := range []string{"docs/en/Queue-Job.md", "docs/ja/Queue-Job.md"} {
		var typed []string
		for _, p := range []page{read["README.md"], read[guide]} {
			for _, b := range p.blocks {
				if b.lang == "sh" {
					typed = append(typed, strings.Split(b.body, "\n")...)
				}
			}
		}
		for _, command := range commands {
			if !slices.ContainsFunc(typed, func(line string) bool { return strings.Contains(line, command) }) {
				t.Errorf("neither README.md nor %s has a block with %s", guide, command)
			}
		}
	}
}

var (
	settingName = regexp.MustCompile(`\b[A-Z]+(?:_[A-Z]+)+\b|\bQUEUES\b`)
	settingRow  = regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| (.+?) \\|")
)

// notSettings look like settings and are none of the programs'.
var notSettings = map[string]string{
	"REDIS_PORT":                 "of scripts/start-redis.sh",
	"PUNCTUAL_API":               "of the clients in Clients.md",
	"OTEL_SERVICE_NAME":          "of OpenTelemetry",
	"OTEL_TRACES_SAMPLER":        "of OpenTelemetry",
	"OTEL_EXPORTER_OTLP_HEADERS": "of OpenTelemetry",
}

// TestDocsNameEverySetting: what the documents call a setting is one, and the guides tell every setting with its default.
func TestDocsNameEverySetting(t *testing.T) {
	defaults := helpDefaults(t)
	read := pages(t)
	for name, p := range read {
		for _, b := range p.blocks {
			if !strings.HasSuffix(name, "/Clients.md") { // programs in other languages, with constants of theirs
				p.prose += "\n" + b.body
			}
		}
		for _, found := range settingName.FindAllString(p.prose, -1) {
			if _, ok := defaults[found]; !ok && notSettings[found] == "" {
				t.Errorf("%s names %s, which is no setting", name, found)
			}
		}
	}
	told := map[string]string{}
	for _, row := range settingRow.FindAllStringSubmatch(read["docs/en/Queue-Job.md"].prose, -1) {
		told[row[1]] = row[2]
	}
	for name, want := range defaults {
		if got := strings.ReplaceAll(told[name], "`", ""); got != want {
			t.Errorf("docs/en/Queue-Job.md tells %q as the default of %s, the programs %q", got, name, want)
		}
	}
	japanese := map[string]bool{}
	for _, row := range settingRow.FindAllStringSubmatch(read["docs/ja/Queue-Job.md"].prose, -1) {
		japanese[row[1]] = true
		if want, got := inlineCode.FindAllString(told[row[1]], -1), inlineCode.FindAllString(row[2], -1); !slices.Equal(want, got) {
			t.Errorf("docs/ja/Queue-Job.md tells %s as the default of %s, the English one %s", row[2], row[1], told[row[1]])
		}
	}
	if !maps.EqualFunc(japanese, defaults, func(bool, string) bool { return true }) {
		t.Errorf("the table of docs/ja/Queue-Job.md has other settings: %v", slices.Sorted(maps.Keys(japanese)))
	}
}

// helpDefaults reads names and defaults out of what a program prints with -h.
func helpDefaults(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.Command(built.Path(t, "server"), "-h").Output()
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(out), "MEANING\n")
	columns := regexp.MustCompile(`  +`)
	defaults := map[string]string{}
	for row := range strings.Lines(table) {
		if cells := columns.Split(strings.TrimSpace(row), 3); len(cells) == 3 {
			defaults[cells[0]] = cells[1]
		}
	}
	if len(defaults) == 0 {
		t.Fatalf("-h lists no settings:\n%s", out)
	}
	return defaults
}

// TestDocsGoBlocksCompile: every Go block of the documents is a formatted program, and go vet has nothing to say against it.
func TestDocsGoBlocksCompile(t *testing.T) {
	seen := map[string]bool{} // both languages have the same
	for name, p := range pages(t) {
		for _, b := range p.blocks {
			if b.lang != "go" || seen[b.body] {
				continue
			}
			seen[b.body] = true
			text := []byte(b.body + "\n")
			if formatted, err := format.Source(text); err == nil && !bytes.Equal(formatted, text) {
				t.Errorf("%s:%d is not formatted as gofmt does", name, b.line)
			}
			file := filepath.Join(t.TempDir(), "main.go")
			if err := os.WriteFile(file, text, 0o644); err != nil {
				t.Fatal(err)
			}
			vet := exec.Command("go", "vet", file)
			vet.Dir = repository // whose packages it imports
			if out, err := vet.CombinedOutput(); err != nil {
				t.Errorf("%s:%d: go vet: %v\n%s", name, b.line, err, out)
			}
		}
	}
	if len(seen) == 0 {
		t.Error("the documents have no Go block")
	}
}

// TestTheSamePicture: the life of a job is drawn in README as it is in the code.
func TestTheSamePicture(t *testing.T) {
	code, err := os.ReadFile(filepath.Join(repository, "queue", "doc.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range pages(t)["README.md"].blocks {
		if strings.Contains(b.body, "► scheduled") {
			for line := range strings.Lines(b.body) {
				if !bytes.Contains(code, []byte(strings.TrimRight(line, "\n"))) {
					t.Errorf("queue/doc.go does not draw %q", line)
				}
			}
			return
		}
	}
	t.Error("README.md has no picture of the life of a job")
}
