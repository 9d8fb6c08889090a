package queue

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// auditedText is how many bytes of a key's value are read, less one: what the scripts write there is shorter.
const auditedText = 4095

// judgeIdempotency judges the key of one registration: it names a job, which may be gone by now, and the request that made it.
func (a *auditor) judgeIdempotency(name, kind string, forever bool, text string) {
	var value struct {
		ID      string
		Request *string
	}
	err := json.Unmarshal([]byte(text), &value)
	switch {
	case kind != "string" || err != nil || !isJobID(value.ID) || value.Request == nil:
		a.find(Finding{Code: "idempotency-malformed", Key: name, Detail: fmt.Sprintf(
			"a %s with %q is not the id of a job and a fingerprint: its request is refused as another one", kind, clip(text))})
	case forever:
		a.find(Finding{Code: "idempotency-no-ttl", Key: name, Detail: "it is never forgotten"})
	}
}

// judgeUniqueFor judges a unique key that is held for a time: by a job that may be gone by now.
func (a *auditor) judgeUniqueFor(name, kind string, forever bool, text string) {
	switch {
	case kind != "string" || !isJobID(text):
		a.find(Finding{Code: "unique-malformed", Key: name, Detail: fmt.Sprintf("a %s with %q is not the id of a job", kind, clip(text))})
	case forever:
		a.find(Finding{Code: "unique-no-ttl", Key: name, Detail: "the key is held for ever"})
	}
}

// walkUnique looks for unique keys that are held by jobs that are no more: nobody would free them.
func (a *auditor) walkUnique(ctx context.Context) error {
	return a.scan(ctx, "HSCAN", a.keys.unique(), func(pairs []string) error {
		held := map[string][]string{} // id → its keys
		for i := 0; i < len(pairs); i += 2 {
			held[pairs[i+1]] = append(held[pairs[i+1]], pairs[i])
		}
		ids := make([]string, 0, len(held))
		for id := range held {
			ids = append(ids, id)
		}
		var suspects []string
		err := a.each(ctx, "ids", nil, ids, func(p place, _ view) {
			if p.ended() {
				suspects = append(suspects, p.id)
			}
		})
		for _, id := range suspects {
			for _, key := range held[id] {
				if err == nil {
					err = a.judgeHolder(ctx, key, id)
				}
			}
		}
		return err
	})
}

// ended says whether the job is gone, dead or done.
func (p place) ended() bool {
	_, dead := p.scores["dead"]
	_, done := p.scores["done"]
	return !p.recorded || dead || done
}

// judgeHolder looks at one key and its holder at one instant.
func (a *auditor) judgeHolder(ctx context.Context, key, id string) error {
	var holder *redis.StringCmd
	var recorded *redis.BoolCmd
	var dead, done *redis.FloatCmd
	err := a.pipe(ctx, true, func(p pipeliner) {
		holder, recorded = p.HGet(ctx, a.keys.unique(), key), p.HExists(ctx, a.keys.jobs(), id)
		dead, done = p.ZScore(ctx, a.keys.dead(), id), p.ZScore(ctx, a.keys.done(), id)
	})
	if err == nil && holder.Val() == id && (!recorded.Val() || dead.Err() == nil || done.Err() == nil) {
		a.find(Finding{Code: "unique-stale", Key: a.keys.unique(), ID: key, subject: key, value: id,
			Detail: fmt.Sprintf("job %s holds the key, and is gone, dead or done: no other can take it", clip(id))})
	}
	return err
}

// judgeCounters compares the counters with how many jobs there are, of which those that are done are counted as done.
func (a *auditor) judgeCounters(jobs int64, n []int64) {
	enqueued, adjusted, done, trimmed, cancelled, purged := n[0], n[1], n[2], n[3], n[4], n[5]+n[6]
	if came, went := enqueued+adjusted, jobs+done+trimmed+cancelled+purged; came != went && !a.unsettled {
		a.find(Finding{Code: "counters-differ", Key: a.keys.stats(), Detail: fmt.Sprintf(
			"enqueued %d and adjusted %d, but jobs %d (without those that are kept when done), done %d, dead_trimmed %d, cancelled %d and purged %d: %+d is not accounted for",
			enqueued, adjusted, jobs, done, trimmed, cancelled, purged, went-came)})
	}
}
