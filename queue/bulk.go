package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// verb is what bulk does to jobs, at most 100 a call.
type verb struct {
	op   Op
	word string // of the script, for a job that it was done to
	call func(k keys, jobs []sighted) *call
}

// atOnce is how many jobs one call moves.
const atOnce = 100

// lastMoment is how long before its context ends a bulk verb stops: what is under way is to be answered.
const lastMoment = 100 * time.Millisecond

func aboutToEnd(ctx context.Context) bool {
	end, set := ctx.Deadline()
	return ctx.Err() != nil || set && time.Until(end) < lastMoment
}

// bulk looks at the jobs of a state, in order, and does something to those that match and are still where they were seen.
// ErrNoQueue if nothing was ever put into the queue.
func (c *Client) bulk(ctx context.Context, queue string, f Filter, v verb) (moved Moved, err error) {
	f.Limit = cmp.Or(f.Limit, 1000)
	if err := f.check(queue); err != nil {
		return moved, err
	}
	if moved.Next = f.Cursor; aboutToEnd(ctx) {
		return moved, errors.Join(ErrUnavailable, cmp.Or(ctx.Err(), context.DeadlineExceeded))
	}
	g := glance{queue: queue, state: f.State, group: f.Group, more: true}
	if g.at, err = f.listing().position(queue); err != nil {
		return moved, &InvalidError{"cursor", "must be that of the answer before, with the same filter; leave it out to begin with the first job"}
	}
	for g.more {
		if moved.More = moved.Jobs == f.Limit || aboutToEnd(ctx); moved.More {
			return moved, nil
		}
		if g.most = mostSeen; f.Type == "" && f.Subject == "" && f.Group == "" && f.MinAge == 0 {
			g.most = min(g.most, f.Limit-moved.Jobs)
		}
		some, err := c.glance(ctx, &g)
		if err != nil {
			moved.More = true
			return moved, err
		}
		for len(some) > 0 {
			if moved.More = moved.Jobs == f.Limit || aboutToEnd(ctx); moved.More {
				return moved, nil
			}
			batch, seen, end := f.batch(&g, some, min(atOnce, f.Limit-moved.Jobs))
			if seen > 0 {
				g.at = some[seen-1].position
			}
			if some = some[seen:]; end {
				some, g.more = nil, false
			}
			moved.Seen += seen
			if err := c.apply(ctx, queue, f.State, v, batch, &moved); err != nil {
				moved.More = true
				return moved, err
			}
			moved.Next = f.next(queue, g.at)
		}
		moved.Seen += g.passOver()
		moved.Next = f.next(queue, g.at)
	}
	moved.Next = ""
	if moved.Seen == 0 {
		_, err = c.Overview(ctx, queue) // it may be empty, or there is none
	}
	return moved, err
}

// listing is the listing of the jobs that a bulk verb goes over, so far as cursors go. The age stands for a text of ids, which no
// bulk verb has: the cursor is of the whole filter.
func (f Filter) listing() Listing {
	l := Listing{State: f.State, Type: f.Type, Subject: f.Subject, Group: f.Group, Cursor: f.Cursor}
	if f.MinAge > 0 {
		l.Text = f.MinAge.String()
	}
	return l
}

func (f Filter) next(queue string, at position) string {
	if at == (position{}) {
		return ""
	}
	return f.listing().cursor(queue, at)
}

func (f Filter) check(queue string) error {
	switch {
	case !isQueueName(queue):
		return errQueueName
	case f.Type != "" && !isJobType(f.Type):
		return &InvalidError{"type", "must match [a-z0-9._-]{1,64}"}
	case f.MinAge < 0:
		return &InvalidError{"older_than_seconds", "must not be negative"}
	case f.Limit < 1 || f.Limit > 100_000:
		return &InvalidError{"limit", "must be between 1 and 100000"}
	}
	return checkGroup(f.Group, f.State)
}

// batch takes up to most jobs that match from the front of some, and says how many it has looked at, and whether none behind can match.
func (f Filter) batch(g *glance, some []sighted, most int) (batch []sighted, seen int, end bool) {
	for _, s := range some {
		if len(batch) == most {
			break
		}
		info := s.info(g.queue, g.state)
		since := info.Finished
		if g.state == Scheduled {
			since = info.Created
		}
		old := f.MinAge == 0 || !since.IsZero() && g.now-since.UnixMilli() >= f.MinAge.Milliseconds()
		if !old && g.state == Dead { // they stand in the order of their deaths
			return batch, seen, true
		}
		seen++
		if old && (f.Type == "" || info.Type == f.Type) && (f.Subject == "" || info.Subject == f.Subject) {
			batch = append(batch, s)
		}
	}
	return batch, seen, false
}

// apply runs the script, again for those whose turn did not come, and counts.
func (c *Client) apply(ctx context.Context, queue string, state State, v verb, batch []sighted, moved *Moved) error {
	unreadable := 0 // these stay, and come again if this fails
	for len(batch) > 0 {
		c.tellVerb(v.op, queue, state, batch, nil, nil)
		words, err := c.change(ctx, queue, v.call(keysOf(queue), batch))
		if err == nil && (len(words) != 2+len(batch) || words[0] != "ok" || words[2] == "later") {
			err = fmt.Errorf("%w: script %s answered %q for %d jobs", ErrOutcomeUnknown, v.op, words, len(batch))
		}
		c.tellVerb(v.op, queue, state, batch, words, err)
		if err != nil {
			return err
		}
		var later []sighted
		for i, word := range words[2:] {
			switch word {
			case v.word:
				moved.Jobs++
			case "unreadable":
				unreadable++
			case "later":
				later = append(later, batch[i])
			}
		}
		batch = later
	}
	moved.Unreadable += unreadable
	return nil
}
