//go:build mutants

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// mutant is one deliberate bug.
type mutant struct {
	name  string
	bug   string // what then goes wrong
	field string // who made it, or suffered from it; "" where none is known
	edits []edit
	pkg   string // whose tests are to catch it
	run   string // which of them, as go test -run has it
}

// edit is a change of one file's text. The old text must stand there exactly once.
type edit struct{ file, old, new string }

// mutated returns the texts of the files of a mutant, by their paths in the module.
func (m mutant) mutated(root string) (map[string]string, error) {
	texts := map[string]string{}
	for _, e := range m.edits {
		if _, read := texts[e.file]; !read {
			b, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				return nil, err
			}
			texts[e.file] = string(b)
		}
		if n := strings.Count(texts[e.file], e.old); n != 1 {
			return nil, fmt.Errorf("mutant %q: the code has moved on, adapt the mutant: %s holds this text %d times: %s", m.name, e.file, n, e.old)
		}
		texts[e.file] = strings.Replace(texts[e.file], e.old, e.new, 1)
	}
	return texts, nil
}

// overlay writes the mutated files and what tells go of them to dir. It returns the path of the latter. A Lua file is
// embedded at build time, and go takes that from an overlay as well.
func (m mutant) overlay(root, dir string) (string, error) {
	texts, err := m.mutated(root)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for file, text := range texts {
		path := filepath.Join(dir, filepath.Base(file))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(root, file)] = path
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, b, 0o600)
}
