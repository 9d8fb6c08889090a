//go:build mutants

// Mutants shows that the tests catch what they are there for: deliberate bugs, most of them once made by a queue of this kind,
// are put into the code one at a time, and each must make a test fail.
//
//	go run -tags mutants ./integration/mutants              (make mutants)
//	go run -tags mutants ./integration/mutants -only wake   those with this in their names
//
// Nothing in the product knows of it: a bug is a change of the text of one or two files, compiled in their place
// (go test -overlay). It needs a redis-server, or a Docker engine with the image of the tests.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// run tries the mutants and tells of each. It is an error if any was not caught.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("mutants", flag.ExitOnError)
	asJSON := flags.Bool("json", false, "one JSON object a mutant on stdout, in place of the table")
	out := flags.String("out", "", "write the table as Markdown to this file")
	only := flags.String("only", "", "try only mutants with this in their names")
	_ = flags.Parse(args) // exits by itself
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	var chosen []mutant
	for _, m := range mutants {
		if strings.Contains(m.name, *only) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("no mutant has %q in its name", *only)
	}
	t := trial{root: root}
	if err := t.unmutated(ctx, chosen); err != nil {
		return err
	}
	var results []result
	survived := 0
	for _, m := range chosen {
		r := t.try(ctx, m)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		results = append(results, r)
		if len(r.CaughtBy) == 0 {
			survived++
		}
		if *asJSON {
			fmt.Println(r.json())
		} else {
			fmt.Println(r.line())
		}
	}
	if *out != "" {
		if err := os.WriteFile(*out, []byte(markdown(results)), 0o644); err != nil {
			return err
		}
	}
	if survived > 0 {
		return fmt.Errorf("%d of %d mutants were not caught", survived, len(results))
	}
	fmt.Fprintf(os.Stderr, "all %d mutants were caught\n", len(results))
	return nil
}

// moduleRoot is the folder of go.mod.
func moduleRoot(ctx context.Context) (string, error) {
	b, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("go list -m: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
