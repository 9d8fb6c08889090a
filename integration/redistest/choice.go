package redistest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// choice says which real back ends work here, decided once per process.
type choice struct {
	real []string // in order of preference
	err  error    // what was asked for cannot be had
}

var chosen = sync.OnceValue(func() choice {
	return choose(os.Getenv("PUNCTUAL_TEST_REDIS"), dockerWorks, func() error {
		_, err := exec.LookPath(program())
		return err
	})
})

// choose maps a mode to the real back ends. A mode that names a back end demands it;
// docker brings process along where it works, so that tests can run on both.
func choose(mode string, docker, process func() error) choice {
	var c choice
	switch mode {
	case "", "auto", Docker:
		if err := docker(); err == nil {
			c.real = append(c.real, Docker)
		} else if mode == Docker {
			c.err = fmt.Errorf("PUNCTUAL_TEST_REDIS=docker, but no container can run: %w", err)
		}
	case Process, embedded:
	default:
		c.err = fmt.Errorf("PUNCTUAL_TEST_REDIS=%q: use auto, docker, process or embedded", mode)
	}
	if mode == embedded || c.err != nil {
		return c
	}
	if err := process(); err == nil {
		c.real = append(c.real, Process)
	} else if mode == Process {
		c.err = fmt.Errorf("PUNCTUAL_TEST_REDIS=process, but %w: install redis-server", err)
	}
	return c
}

// realBackends fails the test if the demanded back end cannot be had.
func realBackends(t testing.TB) []string {
	t.Helper()
	c := chosen()
	if c.err != nil {
		t.Fatal(c.err)
	}
	return c.real
}

// Backends lists the real back ends that work here, docker before process.
// Without any, the test is skipped as Own skips it.
func Backends(t testing.TB) []string {
	t.Helper()
	real := realBackends(t)
	if len(real) == 0 {
		skip(t)
	}
	return real
}

// skip ends a test for which there is no real Redis: in one plain line that scripts/test.sh
// repeats at the end, or as a failure with CI=true.
func skip(t testing.TB) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("needs a real Redis: %s (CI=true: install redis-server, or run a Docker engine that has %s)", t.Name(), image)
	}
	if err := noteSkip(os.Getenv("PUNCTUAL_TEST_SKIPPED"), t.Name()); err != nil {
		t.Errorf("note the skip: %v", err)
	}
	t.Skipf("needs a real Redis: %s", t.Name())
}

func noteSkip(file, name string) error {
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(name + "\n")
	return errors.Join(err, f.Close())
}

var queues struct {
	sync.Mutex
	last int
}

// Queue is a queue name that no other test uses, made from the test's name.
func Queue(t testing.TB) string {
	queues.Lock()
	queues.last++
	suffix := fmt.Sprintf("-%d-%d", os.Getpid(), queues.last)
	queues.Unlock()
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, t.Name())
	return name[:min(len(name), 64-len(suffix))] + suffix
}
