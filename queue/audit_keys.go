package queue

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// walkNames looks whether the queue is among the known ones.
func (a *auditor) walkNames(ctx context.Context) error {
	var known *redis.BoolCmd
	if err := a.pipeAt(ctx, keyQueues, false, func(p pipeliner) { known = p.SIsMember(ctx, keyQueues, a.queue) }); err != nil {
		return err
	}
	if known.Err() == nil && !known.Val() {
		a.find(Finding{Code: "queue-unlisted", Key: keyQueues, ID: a.queue, Detail: "no program that asks for all queues sees this one"})
	}
	return nil
}

// QueuesWithKeys returns the names of all queues of which there is a key, sorted, also of those that Queues has forgotten: a Redis
// that evicts may have dropped the key with their names. It goes over all keys of Redis with SCAN, a thousand at a time; on a
// Cluster, where no node has all, it returns none.
func (c *Client) QueuesWithKeys(ctx context.Context) ([]string, error) {
	if c.cluster != nil {
		return nil, nil
	}
	found := map[string]bool{}
	for cursor, first := uint64(0), true; first || cursor != 0; first = false {
		one, cancel := context.WithTimeout(ctx, c.timeout)
		cmd := redis.NewScanCmd(one, nil, "SCAN", cursor, "MATCH", keysOfAll, "COUNT", 1000)
		c.ask.do(one, keyQueues, cmd)
		cancel()
		var keys []string
		var err error
		if keys, cursor, err = cmd.Result(); err != nil {
			return nil, classify(err, false) // reads only
		}
		for _, key := range keys {
			if name := queueOf(key); name != "" {
				found[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// types are the keys that every queue has, and what each is.
func (k keys) types() map[string]string {
	return map[string]string{k.jobs(): "hash", k.scheduled(): "zset", k.dead(): "zset", k.done(): "zset", k.attempts(): "hash",
		k.errors(): "hash", k.workers(): "zset", k.wake(): "list", k.stats(): "hash", k.meta(): "hash",
		k.unique(): "hash", k.cancelled(): "set", k.groups(): "hash", k.minutes(): "hash", k.trail(): "list"}
}

// walkTypes looks at the types of those keys. If one is wrong no script works, and nothing else can be said.
func (a *auditor) walkTypes(ctx context.Context) error {
	found := map[string]*redis.StatusCmd{}
	err := a.pipe(ctx, false, func(p pipeliner) {
		for key := range a.keys.types() {
			found[key] = p.Type(ctx, key)
		}
	})
	if err != nil {
		return err
	}
	for key, want := range a.keys.types() {
		if a.wrongType(key, found[key].Val(), want) {
			a.broken["*"] = true
		}
	}
	return nil
}

func (a *auditor) wrongType(key, got, want string) bool {
	if got == want || got == "none" {
		return false
	}
	a.broken[key] = true
	a.find(Finding{Code: "key-wrong-type", Key: key, Detail: "it is a " + got + " and should be a " + want + ": what needs it fails, and was not audited"})
	return true
}

// walkMeta looks at the layout, at numbers that are none, and at marks of workers that are not there.
func (a *auditor) walkMeta(ctx context.Context) error {
	return a.scan(ctx, "HSCAN", a.keys.meta(), func(pairs []string) error {
		for i := 0; i < len(pairs); i += 2 {
			field, value := pairs[i], pairs[i+1]
			n, err := strconv.ParseInt(value, 10, 64)
			number := err == nil && n >= 0
			switch field {
			case "layout":
				if !number || n > LayoutVersion {
					a.broken["*"] = true
					a.find(Finding{Code: "layout-newer", Key: a.keys.meta(), ID: field,
						Detail: fmt.Sprintf("layout %q, and this binary knows up to %d: use one of that version; the rest was not audited", clip(value), LayoutVersion)})
				}
			case "interval", "ttl", "window_start", "window_seen", "timekeeper_due", "timekeeper_until":
				if !number {
					a.find(Finding{Code: "meta-malformed", Key: a.keys.meta(), ID: field, subject: field, value: value,
						Detail: fmt.Sprintf("%q is not a number of ms", clip(value))})
				} else if field == "ttl" {
					a.ttl = n
				}
			default:
				mark, worker, ok := strings.Cut(field, ":")
				if ok && (mark == "reaping" || mark == "order") {
					if err := a.judgeMark(ctx, field, worker); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
}

func (a *auditor) judgeMark(ctx context.Context, field, worker string) error {
	var marked *redis.BoolCmd
	var registered *redis.FloatCmd
	err := a.pipe(ctx, true, func(p pipeliner) {
		marked, registered = p.HExists(ctx, a.keys.meta(), field), p.ZScore(ctx, a.keys.workers(), worker)
	})
	if err == nil && marked.Val() && registered.Err() == redis.Nil {
		f := Finding{Code: "reaping-unregistered", Key: a.keys.meta(), ID: field, subject: worker,
			Detail: "the worker is said to be reaped, but is not registered: under this name none could work"}
		if strings.HasPrefix(field, orderField("")) {
			f.Code, f.Detail = "order-unregistered", "a worker that is not registered was told something: nobody will do it"
		}
		a.find(f)
	}
	return err
}

// walkKeys looks at all keys of the queue by a cursor over the whole Redis: those whose names are not known beforehand.
func (a *auditor) walkKeys(ctx context.Context) error {
	cursor := uint64(0)
	for {
		var found *redis.ScanCmd
		err := a.pipe(ctx, false, func(p pipeliner) { found = p.Scan(ctx, cursor, a.keys.prefix+"*", 1000) })
		if err != nil {
			return err
		}
		names, next := found.Val()
		for chunk := range slices.Chunk(names, auditBatch) {
			if err := a.judgeKeys(ctx, chunk); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// judgeKeys judges keys by their names, types and time to live.
func (a *auditor) judgeKeys(ctx context.Context, names []string) error {
	types, ttls := map[string]*redis.StatusCmd{}, map[string]*redis.DurationCmd{}
	texts, registered := map[string]*redis.StringCmd{}, map[string]*redis.FloatCmd{}
	err := a.pipe(ctx, true, func(p pipeliner) {
		for _, name := range names {
			types[name], ttls[name] = p.Type(ctx, name), p.PTTL(ctx, name)
			if worker, ok := strings.CutPrefix(name, a.keys.heartbeat("")); ok {
				registered[name] = p.ZScore(ctx, a.keys.workers(), worker)
			} else if strings.HasPrefix(name, a.keys.idempotency("")) || strings.HasPrefix(name, a.keys.uniqueFor("")) {
				texts[name] = p.GetRange(ctx, name, 0, auditedText)
			}
		}
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		kind, forever := types[name].Val(), ttls[name].Val() == -1
		if kind == "none" || a.keys.types()[name] != "" {
			continue
		}
		list, isList := strings.CutPrefix(name, a.keys.processing(""))
		heart, isHeart := strings.CutPrefix(name, a.keys.heartbeat(""))
		switch {
		case isList:
			a.wrongType(name, kind, "list")
			a.workers[list] = false
		case isHeart:
			if !a.wrongType(name, kind, "string") {
				a.judgeHeartbeat(name, heart, forever, registered[name].Err() == nil)
			}
		case strings.HasPrefix(name, a.keys.control("")):
			if kind != "list" || forever {
				a.find(Finding{Code: "control-malformed", Key: name, Detail: "it is a " + kind + "; it should be a list with a TTL"})
			}
		case strings.HasPrefix(name, a.keys.idempotency("")):
			a.judgeIdempotency(name, kind, forever, texts[name].Val())
		case strings.HasPrefix(name, a.keys.uniqueFor("")):
			a.judgeUniqueFor(name, kind, forever, texts[name].Val())
		default:
			a.find(Finding{Code: "key-unknown", Key: name, Detail: "a " + kind + " that is no part of a queue"})
		}
	}
	return nil
}

func (a *auditor) judgeHeartbeat(name, worker string, forever, registered bool) {
	switch {
	case !registered:
		a.find(Finding{Code: "heartbeat-unregistered", Key: name, ID: worker, subject: worker, Detail: "the worker is not registered: its heartbeat says nothing"})
	case forever:
		a.find(Finding{Code: "heartbeat-without-ttl", Key: name, ID: worker, subject: worker, unfixable: a.ttl <= 0,
			Detail: "it never runs out: when the worker dies nobody takes its jobs back"})
	}
}

// walkWorkers reads who is registered. A worker that is long overdue, although somebody looks for such, is a finding.
func (a *auditor) walkWorkers(ctx context.Context) error {
	var clock *redis.TimeCmd
	var meta *redis.SliceCmd
	err := a.pipe(ctx, false, func(p pipeliner) {
		clock, meta = p.Time(ctx), p.HMGet(ctx, a.keys.meta(), "interval", "window_start", "window_seen")
	})
	if err != nil {
		return err
	}
	var ms [3]int64
	for i, v := range meta.Val() {
		text, _ := v.(string)
		ms[i] = millis(text)
	}
	now, long := clock.Val().UnixMilli(), time.Hour.Milliseconds()
	watched := ms[1] > 0 && ms[1] < now-long && now-ms[2] < ms[0]*3/2
	for w := range a.workers {
		a.workers[w] = false
	}
	return a.scan(ctx, "ZSCAN", a.keys.workers(), func(pairs []string) error {
		for i := 0; i < len(pairs); i += 2 {
			worker, expiry := pairs[i], millis(pairs[i+1])
			a.workers[worker] = true
			if expiry > now+max(a.ttl, long)+long {
				a.find(Finding{Code: "worker-never-overdue", Key: a.keys.workers(), ID: worker, subject: worker, value: pairs[i+1],
					Detail: "its heartbeat is said to run out at " + pairs[i+1] + ": nobody will look after its jobs"})
			} else if watched && expiry < now-long {
				a.find(Finding{Code: "worker-not-reaped", Key: a.keys.workers(), ID: worker,
					Detail: fmt.Sprintf("overdue for %s, and nobody has taken its jobs back", (time.Duration(now-expiry) * time.Millisecond).Round(time.Minute))})
			}
		}
		return nil
	})
}

// tally reads how many there are of everything, and compares the counters with that.
func (a *auditor) tally(ctx context.Context) error {
	err := a.scan(ctx, "HSCAN", a.keys.stats(), func(pairs []string) error {
		for i := 0; i < len(pairs); i += 2 {
			if n, err := strconv.ParseInt(pairs[i+1], 10, 64); err != nil || n < 0 && pairs[i] != "adjusted" {
				a.find(Finding{Code: "counter-malformed", Key: a.keys.stats(), ID: pairs[i], subject: pairs[i], value: pairs[i+1], Detail: fmt.Sprintf("%q is not a count", clip(pairs[i+1]))})
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	v, err := a.wholeView(ctx, "totals", nil)
	if err != nil {
		return err
	}
	n := make([]int64, len(v.words))
	for i, w := range v.words {
		n[i] = millis(w)
	}
	r := &a.report
	r.Jobs, r.Scheduled, r.Dead, r.Done, r.Processing, r.Workers = int(n[0]), int(n[1]), int(n[2]), int(n[3]), int(n[4]), int(n[5])
	if n[6] > 1 {
		a.find(Finding{Code: "wake-tokens", Key: a.keys.wake(), Detail: fmt.Sprintf("%d tokens, and there is never more than one", n[6])})
	}
	a.judgeCounters(n[0]-n[3], n[7:])
	return nil
}
