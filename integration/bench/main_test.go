package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestMain: a measurement starts its children from this binary.
func TestMain(m *testing.M) {
	if os.Getenv(childMark) != "" {
		os.Exit(childMain(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// needRedis skips a test where there is no redis-server; scripts/test.sh repeats that at its end. With CI=true it fails.
func needRedis(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s needs redis-server on the PATH (CI=true)", t.Name())
	}
	if name := os.Getenv("PUNCTUAL_TEST_SKIPPED"); name != "" {
		f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteString(t.Name() + "\n")
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	t.Skipf("needs redis-server on the PATH: %s", t.Name())
}

// quickly are all cases, in groups that run at the same time: most of a quick run is Asynq's waiting for its next look.
var quickly = []string{"burst,memory,scale", "lateness,http", "enqueue,drain,idle,fanout,workers"}

// TestQuick runs every case with few jobs. What is checked is that no job is lost, run twice or early.
func TestQuick(t *testing.T) {
	needRedis(t)
	ran := strings.Split(strings.Join(quickly, ","), ",")
	if slices.Sort(ran); !slices.Equal(ran, slices.Sorted(slices.Values(caseNames))) {
		t.Fatalf("the cases are %v, of which run %v", caseNames, ran)
	}
	var running sync.WaitGroup // t.Parallel would run only as many as there are cores
	outs, logs, errs := make([]bytes.Buffer, len(quickly)), make([]bytes.Buffer, len(quickly)), make([]error, len(quickly))
	for i, cases := range quickly {
		running.Go(func() { errs[i] = run(t.Context(), []string{"-quick", "-json", "-case", cases}, &outs[i], &logs[i]) })
	}
	running.Wait()
	for i, cases := range quickly {
		if errs[i] != nil {
			t.Errorf("%s: %v\n%s", cases, errs[i], &logs[i])
			continue
		}
		checkLines(t, strings.Split(cases, ","), outs[i].String())
	}
}

// params are those that are promised. Of the other cases there is at least one.
var params = map[string][]string{
	"enqueue":  {"p=1", "p=16", "bulk=100,p=16"},
	"drain":    {"c=10", "c=100"},
	"lateness": {"p50", "p99"},
	"idle":     {"trips", "cpu"},
	"memory":   {"scheduled"},
}

func checkLines(t *testing.T, cases []string, printed string) {
	seen := map[string][]string{}
	for text := range strings.Lines(printed) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		seen[l.Case] = append(seen[l.Case], l.Param)
		if l.Us == nil || *l.Us < 0 || l.Unit == "" {
			t.Errorf("without a figure or a unit: %s", text)
		}
		for _, side := range []string{us, hand} {
			if l.Checked[side] != (counts{}) {
				t.Errorf("%s: %+v", side, l.Checked[side])
			}
		}
		if _, ok := l.Checked[us]; !ok {
			t.Errorf("nothing was checked: %s", text)
		}
	}
	for _, name := range cases {
		got := seen[name]
		delete(seen, name)
		if want := params[name]; want != nil && !slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("case %s has the lines %q, want %q", name, got, want)
		}
	}
	if len(seen) > 0 {
		t.Errorf("nobody has asked for %v", seen)
	}
}

// losing is a case that finds something wrong.
func losing(side string, found counts) benchCase {
	return benchCase{name: "drain", params: []string{"p"}, unit: map[string]string{"p": "jobs/s"}, sides: []string{side},
		measure: func(_ context.Context, m *measurement) (figures, error) {
			m.saw("p", 1)
			m.check(found)
			return m.seen, nil
		}}
}

func TestALostJobFailsTheRun(t *testing.T) {
	for _, test := range []struct {
		side  string
		found counts
		want  string // in the error; "": none
	}{
		{us, counts{}, ""},
		{us, counts{Lost: 1}, "case drain: us lost 2 jobs, ran 0 twice and started 0 early"},
		{us, counts{Twice: 1}, "us lost 0 jobs, ran 2 twice"},
		{us, counts{Early: 1}, "started 2 early"},
		{hand, counts{Lost: 1}, "hand lost 2 jobs"},
		{asynq, counts{Lost: 1, Twice: 1, Early: 1}, ""}, // is shown, and no failure of ours
	} {
		shown := 0
		b := &bench{runs: 2, log: io.Discard}
		lines, err := b.runAll(t.Context(), []benchCase{losing(test.side, test.found)}, func(line) { shown++ })
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s found %+v: %v, want %q", test.side, test.found, err, test.want)
		}
		twofold := test.found.plus(test.found)
		if shown != 1 || len(lines) != 1 || lines[0].Checked[test.side] != twofold {
			t.Errorf("%s found %+v: shown are %d lines, %+v", test.side, test.found, shown, lines)
		}
	}
}

func TestAFailedMeasurementIsNamed(t *testing.T) {
	c := losing(us, counts{})
	c.measure = func(context.Context, *measurement) (figures, error) { return figures{}, errors.New("no luck") }
	b := &bench{runs: 1, log: io.Discard}
	if _, err := b.runAll(t.Context(), []benchCase{c}, func(line) {}); err == nil || err.Error() != "case drain: us: no luck" {
		t.Errorf("the error is %v", err)
	}
}

func TestAnEndOfTheContextEndsTheRun(t *testing.T) {
	needRedis(t)
	ctx, cancel := context.WithCancel(t.Context())
	c := losing(us, counts{})
	c.measure = func(ctx context.Context, m *measurement) (figures, error) {
		if err := m.fresh(ctx); err != nil {
			return m.seen, err
		}
		w, err := m.child(task{Role: "work", Jobs: 1, Concurrency: 1})
		if err != nil {
			return m.seen, err
		}
		cancel()
		_, err = w.read() // it has been asked nothing, and would never answer
		return m.seen, err
	}
	b := &bench{runs: 1, log: io.Discard}
	if _, err := b.runAll(ctx, []benchCase{c}, func(line) {}); !errors.Is(err, errInterrupted) {
		t.Errorf("the error is %v", err)
	}
}

func TestArguments(t *testing.T) {
	all := strings.Join(caseNames, ",")
	for want, args := range map[string][]string{
		`no case is called "drian": take some of ` + all: {"-case", "enqueue,drian"},
		`no case is called "": take some of ` + all:      {"-case", "enqueue,"},
		"-docs needs all cases and no -quick":            {"-docs", t.TempDir(), "-quick"},
		"no such file or directory":                      {"-docs", t.TempDir()},
		"flag provided but not defined":                  {"-fast"},
	} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: the error is %v, want %q", args, err, want)
		}
	}
	var help bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, io.Discard, &help); err != nil || !strings.Contains(help.String(), all) {
		t.Errorf("-h: %v\n%s", err, &help)
	}
	t.Setenv("PATH", t.TempDir())
	err := run(t.Context(), []string{"-quick", "-case", "idle"}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "redis-server is not on the PATH: install it") {
		t.Errorf("without redis-server: %v", err)
	}
}

func TestChoose(t *testing.T) {
	for list, want := range map[string][]string{"": caseNames, "lateness,drain": {"drain", "lateness"}, "http": {"http"}} {
		var got []string
		cases, err := choose(list)
		for _, c := range cases {
			got = append(got, c.name)
			for _, p := range c.params {
				if c.unit[p] == "" {
					t.Errorf("%s %s has no unit", c.name, p)
				}
			}
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("choose(%q) = %v, %v, want %v", list, got, err, want)
		}
	}
}
