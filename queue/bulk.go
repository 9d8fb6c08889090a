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
func (c *Client) bulk(ctx context.Context, queue string, f Filter, v verb) (moved Moved, err error) {
	f.Limit = cmp.Or(f.Limit, 1000)
	if err := f.check(queue); err != nil {
		return moved, err
	}
	if aboutToEnd(ctx) {
		return moved, errors.Join(ErrUnavailable, cmp.Or(ctx.Err(), context.DeadlineExceeded))
	}
	g := glance{queue: queue, state: f.State, group: f.Group, more: true}
	for g.more {
		if moved.More = moved.Jobs == f.Limit || aboutToEnd(ctx); moved.More {
			return moved, nil
		}
		if g.most = mostSeen; f.Type == "" && f.Subject == "" && f.Group == "" && f.MinAge == 0 {
			g.most = min(g.most, f.Limit-moved.Jobs)
		}
		some, err := c.glance(ctx, &g)
		if err != nil {
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
			n, err := c.apply(ctx, queue, f.State, v, batch)
			if moved.Jobs += n; err != nil {
				return moved, err
			}
		}
		moved.Seen += g.passOver()
	}
	return moved, nil
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

// apply runs the script, again for those whose turn did not come, and returns to how many jobs it was done.
func (c *Client) apply(ctx context.Context, queue string, state State, v verb, batch []sighted) (n int, err error) {
	for len(batch) > 0 {
		c.tellVerb(v.op, queue, state, batch, nil, nil)
		words, err := c.change(ctx, queue, v.call(keysOf(queue), batch))
		if err == nil && (len(words) != 2+len(batch) || words[0] != "ok" || words[2] == "later") {
			err = fmt.Errorf("%w: script %s answered %q for %d jobs", ErrOutcomeUnknown, v.op, words, len(batch))
		}
		c.tellVerb(v.op, queue, state, batch, words, err)
		if err != nil {
			return n, err
		}
		var later []sighted
		for i, word := range words[2:] {
			switch word {
			case v.word:
				n++
			case "later":
				later = append(later, batch[i])
			}
		}
		batch = later
	}
	return n, nil
}
