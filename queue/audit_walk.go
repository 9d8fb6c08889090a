package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// auditor is one audit under way.
type auditor struct {
	client *Client
	queue  string
	keys   keys
	most   int
	report AuditReport
	listed map[[3]string]bool // what is in the report
	broken map[string]bool    // keys of the wrong type: nothing can be said of what they should hold

	ttl       int64               // ms, of heartbeats; 0 if nobody knows
	workers   map[string]bool     // whose lists are looked at: true if the worker was registered when it was last asked
	seen      map[string]string   // id → the worker on whose list it was seen
	doubtful  map[string]struct{} // ids to be judged with all lists at one instant
	unsettled bool                // there are findings of which the counters cannot know
}

func newAuditor(c *Client, queue string, o AuditOptions) *auditor {
	return &auditor{client: c, queue: queue, keys: keysOf(queue), most: o.Most,
		report: AuditReport{Queue: queue, Findings: []Finding{}}, listed: map[[3]string]bool{}, broken: map[string]bool{},
		workers: map[string]bool{}, seen: map[string]string{}, doubtful: map[string]struct{}{}}
}

// walk looks at everything. The order matters: what a key is before what it holds, lists before jobs, and jobs that seem to
// be nowhere last, when it is known which lists there are.
func (a *auditor) walk(ctx context.Context) error {
	for _, step := range []func(context.Context) error{a.walkNames, a.walkTypes, a.walkMeta, a.walkKeys, a.walkWorkers,
		a.walkLists, a.walkJobs, a.walkSets, a.walkAttempts, a.walkErrors, a.walkUnique, a.walkCancelled, a.walkGroups, a.resolve, a.tally} {
		if err := step(ctx); err != nil || a.broken["*"] {
			return err
		}
	}
	return nil
}

// page is how much one step of a cursor asks for. It shrinks where the values are big, so that no step reads much more
// than max bytes.
type page struct{ count int64 }

const auditBytes = 1 << 20

func (p *page) adapt(words []string) {
	bytes := 0
	for _, w := range words {
		bytes += len(w)
	}
	if bytes > auditBytes {
		p.count = max(8, p.count/2)
	} else if bytes < auditBytes/4 {
		p.count = min(auditBatch, p.count*2)
	}
}

// scan walks a hash or a sorted set by its cursor and hands over pairs of words: field and value, or member and score.
func (a *auditor) scan(ctx context.Context, command, key string, visit func(pairs []string) error) error {
	if a.broken[key] {
		return nil
	}
	cursor, size := uint64(0), page{auditBatch}
	for {
		var words *redis.ScanCmd
		err := a.pipe(ctx, false, func(p pipeliner) {
			if command == "HSCAN" {
				words = p.HScan(ctx, key, cursor, "", size.count)
			} else {
				words = p.ZScan(ctx, key, cursor, "", size.count)
			}
		})
		if err == nil {
			err = a.failed(ctx, words.Err())
		}
		if err != nil {
			return err
		}
		pairs, next := words.Val()
		for chunk := range slices.Chunk(pairs, 2*auditBatch) {
			if err := visit(chunk); err != nil {
				return err
			}
		}
		size.adapt(pairs)
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

func firsts(pairs []string) []string {
	all := make([]string, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, pairs[i])
	}
	return all
}

// each looks at ids where they are now, in as many calls as that takes.
func (a *auditor) each(ctx context.Context, mode string, workers, ids []string, visit func(place, view)) error {
	for len(ids) > 0 {
		v, err := a.look(ctx, mode, workers, ids[:min(len(ids), auditBatch)])
		if err != nil {
			return err
		}
		for _, p := range v.places {
			visit(p, v)
		}
		if len(v.places) == 0 {
			return fmt.Errorf("%w: script audit answered nothing", ErrUnavailable)
		}
		ids = ids[len(v.places):]
	}
	return nil
}

func (a *auditor) doubt(id string) { a.doubtful[id] = struct{}{} }

// walkLists looks at the lists of all workers, each in pieces.
func (a *auditor) walkLists(ctx context.Context) error {
	for worker := range a.workers {
		key := a.keys.processing(worker)
		for from := int64(0); !a.broken[key]; from += 1000 {
			var elements *redis.StringSliceCmd
			err := a.pipe(ctx, false, func(p pipeliner) { elements = p.LRange(ctx, key, from, from+999) })
			if err != nil {
				return err
			}
			ids := make([]string, 0, len(elements.Val()))
			for _, e := range elements.Val() {
				ids = append(ids, elementID(e))
			}
			slices.Sort(ids)
			err = a.each(ctx, "ids", []string{worker}, slices.Compact(ids), func(p place, v view) {
				if v.lists[0] == "2" {
					a.find(Finding{Code: "list-unregistered", Key: key, ID: worker, subject: worker,
						Detail: "the worker is not registered: nobody takes these jobs back"})
				}
				if a.judgeHeld(key, p); len(p.held) > 0 {
					if other, ok := a.seen[p.id]; ok && other != worker {
						a.doubt(p.id)
					}
					a.seen[p.id] = worker
				}
			})
			if err != nil {
				return err
			}
			if len(elements.Val()) < 1000 {
				break
			}
		}
	}
	return nil
}

// isElement says whether an element is <claim number>:<id>, as the scripts see it.
func isElement(e string) bool {
	digits, id, ok := strings.Cut(e, ":")
	return ok && digits != "" && id != "" && strings.Trim(digits, "0123456789") == ""
}

// elementID is the id in an element; a foreign one is its own.
func elementID(e string) string {
	if isElement(e) {
		_, e, _ = strings.Cut(e, ":")
	}
	return e
}

// walkJobs looks at every job that has a record.
func (a *auditor) walkJobs(ctx context.Context) error {
	return a.scan(ctx, "HSCAN", a.keys.jobs(), func(pairs []string) error {
		return a.each(ctx, "records", nil, firsts(pairs), func(p place, _ view) { a.judgeJob(p) })
	})
}

// walkSets looks at every member of the sorted sets.
func (a *auditor) walkSets(ctx context.Context) error {
	for _, set := range auditedSets {
		key := a.keys.prefix + set
		err := a.scan(ctx, "ZSCAN", key, func(pairs []string) error {
			return a.each(ctx, "ids", nil, firsts(pairs), func(p place, v view) { a.judgeMember(set, key, p, v.now) })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// walkAttempts looks for attempts of jobs that are not there.
func (a *auditor) walkAttempts(ctx context.Context) error {
	return a.scan(ctx, "HSCAN", a.keys.attempts(), func(pairs []string) error {
		return a.each(ctx, "ids", nil, firsts(pairs), func(p place, _ view) { a.judgeLeftover(p) })
	})
}

// walkErrors looks for errors of jobs that are not there, and whether they can be read.
func (a *auditor) walkErrors(ctx context.Context) error {
	return a.scan(ctx, "HSCAN", a.keys.errors(), func(pairs []string) error {
		text := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			text[pairs[i]] = pairs[i+1]
		}
		return a.each(ctx, "ids", nil, firsts(pairs), func(p place, _ view) { a.judgeErrors(p, text[p.id]) })
	})
}

// readable are the workers whose lists can be read.
func (a *auditor) readable() []string {
	workers := make([]string, 0, len(a.workers))
	for w := range a.workers {
		if !a.broken[a.keys.processing(w)] {
			workers = append(workers, w)
		}
	}
	return workers
}

// wholeView looks with the lists of all workers that are registered at that instant.
func (a *auditor) wholeView(ctx context.Context, mode string, ids []string) (view, error) {
	for range 20 {
		workers := a.readable()
		v, err := a.look(ctx, mode, workers, ids)
		if err != nil || v.whole || len(workers) < len(a.workers) {
			return v, err
		}
		if err := a.walkWorkers(ctx); err != nil { // one came meanwhile
			return view{}, err
		}
	}
	return view{}, fmt.Errorf("%w: audit of queue %s: workers came and went in 20 attempts to look at all at once", ErrUnavailable, a.queue)
}

// resolve judges what could not be judged without all lists: jobs that seem to be nowhere, or on two lists.
func (a *auditor) resolve(ctx context.Context) error {
	ids := make([]string, 0, len(a.doubtful))
	for id := range a.doubtful {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for batch := range slices.Chunk(ids, auditBatch) {
		v, err := a.wholeView(ctx, "ids", batch)
		if err != nil {
			return err
		}
		for _, p := range v.places {
			a.judgeWhole(p, v.whole)
		}
	}
	return nil
}
