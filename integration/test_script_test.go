package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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
"build "*) [ ! -e "$here/build-fails" ] ;;
"vet "*) [ ! -e "$here/vet-fails$module" ] ;;
"test "*)
	echo "$* [$PUNCTUAL_TEST_REDIS]$module" >>"$here/tests"
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

// tests lists the calls of go test.
func tests(t *testing.T, dir string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "tests"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
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
		"test -race -p 1 -count=1 -timeout 10m ./... [embedded]",
		"test -count=1 -timeout 5m ./... [embedded]-in-bench", // with arguments only what they say
		"test -tags mutants -count=1 ./integration/mutants [embedded]",
		"test -count=1 -timeout 10m -parallel 6 ./... [embedded]-in-faults",
		"test -race -p 1 -count=1 -timeout 10m ./... -run A|B [embedded]",
		"test -race -p 1 -count=1 -timeout 10m ./queue -v [embedded]",
	}
	if got := tests(t, dir); !slices.Equal(got, want) {
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
	for what, calls := range map[string]int{"test-fails-in-bench": 4, "vet-fails-in-bench": 3, "test-fails-in-faults": 4,
		"vet-fails-in-faults": 3, "mutants-fail": 4, "fuzz-fails": 4} {
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
