package queue

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"
)

var redriveScript = loadScript("redrive")

// Filter says which jobs of a state a bulk verb is for.
type Filter struct {
	State   State         // of PurgeAll: Dead (default), Scheduled or Done. RedriveAll is for Dead only
	Type    string        // "" for all
	MinAge  time.Duration // only those that have been dead (done, enqueued) for so long
	Subject string        // "" for all
	Group   string        // of the dead: the ID of a DeadGroup; "" for all
	Limit   int           // most jobs to move; 0 means 1000, at most 100000
	Cursor  string        // where to go on: Moved.Next of the call before, with the same filter; "" begins with the first job
}

// String is the filter in words, as the audit trail has it for a target: "all dead, type mail.send, for 2h or longer". How many
// were moved stands beside it there, so Limit and Cursor are not told.
func (f Filter) String() string {
	text := "all " + string(cmp.Or(f.State, Dead))
	for _, part := range []struct{ name, value string }{{"type", f.Type}, {"group", f.Group}, {"subject", f.Subject}} {
		if part.value != "" {
			text += ", " + part.name + " " + part.value
		}
	}
	if f.MinAge > 0 {
		age := f.MinAge.String() // 720h0m0s is 720h
		for _, zero := range []string{"m0s", "h0m"} {
			if strings.HasSuffix(age, zero) {
				age = age[:len(age)-2]
			}
		}
		text += ", for " + age + " or longer"
	}
	return text
}

// Moved tells what a bulk verb did before its context ended.
type Moved struct {
	Jobs       int    // moved
	Seen       int    // looked at
	Unreadable int    // dead ones that match and stay where they are: nothing could run their records
	More       bool   // there may be more that match: call again with Next
	Next       string // for Filter.Cursor; "" is the first job. After an error, too, it is behind what was done for certain
}

// Redrive brings a dead job back: due now, attempts reset, its failures kept. ErrNotFound; *StateError unless it is dead;
// ErrInvalid if its record could not be read and nothing can run it.
func (c *Client) Redrive(ctx context.Context, queue, id string) error {
	if !isQueueName(queue) {
		return errQueueName
	}
	tell := c.telling(Event{Op: OpRedrive, Queue: queue, ID: id})
	words, err := c.change(ctx, queue, redriveCall(keysOf(queue), "", []sighted{{position: position{id: id}}}))
	switch {
	case err != nil:
	case len(words) != 3 || words[0] != "ok":
		err = fmt.Errorf("%w: script redrive answered %q", ErrOutcomeUnknown, words)
	case words[2] != "redriven":
		err = refused(words[2:], 0)
	}
	if err != nil {
		tell(Event{}, err)
		return err
	}
	tell(Event{RedisMS: millis(words[1])}, nil)
	return nil
}

func redriveCall(k keys, group string, jobs []sighted) *call {
	x := &call{script: redriveScript, args: []any{group},
		keys: []string{k.dead(), k.scheduled(), k.done(), k.jobs(), k.attempts(), k.errors(), k.wake(), k.stats(), k.groups()}}
	for _, s := range jobs {
		x.args = append(x.args, s.id, s.score)
	}
	return x
}

// RedriveAll brings back the dead jobs that match, the longest dead first, at most 100 a script, until Limit or until ctx is about
// to end. Those that nothing could run stay.
func (c *Client) RedriveAll(ctx context.Context, queue string, f Filter) (Moved, error) {
	if f.State != "" && f.State != Dead {
		return Moved{}, &InvalidError{"state", "must be dead: no other job is redriven"}
	}
	f.State = Dead
	return c.bulk(ctx, queue, f, verb{OpRedrive, "redriven", func(k keys, jobs []sighted) *call { return redriveCall(k, f.Group, jobs) }})
}
