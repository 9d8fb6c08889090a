package queue

import (
	"cmp"
	"context"
)

var purgeScript = loadScript("purge")

// Purge drops one job that is over, dead or done, for good. ErrNotFound; *StateError if it is scheduled or processing, which are for
// Cancel.
func (c *Client) Purge(ctx context.Context, queue, id string) error {
	if !isQueueName(queue) {
		return errQueueName
	}
	for _, state := range []State{Dead, Done, Dead} { // again: it may have died between the looks
		var moved Moved
		err := c.apply(ctx, queue, state, purging(state, ""), []sighted{{position: position{id: id}}}, &moved)
		if moved.Jobs > 0 || err != nil {
			return err
		}
	}
	info, err := c.Get(ctx, queue, id)
	if info.ID != "" {
		return &StateError{info.State} // whether its record can be read or not
	}
	return err
}

// PurgeAll drops the jobs that match for good, those first that are due (dead, to be forgotten) first, at most 100 a script, until
// f.Limit or until ctx is about to end. Unique keys that they hold are free again.
func (c *Client) PurgeAll(ctx context.Context, queue string, f Filter) (Moved, error) {
	f.State = cmp.Or(f.State, Dead)
	if f.State != Dead && f.State != Scheduled && f.State != Done {
		return Moved{}, &InvalidError{"state", "must be dead, scheduled or done: cancel ends one that is processing"}
	}
	return c.bulk(ctx, queue, f, purging(f.State, f.Group))
}

func purging(state State, group string) verb {
	return verb{OpPurge, "purged", func(k keys, jobs []sighted) *call { return purgeCall(k, state, group, jobs) }}
}

func purgeCall(k keys, state State, group string, jobs []sighted) *call {
	place := map[State]string{Dead: k.dead(), Scheduled: k.scheduled(), Done: k.done()}[state]
	x := &call{script: purgeScript, args: []any{string(state), group},
		keys: []string{place, k.jobs(), k.attempts(), k.errors(), k.unique(), k.stats(), k.groups()}}
	for _, s := range jobs {
		x.args = append(x.args, s.id, s.score)
	}
	return x
}
