package queue

import "context"

var leaveScript = loadScript("leave")

// Leave deregisters a worker. left is false if its list is not empty: then the registry keeps it, and the reaper takes
// back what is on the list.
func (l *Link) Leave(ctx context.Context, worker string) (left bool, err error) {
	k := l.keys
	words, err := l.ask(ctx, &call{script: leaveScript, args: []any{worker},
		keys: []string{k.heartbeat(worker), k.workers(), k.meta(), k.processing(worker), k.scheduled(), k.wake()}})
	return err == nil && words[0] == "left", err
}
