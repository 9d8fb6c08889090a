//go:build mutants

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"
)

// bound is how long the tests of one mutant may take before they count as failed: a bug may make them hang.
const bound = "90s"

// trial runs tests of the module at root.
type trial struct{ root string }

// verdict is what go test said.
type verdict struct {
	failed []string // tests, the outermost of each
	passed int
	output string // the last of it, for when something is wrong with the trial itself
}

// unmutated makes sure that the tests pass as long as nothing is wrong: else their failing would prove nothing.
func (t trial) unmutated(ctx context.Context, chosen []mutant) error {
	patterns := map[string][]string{}
	for _, m := range chosen {
		patterns[m.pkg] = append(patterns[m.pkg], strings.Split(m.run, "|")...)
	}
	for _, pkg := range slices.Sorted(maps.Keys(patterns)) {
		tests := slices.Compact(slices.Sorted(slices.Values(patterns[pkg])))
		v, err := t.test(ctx, "", pkg, strings.Join(tests, "|"))
		if err != nil {
			return err
		}
		if len(v.failed) > 0 || v.passed == 0 {
			return fmt.Errorf("without any mutant %d tests of %s pass and these fail: %s\n%s", v.passed, pkg, strings.Join(v.failed, " "), v.output)
		}
	}
	return nil
}

// try lets the tests that are expected to catch a mutant have their turn, and where none does, all of its package.
func (t trial) try(ctx context.Context, m mutant) result {
	r := result{Mutant: m.name, Bug: m.bug, Field: m.field}
	begin := time.Now()
	defer func() { r.Seconds = time.Since(begin).Seconds() }()
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		r.Error = err.Error()
		return r
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := m.overlay(t.root, dir)
	if err != nil {
		r.Error = err.Error()
		return r
	}
	for _, pattern := range []string{m.run, "."} {
		v, err := t.test(ctx, overlay, m.pkg, pattern)
		if err != nil {
			r.Error = err.Error()
			break
		}
		if r.CaughtBy = v.failed; len(v.failed) > 0 {
			break
		}
	}
	r.Seconds = time.Since(begin).Seconds()
	return r
}

// test runs tests of one package with an overlay, or with none. An error is one of the trial: it does not compile, say.
func (t trial) test(ctx context.Context, overlay, pkg, pattern string) (verdict, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-vet=off", "-timeout", bound, "-run", pattern, pkg)
	cmd.Dir = t.root
	cmd.Env = append(os.Environ(), "CI=true") // a test that is skipped for lack of a Redis must not pass for one that ran
	if os.Getenv("PUNCTUAL_TEST_REDIS") == "" {
		if _, err := exec.LookPath("redis-server"); err == nil {
			cmd.Env = append(cmd.Env, "PUNCTUAL_TEST_REDIS=process") // quicker than a container for each of some forty runs
		}
	}
	if overlay != "" { // by the environment: a test may start go itself, and is to get the mutant, too
		cmd.Env = append(cmd.Env, strings.TrimSpace("GOFLAGS="+os.Getenv("GOFLAGS")+" -overlay="+overlay))
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		return verdict{}, errors.Join(err, ctx.Err())
	}
	v := read(out)
	if err != nil && len(v.failed) == 0 {
		return v, fmt.Errorf("go test failed, but no test of %s did:\n%s%s", pkg, stderr.String(), v.output)
	}
	return v, nil
}

var stuck = regexp.MustCompile(`^\s*(Test\w+)\S* \(\d`)

// read takes in the events of go test -json. When the time is over, or the process ends in the middle, the tests that ran just
// then are the ones that failed.
func read(events []byte) (v verdict) {
	running := map[string]bool{}
	var output []string
	scan := bufio.NewScanner(bytes.NewReader(events))
	scan.Buffer(nil, 1<<24)
	fail := func(test string) {
		if test != "" && !slices.Contains(v.failed, test) {
			v.failed = append(v.failed, test)
		}
	}
	died := false
	for scan.Scan() {
		var e struct{ Action, Test, Output string }
		if json.Unmarshal(scan.Bytes(), &e) != nil {
			continue
		}
		outermost, _, _ := strings.Cut(e.Test, "/")
		switch e.Action {
		case "run":
			running[outermost] = true
		case "pass", "skip":
			if e.Test == outermost && e.Test != "" {
				delete(running, outermost)
				if e.Action == "pass" {
					v.passed++
				}
			}
		case "fail":
			died = died || e.Test == ""
			if e.Test == outermost {
				delete(running, outermost)
				fail(outermost)
			}
		case "output":
			output = append(output, e.Output)
			if m := stuck.FindStringSubmatch(e.Output); m != nil { // of the list under "panic: test timed out"
				fail(m[1])
			}
		}
	}
	if died {
		for _, test := range slices.Sorted(maps.Keys(running)) {
			fail(test)
		}
	}
	v.output = strings.Join(output[max(0, len(output)-40):], "")
	return v
}
