package redistest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// AssertConserved checks the conservation rule: an id in jobs is in exactly one of scheduled,
// one processing list, dead and done, once; no other place holds an id that is not in jobs.
// It also checks that every record is JSON, that attempts are positive integers, and that
// every processing list belongs to a worker of the registry. All is read at one instant, so
// workers may run meanwhile. Every violation is reported.
func AssertConserved(t testing.TB, c *redis.Client, queue string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), operation) // t.Context() has ended in a cleanup
	defer cancel()
	view, err := look(ctx, c, "punctual:{"+queue+"}:")
	if err != nil {
		t.Errorf("conservation of queue %s: %v", queue, err)
		return
	}
	if broken := view.violations(); len(broken) > 0 {
		t.Errorf("queue %s breaks the conservation rule:\n  %s", queue, strings.Join(broken, "\n  "))
	}
}

// view is what a queue's keys hold at one instant. The keys are spelled here once more, on
// purpose: a test must not believe the code that it tests.
type view struct {
	jobs, attempts, errors map[string]string
	places                 map[string][]string // key without prefix → ids
	processing             map[string][]string // worker → elements <claim number>:<id>
	workers                []string
}

// look reads a view in one transaction. The processing lists must be known before it, so it is
// repeated when a list has come or gone meanwhile.
func look(ctx context.Context, c *redis.Client, prefix string) (*view, error) {
	for range 20 {
		lists, err := c.Keys(ctx, prefix+"processing:*").Result()
		if err != nil {
			return nil, err
		}
		slices.Sort(lists)
		v, seen, err := lookAt(ctx, c, prefix, lists)
		if err != nil {
			return nil, err
		}
		if slices.Equal(lists, seen) {
			return v, nil
		}
	}
	return nil, errors.New("the processing lists came and went in 20 attempts to read them")
}

func lookAt(ctx context.Context, c *redis.Client, prefix string, lists []string) (*view, []string, error) {
	tx := c.TxPipeline()
	seen := tx.Keys(ctx, prefix+"processing:*")
	jobs, attempts, failures := tx.HGetAll(ctx, prefix+"jobs"), tx.HGetAll(ctx, prefix+"attempts"), tx.HGetAll(ctx, prefix+"errors")
	workers := tx.ZRange(ctx, prefix+"workers", 0, -1)
	places := map[string]*redis.StringSliceCmd{}
	for _, place := range []string{"scheduled", "dead", "done"} {
		places[place] = tx.ZRange(ctx, prefix+place, 0, -1)
	}
	elements := map[string]*redis.StringSliceCmd{}
	for _, list := range lists {
		elements[strings.TrimPrefix(list, prefix+"processing:")] = tx.LRange(ctx, list, 0, -1)
	}
	cmds, err := tx.Exec(ctx)
	for _, cmd := range cmds {
		if cmd.Err() != nil {
			err = fmt.Errorf("%v: %w", cmd.Args(), cmd.Err())
		}
	}
	if err != nil {
		return nil, nil, err
	}
	v := &view{
		jobs: jobs.Val(), attempts: attempts.Val(), errors: failures.Val(), workers: workers.Val(),
		places: map[string][]string{}, processing: map[string][]string{},
	}
	for place, cmd := range places {
		v.places[place] = cmd.Val()
	}
	for worker, cmd := range elements {
		v.processing[worker] = cmd.Val()
	}
	slices.Sort(seen.Val())
	return v, seen.Val(), nil
}

// violations lists every breach of the rule, in a stable order.
func (v *view) violations() []string {
	var broken breaches
	found := v.found(&broken)
	for id, where := range found {
		slices.Sort(where)
		if _, known := v.jobs[id]; !known {
			broken.add("%s is in %s, but has no record in jobs", id, strings.Join(where, " and "))
		} else if len(where) > 1 {
			broken.add("%s is in %d places: %s", id, len(where), strings.Join(where, ", "))
		}
	}
	for id, record := range v.jobs {
		if len(found[id]) == 0 {
			broken.add("%s has a record in jobs, but is in no place", id)
		}
		if !json.Valid([]byte(record)) {
			broken.add("the record of %s is not JSON: %q", id, record)
		}
	}
	for id, n := range v.attempts {
		if count, err := strconv.Atoi(n); err != nil || count < 1 {
			broken.add("attempts of %s are %q, not a positive integer", id, n)
		}
	}
	for name, hash := range map[string]map[string]string{"attempts": v.attempts, "errors": v.errors} {
		for id := range hash {
			if _, known := v.jobs[id]; !known {
				broken.add("%s holds %s, which has no record in jobs", name, id)
			}
		}
	}
	slices.Sort(broken)
	return broken
}

type breaches []string

func (b *breaches) add(format string, args ...any) { *b = append(*b, fmt.Sprintf(format, args...)) }

// found says for each id where it is, once for each time it is there.
func (v *view) found(broken *breaches) map[string][]string {
	found := map[string][]string{}
	for place, ids := range v.places {
		for _, id := range ids {
			found[id] = append(found[id], place)
		}
	}
	for worker, elements := range v.processing {
		if !slices.Contains(v.workers, worker) {
			broken.add("processing:%s belongs to no worker of the registry", worker)
		}
		for _, element := range elements {
			number, id, ok := strings.Cut(element, ":")
			if _, err := strconv.ParseUint(number, 10, 64); !ok || err != nil || id == "" {
				broken.add("processing:%s holds %q, which is not <claim number>:<id>", worker, element)
				continue
			}
			found[id] = append(found[id], "processing:"+worker)
		}
	}
	return found
}
