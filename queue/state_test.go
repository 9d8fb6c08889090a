package queue_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/punctualq/punctual/queue"
)

// luaSources reads the Lua file of each script.
func luaSources(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob("lua/*.lua")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	all := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if name := strings.TrimSuffix(filepath.Base(file), ".lua"); name != "prologue" {
			all[name] = string(text)
		}
	}
	return all
}

// headers is the contract with which each script opens: the comment up to its first line of code.
func headers(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	for name, text := range luaSources(t) {
		var header []string
		for _, row := range strings.Split(text, "\n") {
			if !strings.HasPrefix(row, "--") {
				break
			}
			header = append(header, row)
		}
		all[name] = strings.Join(header, "\n")
	}
	return all
}

// field is what follows a word of the header, up to the next such word.
func field(t testing.TB, header, word string) string {
	t.Helper()
	_, rest, found := strings.Cut(header, "\n-- "+word)
	if !found {
		t.Fatalf("no %s line in\n%s", word, header)
	}
	if end := regexp.MustCompile(`\n-- \S`).FindStringIndex(rest); end != nil {
		rest = rest[:end[0]]
	}
	return strings.TrimSpace(strings.ReplaceAll(rest, "\n--", " "))
}

func TestEveryScriptOpensWithItsContract(t *testing.T) {
	for name, header := range headers(t) {
		if !strings.HasPrefix(header, "-- "+name+": ") {
			t.Errorf("%s does not open with its name and what it does: %.60s", name, header)
		}
		for _, word := range []string{"KEYS", "ARGV", "Reply", "Moves:", "Cost"} {
			if field(t, header, word) == "" {
				t.Errorf("%s: nothing after %s", name, word)
			}
		}
	}
}

// One operation, one room: a Lua file, a Go file and a test file of the same name.
func TestEveryScriptHasItsGoFileAndItsTest(t *testing.T) {
	for name := range headers(t) {
		for _, file := range []string{name + ".go", name + "_test.go"} {
			if _, err := os.Stat(file); err != nil {
				t.Error(err)
			}
		}
		source, err := os.ReadFile(name + ".go")
		if err != nil || !strings.Contains(string(source), fmt.Sprintf("loadScript(%q)", name)) {
			t.Errorf("%s.go does not load %s.lua (%v)", name, name, err)
		}
	}
}

// The table in Go and the Moves: lines say the same, both ways.
func TestTransitions(t *testing.T) {
	inGo, inLua := map[string][]string{}, map[string][]string{}
	for _, move := range queue.Transitions {
		inGo[move.Script] = append(inGo[move.Script], fmt.Sprintf("%s -> %s", move.From, move.To))
	}
	for name, header := range headers(t) {
		if moves := field(t, header, "Moves:"); moves != "none" {
			inLua[name] = strings.Split(moves, ", ")
		}
	}
	for _, moves := range []map[string][]string{inGo, inLua} {
		for _, list := range moves {
			slices.Sort(list)
		}
	}
	equal(t, "moves", inGo, inLua)
}

// A state that is entered can be left, or is an end that the life cycle names.
func TestNoStateIsATrap(t *testing.T) {
	from, to := map[queue.State]bool{}, map[queue.State]bool{}
	for _, move := range queue.Transitions {
		from[move.From], to[move.To] = true, true
	}
	for state := range to {
		if !from[state] && state != "done" {
			t.Errorf("%s is entered and never left", state)
		}
	}
	for _, state := range []queue.State{queue.Scheduled, queue.Processing, queue.Dead} {
		if !from[state] || !to[state] {
			t.Errorf("%s is not part of the table", state)
		}
	}
}
