//go:build mutants

package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/punctualq/punctual/integration/machine"
)

// result is what became of one mutant.
type result struct {
	Mutant   string   `json:"mutant"`
	Bug      string   `json:"bug"`
	Field    string   `json:"field,omitempty"`
	CaughtBy []string `json:"caught_by"`
	Seconds  float64  `json:"seconds"` // with compiling
	Error    string   `json:"error,omitempty"`
}

func (r result) caught() string {
	switch {
	case r.Error != "":
		return "ERROR: " + r.Error
	case len(r.CaughtBy) == 0:
		return "NOT CAUGHT"
	case len(r.CaughtBy) > 3:
		return fmt.Sprintf("%s and %d more", strings.Join(r.CaughtBy[:3], ", "), len(r.CaughtBy)-3)
	}
	return strings.Join(r.CaughtBy, ", ")
}

func (r result) line() string {
	return fmt.Sprintf("%-45s %5.1f s  %s", r.Mutant, r.Seconds, r.caught())
}

func (r result) json() string {
	b, err := json.Marshal(r)
	if err != nil { // texts and numbers always marshal
		return ""
	}
	return string(b)
}

// markdown is the table as a page can include it.
func markdown(results []result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Mutants\n\nEach row is a deliberate bug, put into the code for one run of its tests. Written by `make mutants ARGS='-out docs/en/Mutants.md'` on %s.\n\n",
		machine.System()+", "+machine.CPU())
	b.WriteString("| mutant | what goes wrong | seen in | caught by | after (s) |\n|---|---|---|---|---|\n")
	cell := strings.NewReplacer("|", `\|`, "\n", " ")
	for _, r := range results {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %.1f |\n", cell.Replace(r.Mutant), cell.Replace(r.Bug), cell.Replace(r.Field), cell.Replace(r.caught()), r.Seconds)
	}
	return b.String()
}
