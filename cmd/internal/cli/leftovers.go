package cli

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/punctualq/punctual/cmd/internal/build"
)

const ownModule = "github.com/punctualq/punctual"

// leftover is a process that go run has started and left behind: it works with old code, and nobody sees it.
type leftover struct {
	pid  int
	path string
}

// leftovers looks through /proc, or what a test gives in its place, for programs that were built with this module by a go run that
// is gone. Where there is no /proc, or where it does not show the processes of others, it finds less.
func leftovers(proc string) (found []leftover) {
	dirs, _ := filepath.Glob(filepath.Join(proc, "[0-9]*"))
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() {
			continue
		}
		path, err := os.Readlink(filepath.Join(dir, "exe"))
		if path = strings.TrimSuffix(path, " (deleted)"); err != nil || !build.ByGoRun(path) {
			continue
		}
		if ours(filepath.Join(dir, "exe")) && nameOf(proc, parentOf(dir)) != "go" {
			found = append(found, leftover{pid, path})
		}
	}
	return found
}

// ours tells whether a program was built with this module.
func ours(executable string) bool {
	info, err := buildinfo.ReadFile(executable)
	return err == nil && (info.Main.Path == ownModule || slices.ContainsFunc(info.Deps, func(m *debug.Module) bool { return m.Path == ownModule }))
}

// parentOf reads the parent's pid; 0 if it cannot be read. The name before it may hold anything, brackets and blanks too.
func parentOf(dir string) int {
	text, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	pid, _ := strconv.Atoi(fields[1])
	return pid
}

func nameOf(proc string, pid int) string {
	text, _ := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "comm"))
	return strings.TrimSpace(string(text))
}

func (x *examination) leftovers(proc string) {
	found := leftovers(proc)
	for _, l := range found {
		x.warn("go run", fmt.Sprintf("kill %d", l.pid), "process %d (%s) was started by a go run that is gone: it works with old code", l.pid, l.path)
	}
	if len(found) == 0 {
		x.ok("go run", "no process of this machine is left behind by a go run")
	}
}
