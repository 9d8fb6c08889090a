package queue

import (
	"context"
	"fmt"
	"time"
)

var trimScript = loadScript("trim")

// Trimmed tells what one trim dropped.
type Trimmed struct {
	Dead int
	Done int
	More bool // there is more to drop: trim again
}

// Trim drops dead jobs that died longer ago than retention, done jobs whose own retention has ended, and the oldest of each
// beyond most dead and mostDone: at most 100 a call.
func (l *Link) Trim(ctx context.Context, most int, retention time.Duration, mostDone int) (Trimmed, error) {
	k := l.keys
	tell := l.client.telling(Event{Op: OpTrim, Queue: l.queue})
	words, err := l.ask(ctx, &call{script: trimScript, args: []any{max(0, most), max(0, retention.Milliseconds()), max(0, mostDone)},
		keys: []string{k.dead(), k.done(), k.jobs(), k.attempts(), k.errors(), k.stats(), k.groups()}})
	var t Trimmed
	switch {
	case err != nil:
	case len(words) != 3:
		err = fmt.Errorf("%w: script trim answered %d words", ErrOutcomeUnknown, len(words))
	default:
		t = Trimmed{int(millis(words[0])), int(millis(words[1])), words[2] == "1"}
	}
	tell(Event{Count: t.Dead}, err)
	return t, err
}
