package faults

import (
	"encoding/json"
	"os"
	"strings"

	"github.com/punctualq/punctual/queue"
)

// events is what the history of a process tells so far of a job and an operation.
func (s *Scene) events(p *Process, op queue.Op, id string) (found []queue.Event) {
	s.Helper()
	text, err := os.ReadFile(p.history)
	if err != nil && !os.IsNotExist(err) {
		s.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var e queue.Event
		if strings.Contains(line, id) && json.Unmarshal([]byte(line), &e) == nil && e.Op == op && e.ID == id {
			found = append(found, e)
		}
	}
	return found
}
