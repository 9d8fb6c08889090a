package queue

import (
	"context"
	"time"
)

var trimScript = loadScript("trim")

// Trim drops dead jobs that died longer ago than retention, and the oldest beyond most: at most 100 a call. It returns how
// many it dropped, and whether there are more to drop.
func (l *Link) Trim(ctx context.Context, most int, retention time.Duration) (dropped int, more bool, err error) {
	k := l.keys
	tell := l.client.telling(Event{Op: OpTrim, Queue: l.queue})
	words, err := l.ask(ctx, &call{script: trimScript, args: []any{most, retention.Milliseconds()},
		keys: []string{k.dead(), k.jobs(), k.attempts(), k.errors(), k.stats()}})
	if err == nil && len(words) >= 2 {
		dropped, more = int(millis(words[0])), words[1] == "1"
	}
	tell(Event{Count: dropped}, err)
	return dropped, more, err
}
