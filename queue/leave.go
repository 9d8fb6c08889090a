package queue

import "context"

var leaveScript = loadScript("leave")

// Leave deregisters a worker. left is false if its list is not empty: then the registry keeps it, and the reaper takes
// back what is on the list.
func (l *Link) Leave(ctx context.Context, worker string) (left bool, err error) {
	k := l.keys
	tell := l.client.telling(Event{Op: OpLeave, Queue: l.queue, Worker: worker})
	words, err := l.ask(ctx, &call{script: leaveScript, args: []any{worker},
		keys: []string{k.heartbeat(worker), k.workers(), k.meta(), k.processing(worker), k.scheduled(), k.wake(), k.control(worker)}})
	left = err == nil && words[0] == "left"
	tell(leftEvent(left), err)
	return left, err
}
