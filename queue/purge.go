package queue

import (
	"cmp"
	"context"
)

var purgeScript = loadScript("purge")

// Purge drops the jobs that match for good, those first that are due (dead, to be forgotten) first, at most 100 a script, until
// f.Limit or until ctx is about to end. Unique keys that they hold are free again.
func (c *Client) Purge(ctx context.Context, queue string, f Filter) (Moved, error) {
	f.State = cmp.Or(f.State, Dead)
	if f.State != Dead && f.State != Scheduled && f.State != Done {
		return Moved{}, &InvalidError{"state", "must be dead, scheduled or done: cancel ends one that is processing"}
	}
	return c.bulk(ctx, queue, f, verb{OpPurge, "purged", func(k keys, jobs []sighted) *call { return purgeCall(k, f.State, f.Group, jobs) }})
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
