package queue

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

var reapScript = loadScript("reap")

// reapJitter is the most by which a reaped job comes back later than now, so that many do not come at one instant.
const reapJitter = time.Second

// Reaped tells what one reap did.
type Reaped struct {
	Verdict     string // reaped; gone: not registered; alive: its heartbeat is there; early: not enough is known yet
	Rescheduled int
	Dead        int
	Cancelled   int // gone: they were being cancelled
	Left        int // still on the list: reap again
}

// Reap takes back at most 100 jobs of a worker that Pulse named. The script decides by itself whether the worker is dead.
func (c *Client) Reap(ctx context.Context, queue, victim string) (Reaped, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := c.permitted(ctx, queue, victim, allNeeds()); err != nil { // this process may have had nothing to ask for so far
		return Reaped{}, err
	}
	tell := c.telling(Event{Op: OpReap, Queue: queue, Worker: victim})
	r, err := reaped(c.askOne(ctx, reapCall(keysOf(queue), victim)))
	tell(r.event(), err)
	return r, err
}

// Reap is Client.Reap on the link's own connection.
func (l *Link) Reap(ctx context.Context, victim string) (Reaped, error) {
	tell := l.client.telling(Event{Op: OpReap, Queue: l.queue, Worker: victim})
	r, err := reaped(l.ask(ctx, reapCall(l.keys, victim)))
	tell(r.event(), err)
	return r, err
}

func reapCall(k keys, victim string) *call {
	return &call{script: reapScript,
		keys: []string{k.processing(victim), k.heartbeat(victim), k.workers(), k.meta(), k.jobs(), k.scheduled(), k.dead(),
			k.attempts(), k.errors(), k.wake(), k.stats(), k.unique(), k.cancelled(), k.control(victim), k.groups()},
		args: []any{victim, rand.Int32(), reapJitter.Milliseconds(), DefaultMaxRetry}}
}

func reaped(words []string, err error) (Reaped, error) {
	if err != nil {
		return Reaped{}, err
	}
	r := Reaped{Verdict: words[0]}
	if r.Verdict == "reaped" {
		if len(words) != 5 {
			return r, fmt.Errorf("%w: script reap answered %d words", ErrOutcomeUnknown, len(words))
		}
		r.Rescheduled, r.Dead, r.Left, r.Cancelled = int(millis(words[1])), int(millis(words[2])), int(millis(words[3])), int(millis(words[4]))
	}
	return r, nil
}
