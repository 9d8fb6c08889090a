//go:build mutants

package main

import (
	"go/format"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// TestTexts: each mutant still fits the code, and is what it should be: something else than the code.
func TestTexts(t *testing.T) {
	names := map[string]bool{}
	for _, m := range mutants {
		if names[m.name] || m.name == "" || m.bug == "" || m.pkg == "" || m.run == "" || len(m.edits) == 0 {
			t.Errorf("mutant %q is told of twice, or not told all of", m.name)
		}
		names[m.name] = true
		texts, err := m.mutated(root)
		if err != nil {
			t.Error(err)
			continue
		}
		for file, text := range texts {
			if filepath.Ext(file) == ".go" {
				if _, err := format.Source([]byte(text)); err != nil {
					t.Errorf("mutant %q: %s: %v", m.name, file, err)
				}
			}
		}
	}
	if len(mutants) < 18 {
		t.Errorf("only %d mutants", len(mutants))
	}
}

func TestTextThatIsGone(t *testing.T) {
	m := mutant{name: "x", edits: []edit{{"queue/keys.go", "no such text", ""}}}
	if _, err := m.mutated(root); err == nil || !strings.Contains(err.Error(), "adapt the mutant") {
		t.Errorf("a text that is not there: %v", err)
	}
	m.edits[0].old = "return"
	if _, err := m.mutated(root); err == nil || !strings.Contains(err.Error(), "adapt the mutant") {
		t.Errorf("a text that is there more than once: %v", err)
	}
}

func TestRead(t *testing.T) {
	event := func(action, test, output string) string {
		return `{"Action":"` + action + `","Test":"` + test + `","Output":"` + output + `"}` + "\n"
	}
	for name, c := range map[string]struct {
		events string
		failed []string
		passed int
	}{
		"all is well": {event("run", "TestA", "") + event("pass", "TestA/x", "") + event("pass", "TestA", "") + event("pass", "", ""), nil, 1},
		"one of two fails": {event("run", "TestA", "") + event("run", "TestB", "") + event("fail", "TestA/x", "") + event("fail", "TestA", "") +
			event("pass", "TestB", "") + event("fail", "", ""), []string{"TestA"}, 1},
		"out of time": {event("run", "TestA", "") + event("output", "TestA", `panic: test timed out after 1s\n`) +
			event("output", "TestA", `\t\tTestA/x (1s)\n`) + event("fail", "", ""), []string{"TestA"}, 0},
		"dies":           {event("run", "TestA", "") + event("fail", "", ""), []string{"TestA"}, 0},
		"does not build": {event("output", "", "undefined: x") + event("fail", "", ""), nil, 0},
	} {
		if v := read([]byte(c.events)); !slices.Equal(v.failed, c.failed) || v.passed != c.passed {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestMarkdown(t *testing.T) {
	text := markdown([]result{{Mutant: "a|b", Bug: "x", CaughtBy: []string{"TestA"}, Seconds: 1.25}, {Mutant: "c"}, {Mutant: "d", Error: "e"}})
	for _, want := range []string{"| a\\|b | x |  | TestA | 1.2 |\n", "| c |  |  | NOT CAUGHT | 0.0 |\n", "ERROR: e"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
