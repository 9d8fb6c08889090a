package queue

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"
)

// walkCancelled looks for jobs that are said to be cancelled and that nobody runs: if one is run again, its failure would end it.
func (a *auditor) walkCancelled(ctx context.Context) error {
	for cursor := uint64(0); ; {
		var found *redis.ScanCmd
		err := a.pipe(ctx, false, func(p pipeliner) { found = p.SScan(ctx, a.keys.cancelled(), cursor, "", auditBatch) })
		if err == nil {
			err = a.failed(ctx, found.Err())
		}
		if err != nil {
			return err
		}
		ids, next := found.Val()
		for chunk := range slices.Chunk(ids, auditBatch) {
			if err := a.judgeCancelled(ctx, chunk); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// judgeCancelled looks where they are first, and then whether they are still said to be cancelled: settle and reap end both at once.
func (a *auditor) judgeCancelled(ctx context.Context, ids []string) error {
	v, err := a.wholeView(ctx, "ids", ids)
	if err != nil || !v.whole {
		return err
	}
	for _, p := range v.places {
		if len(p.held) > 0 {
			continue
		}
		var still *redis.BoolCmd
		if err := a.pipe(ctx, true, func(pipe pipeliner) { still = pipe.SIsMember(ctx, a.keys.cancelled(), p.id) }); err != nil {
			return err
		}
		if still.Val() {
			a.find(Finding{Code: "cancelled-not-held", Key: a.keys.cancelled(), ID: p.id, subject: p.id, value: p.id,
				Detail: "it is said to be cancelled, and no worker has it", unfixable: p.recorded && p.count() == 0})
		}
	}
	return nil
}
