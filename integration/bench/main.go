// Command bench compares Punctual with Asynq and with what hand-written commands without any safety reach on the same
// machine, and counts in every case whether a job was lost, run twice or started early.
//
// It starts a redis-server of its own for every single measurement, and runs producers, workers and HTTP servers as
// processes of their own. See docs/en/Benchmarks.md for what each case does and what was seen.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		os.Exit(childMain(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// run does what the arguments say. Its error is also that of a case that lost a job, ran one twice or started one early.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	names := f.String("case", "", "cases to run, separated by commas; default all: "+strings.Join(caseNames, ","))
	quick := f.Bool("quick", false, "one run with few jobs: for correctness, not for figures")
	asJSON := f.Bool("json", false, "print one JSON object a line")
	runs := f.Int("runs", 3, "runs of each measurement, of which the median counts (1 with -quick)")
	docs := f.String("docs", "", "folder of the documentation: write en/Benchmarks.md, its ja twin and the raw lines there")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	chosen, err := choose(*names)
	if err != nil {
		return err
	}
	if *docs != "" && (*quick || *names != "") {
		return errors.New("-docs needs all cases and no -quick: a page of figures must be whole")
	}
	if *docs != "" {
		for _, language := range languages { // better now than after half an hour
			if _, err := os.Stat(filepath.Join(*docs, language)); err != nil {
				return err
			}
		}
	}
	b := &bench{runs: max(1, *runs), quick: *quick, log: stderr}
	if *quick {
		b.runs = 1
	}
	lines, err := b.runAll(ctx, chosen, func(l line) {
		if *asJSON {
			fmt.Fprintln(stdout, l.json())
		} else {
			fmt.Fprintln(stdout, l.text())
		}
	})
	if err != nil {
		return err
	}
	if *docs == "" {
		return nil
	}
	return writeDocs(*docs, lines)
}

var languages = []string{"en", "ja"}

// writeDocs writes the page in both languages and the raw lines beside it.
func writeDocs(folder string, lines []line) error {
	var raw bytes.Buffer
	for _, l := range lines {
		raw.WriteString(l.json() + "\n")
	}
	if err := os.WriteFile(filepath.Join(folder, "en", "Benchmarks.jsonl"), raw.Bytes(), 0o644); err != nil {
		return err
	}
	m := thisMachine()
	for _, language := range languages {
		page, err := report(language, m, lines)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, language, "Benchmarks.md"), page, 0o644); err != nil {
			return err
		}
	}
	return nil
}
