// Package history judges what processes have written with PUNCTUAL_HISTORY. Check goes over a history of any size once and
// finds what was lost, invented, run twice or too early, and every broken rule of claims, fences and leases; Linearizable
// asks, for smaller ones, whether each job behaved as if its operations had run one after the other.
//
// Neither believes the code that it judges: they know the words of a history, and the promises.
package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/punctualq/punctual/queue"
)

// Event is one line of a history.
type Event = queue.Event

// History is the events of all processes in the order of their common monotonic clock.
type History struct {
	Events []*Event
}

// Load reads histories: files, and all *.jsonl of folders. A process that was killed may have left half a line behind, as its
// last; anything else that cannot be read, and a line that is missing between others, is an error.
func Load(paths ...string) (History, error) {
	var procs [][]*Event
	for _, path := range paths {
		files := []string{path}
		if info, err := os.Stat(path); err != nil {
			return History{}, err
		} else if info.IsDir() {
			if files, err = filepath.Glob(filepath.Join(path, "*.jsonl")); err != nil {
				return History{}, err
			}
		}
		for _, file := range files {
			more, err := loadFile(file)
			if err != nil {
				return History{}, err
			}
			procs = append(procs, more...)
		}
	}
	return History{merge(procs)}, nil
}

func loadFile(path string) ([][]*Event, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	procs, err := read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return procs, nil
}

// read returns the events of each process that wrote to one file, one after the other.
func read(r io.Reader) (procs [][]*Event, err error) {
	lines := bufio.NewReaderSize(r, 1<<16)
	var cut error // the line before could not be read: that is right only if it is the last of its process
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if len(line) > 1 {
			e := new(Event)
			if bad := json.Unmarshal(line, e); bad != nil {
				if cut != nil {
					return nil, cut
				}
				cut = fmt.Errorf("line %d: %w", n, bad)
			} else if bad = misplaced(procs, e, cut, n); bad != nil {
				return nil, bad
			} else {
				procs, cut = follow(procs, e), nil
			}
		}
		if err != nil {
			return procs, nil
		}
	}
}

// misplaced says why an event cannot follow those before it.
func misplaced(procs [][]*Event, e *Event, cut error, line int) error {
	if e.Seq == 1 {
		return nil // another process begins
	}
	if cut != nil {
		return cut
	}
	if len(procs) > 0 {
		last := procs[len(procs)-1]
		if before := last[len(last)-1]; before.Proc == e.Proc && before.Seq+1 == e.Seq && before.MonoNS <= e.MonoNS {
			return nil
		}
	}
	return fmt.Errorf("line %d: event %d of %s does not follow the one before it", line, e.Seq, e.Proc)
}

// follow adds an event to those of its process.
func follow(procs [][]*Event, e *Event) [][]*Event {
	if e.Seq == 1 {
		return append(procs, []*Event{e})
	}
	last := &procs[len(procs)-1]
	*last = append(*last, e)
	return procs
}

// merge makes one history of those of processes, each in order.
func merge(procs [][]*Event) []*Event {
	switch len(procs) {
	case 0:
		return nil
	case 1:
		return procs[0]
	}
	a, b := merge(procs[:len(procs)/2]), merge(procs[len(procs)/2:])
	both := make([]*Event, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if b[0].MonoNS < a[0].MonoNS {
			both, b = append(both, b[0]), b[1:]
		} else {
			both, a = append(both, a[0]), a[1:]
		}
	}
	return append(append(both, a...), b...)
}

// Of makes a history of events that a test has written by hand, each process' in order.
func Of(procs ...[]*Event) History { return History{merge(slices.Clone(procs))} }

// forever is the end of what was never answered.
const forever = math.MaxInt64
