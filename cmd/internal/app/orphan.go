package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/punctualq/punctual/cmd/internal/build"
)

// errOrphan is the cause of a shutdown because go run is gone.
var errOrphan = errors.New("the go run that started this process is gone")

// parentPoll is how often a child of go run looks for its parent: it must have noticed within 2 s.
const parentPoll = 500 * time.Millisecond

// family is what the watch asks about this process and its parent; tests answer in its place.
type family struct {
	executable string
	parent     func() int           // the parent's pid, now
	command    func(pid int) string // the name of a process' program; "" if it is gone
	every      time.Duration
}

func thisProcess() family {
	executable, err := os.Executable()
	if err != nil {
		executable = ""
	}
	return family{executable: executable, parent: os.Getppid, command: commandOf, every: parentPoll}
}

// orphaned returns errOrphan when the go run that started this process has ended, and nil when ctx has. go run does not pass
// SIGTERM on: whoever kills it believes to have stopped the program, and without this its child would go on taking jobs
// with old code. A process that go run did not start is not watched: under a service manager, nohup or the init of a
// container, losing a parent means nothing.
func (f family) orphaned(ctx context.Context) error {
	parent := f.parent()
	if !build.ByGoRun(f.executable) || f.command(parent) != "go" && f.parent() == parent {
		return nil
	}
	tick := time.NewTicker(f.every)
	defer tick.Stop()
	for f.parent() == parent {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	return fmt.Errorf("%w (pid %d): shutting down, so that no job runs with old code", errOrphan, parent)
}

// commandOf asks /proc where there is one, else ps.
func commandOf(pid int) string {
	if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil {
		return strings.TrimSpace(string(text))
	}
	text, err := exec.Command("ps", "-o", "comm=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	return filepath.Base(strings.TrimSpace(string(text)))
}
