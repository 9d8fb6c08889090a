package integration

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

// goStandIn and gofmtStandIn take the place of the Go tools and fuzzStandIn that of scripts/fuzz.sh, so that scripts/test.sh
// can be watched: they record what they are asked and answer as the files beside them say.
const (
	goStandIn = `#!/bin/sh
here=$(dirname "$0")
case $PWD in
*/integration/bench) module=-in-bench ;;
*/integration/faults) module=-in-faults ;;
*) module= ;;
esac
case "$1 $2" in
"env CGO_ENABLED") [ -e "$here/no-cgo" ] && echo 0 || echo 1 ;;
"env CC") [ -e "$here/no-compiler" ] && echo no-such-compiler || echo "sh -c" ;;
"list "*) printf 'punctual/%s\n' cmd/internal/app integration integration/redistest queue worker ;;
"build "*) [ ! -e "$here/build-fails" ] ;;
"vet "*) [ ! -e "$here/vet-fails$module" ] ;;
"test "*)
	echo "$* [$PUNCTUAL_TEST_REDIS]$module" >>"$here/tests"
	[ ! -e "$here/hangs" ] || exec sleep 600
	[ ! -e "$here/skips" ] || cat "$here/skips" >>"$PUNCTUAL_TEST_SKIPPED"
	case $* in
	*./integration/mutants) [ ! -e "$here/mutants-fail" ] ;;
	*) [ ! -e "$here/test-fails$module" ] ;;
	esac
	;;
esac
`
	fuzzStandIn = `#!/bin/sh
echo "fuzz for $FUZZTOTAL s"
[ ! -e fuzz-fails ]
`
	gofmtStandIn = `#!/bin/sh
cat "$(dirname "$0")/unformatted" 2>/dev/null || true
`
)

func withGo(t *testing.T, w *workbench) string {
	t.Helper()
	dir := t.TempDir()
	for name, script := range map[string]string{"go": goStandIn, "gofmt": gofmtStandIn} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.env = append(w.env, "PATH="+dir+":"+os.Getenv("PATH"), "PUNCTUAL_TEST_REDIS=embedded")
	for _, module := range []string{"bench", "faults"} {
		if err := os.MkdirAll(filepath.Join(w.dir, "integration", module), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(w.dir, "scripts", "fuzz.sh"), []byte(fuzzStandIn), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// tests lists the calls of go test, which the script makes by two processes.
func tests(t *testing.T, dir string) []string {
	t.Helper()
	calls := calledSoFar(dir)
	if len(calls) == 0 {
		t.Fatal("go test was not called")
	}
	return calls
}

func calledSoFar(dir string) []string {
	text, _ := os.ReadFile(filepath.Join(dir, "tests")) // may not be there yet
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
}

func TestTestScriptPassesItsArgumentsOn(t *testing.T) {
	w := newWorkbench(t)
	dir := withGo(t, w)
	for _, args := range [][]string{nil, {"-run", "A|B"}, {"./queue", "-v"}} {
		cmd, out := w.script("test", args...)
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		if fuzzed := strings.Contains(out.String(), "fuzz for 30 s\n"); fuzzed != (args == nil) {
			t.Errorf("%v: fuzzed: %v\n%s", args, fuzzed, out)
		}
	}
	want := []string{
		"test -count=1 -timeout 10m -parallel 6 . [embedded]-in-faults",
		"test -count=1 -timeout 10m ./api ./api/ui [embedded]",
		"test -count=1 -timeout 5m ./... [embedded]-in-bench",
		"test -count=1 -timeout 5m ./history [embedded]-in-faults",
		"test -race -count=1 -timeout 10m -run ^TestDocumentedCommands$ ./integration [embedded]",
		"test -race -p 1 -parallel 8 -count=1 -timeout 10m ./... -run A|B [embedded]", // with arguments only what they say
		"test -race -p 1 -parallel 8 -count=1 -timeout 10m ./queue -v [embedded]",
		"test -race -p 2 -count=1 -timeout 10m punctual/queue punctual/worker [embedded]",
		"test -race -p 2 -parallel 8 -count=1 -timeout 10m -skip ^TestDocumentedCommands$ ./integration ./integration/redistest ./cmd/internal/app [embedded]",
		"test -tags mutants -count=1 ./integration/mutants [embedded]",
	}
	if got := slices.Sorted(slices.Values(tests(t, dir))); !slices.Equal(got, want) { // some run side by side
		t.Errorf("go was called with\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTestScriptFailsWhenAnythingFails(t *testing.T) {
	for _, what := range []string{"test-fails", "build-fails", "vet-fails", "unformatted"} {
		w := newWorkbench(t)
		dir := withGo(t, w)
		if err := os.WriteFile(filepath.Join(dir, what), []byte("queue/keys.go\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		said := w.run(1, "test", "-v")
		if names := strings.Contains(said, "make fmt): queue/keys.go\n"); names != (what == "unformatted") {
			t.Errorf("%s: it says\n%s", what, said)
		}
		tests(t, dir) // whatever fails, the tests have run
	}
}

func TestTestScriptFailsWhenWhatFollowsFails(t *testing.T) {
	for what, calls := range map[string]int{"test-fails-in-bench": 8, "vet-fails-in-bench": 7, "test-fails-in-faults": 8,
		"vet-fails-in-faults": 7, "mutants-fail": 8, "fuzz-fails": 8} {
		w := newWorkbench(t)
		dir := withGo(t, w)
		touch(t, dir, what)
		touch(t, w.dir, what)
		cmd, out := w.script("test")
		if err := cmd.Run(); err == nil {
			t.Errorf("%s: it succeeds:\n%s", what, out)
		}
		if got := tests(t, dir); len(got) != calls {
			t.Errorf("%s: go test was called with %q", what, got)
		}
	}
}

// TestTestScriptLeavesNothingAtWork: Ctrl+C ends both kinds of tests.
func TestTestScriptLeavesNothingAtWork(t *testing.T) {
	w := newWorkbench(t)
	dir := withGo(t, w)
	touch(t, dir, "hangs")
	cmd, out := w.script("test")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	ended, held, err := os.Pipe() // by all that the script starts
	if err != nil {
		t.Fatal(err)
	}
	defer ended.Close()
	cmd.ExtraFiles = []*os.File{held}
	err = cmd.Start()
	_ = held.Close()
	if err != nil {
		t.Fatal(err)
	}
	redistest.Await(t, 20*time.Second, "two that hang", func() bool { return len(calledSoFar(dir)) == 2 })
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("it ends with %v:\n%s", err, out)
	}
	_ = ended.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadAll(ended); err != nil {
		t.Errorf("something is still at work: %v", err)
	}
}

func TestTestScriptListsTheSkippedTests(t *testing.T) {
	w := newWorkbench(t)
	dir := withGo(t, w)
	if said := w.run(0, "test", "-v"); strings.Contains(said, "skipped") {
		t.Errorf("nothing was skipped, but it says\n%s", said)
	}
	if err := os.WriteFile(filepath.Join(dir, "skips"), []byte("TestB\nTestA/x\nTestB\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	said := w.run(0, "test", "-v", "Redis for the tests: embedded\n")
	if last := "skipped for lack of a real Redis: TestA/x TestB\n"; !strings.HasSuffix(said, last) {
		t.Errorf("it does not end with %q:\n%s", last, said)
	}
}

func TestTestScriptLeavesOutTheRaceDetector(t *testing.T) {
	for _, without := range []string{"no-cgo", "no-compiler"} {
		w := newWorkbench(t)
		dir := withGo(t, w)
		touch(t, dir, without)
		w.run(0, "test", "-v", "no C compiler: the race detector is left out\n")
		if got := tests(t, dir)[0]; strings.Contains(got, "-race") {
			t.Errorf("%s: go was called with %s", without, got)
		}
	}
}

func TestTestScriptChoosesTheRedis(t *testing.T) {
	needRedisServer(t) // else it would be installed here
	for pullable, want := range map[bool]string{true: "docker", false: "process"} {
		w := newWorkbench(t)
		dir := withGo(t, w)
		docker := withDocker(t, w, pullable)
		w.env = append(w.env, "PUNCTUAL_TEST_REDIS=auto", "PATH="+docker+":"+dir+":"+os.Getenv("PATH"))
		w.run(0, "test", "-v", "Redis for the tests: "+want+"\n")
		if got := tests(t, dir)[0]; !strings.HasSuffix(got, "["+want+"]") {
			t.Errorf("pullable %t: go was called with %s", pullable, got)
		}
	}
}
