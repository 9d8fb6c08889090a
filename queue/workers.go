package queue

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Workers returns what the heartbeats of the living workers of this queue tell. Reads only.
func (l *Link) Workers(ctx context.Context) ([]WorkerInfo, error) {
	key := l.keys.workers()
	list := redis.NewStringSliceCmd(ctx, "ZRANGE", key, 0, -1)
	l.beat.do(ctx, key, list)
	ids, err := list.Result()
	if err != nil || len(ids) == 0 {
		return nil, classify(err, true)
	}
	beats, cmds := make([]*redis.StringCmd, len(ids)), make([]redis.Cmder, len(ids))
	for i, id := range ids {
		beats[i] = redis.NewStringCmd(ctx, "GET", l.keys.heartbeat(id))
		cmds[i] = beats[i]
	}
	l.beat.do(ctx, key, cmds...) // a missing key is a dead worker
	var living []WorkerInfo
	for i, id := range ids {
		w := WorkerInfo{ID: id}
		text, err := beats[i].Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, classify(err, true)
		}
		if err == nil && json.Unmarshal([]byte(text), &w) == nil {
			living = append(living, w)
		}
	}
	return living, nil
}

// WorkerState is a registered worker as others see it. A process that works on several queues is a worker of each, under an id of each.
type WorkerState struct {
	WorkerInfo
	Queue      string
	Processing int       // jobs in hand
	LastBeat   time.Time // its last heartbeat, by the clock of Redis; zero if nobody knows the TTL
	Living     bool      // its heartbeat has not run out
	Order      string    // "", OrderQuiet or OrderStop: what it was told
}

// State is what a worker does, in a word: "dead" (its heartbeat has run out), "stuck" (some of its handlers go on though their
// contexts have ended, whatever it was told since), "stopping" or "quiet" (as it was told), or "living".
func (w WorkerState) State() string {
	switch {
	case !w.Living:
		return "dead"
	case w.Stuck > 0:
		return "stuck"
	case w.Order == OrderStop:
		return "stopping"
	case w.Order == OrderQuiet:
		return "quiet"
	}
	return "living"
}

// Builds are the builds of the workers that live, each once and in order: more than one run side by side.
func Builds(workers []WorkerState) []string {
	var builds []string
	for _, w := range workers {
		if w.Living {
			builds = append(builds, w.Build)
		}
	}
	slices.Sort(builds)
	return slices.Compact(builds)
}

// Workers returns the registered workers of all queues, by queue and id, also those whose heartbeat has run out and whose jobs
// nobody has taken back yet: of these little more than the id is known. It reads each queue at an instant of its own.
func (c *Client) Workers(ctx context.Context) ([]WorkerState, error) {
	queues, err := c.Queues(ctx)
	if err != nil {
		return nil, err
	}
	slices.Sort(queues)
	found := make([][]WorkerState, len(queues))
	err = eachOf(queues, func(i int, queue string) (err error) {
		found[i], err = c.workersOf(ctx, queue)
		return err
	})
	if err != nil {
		return nil, err
	}
	return slices.Concat(found...), nil
}

// eachOf asks about all queues, some at a time: with many of them, one after the other would take as many round trips. It returns
// the first error.
func eachOf(queues []string, ask func(i int, queue string) error) error {
	var next atomic.Int64
	var asking sync.WaitGroup
	var once sync.Once
	var failed error
	for range min(8, len(queues)) {
		asking.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(queues); i = int(next.Add(1)) - 1 {
				if err := ask(i, queues[i]); err != nil {
					once.Do(func() { failed = err })
					next.Store(int64(len(queues))) // the others would be asked in vain
				}
			}
		})
	}
	asking.Wait()
	return failed
}

func (c *Client) workersOf(ctx context.Context, queue string) ([]WorkerState, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	k := keysOf(queue)
	registry := redis.NewZSliceCmd(ctx, "ZRANGE", k.workers(), 0, -1, "WITHSCORES")
	c.ask.do(ctx, k.workers(), registry)
	if err := registry.Err(); err != nil || len(registry.Val()) == 0 {
		return nil, classify(err, false) // reads only
	}
	var all []WorkerState
	var infos []*redis.StringCmd
	var lists []*redis.IntCmd
	var cmds []redis.Cmder
	asked := []string{"ttl"}
	for _, z := range registry.Val() {
		id, _ := z.Member.(string)
		all = append(all, WorkerState{WorkerInfo: WorkerInfo{ID: id}, Queue: queue, LastBeat: time.UnixMilli(int64(z.Score))})
		infos = append(infos, redis.NewStringCmd(ctx, "GET", k.heartbeat(id)))
		lists = append(lists, redis.NewIntCmd(ctx, "LLEN", k.processing(id)))
		cmds = append(cmds, infos[len(infos)-1], lists[len(lists)-1])
		asked = append(asked, orderField(id))
	}
	meta := redis.NewSliceCmd(ctx, fields("HMGET", k.meta(), asked)...)
	c.ask.do(ctx, k.workers(), append(cmds, meta)...)
	for _, cmd := range append(cmds, meta) {
		if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return nil, classify(err, false)
		}
	}
	ttl, _ := meta.Val()[0].(string)
	for i := range all {
		w := &all[i]
		if w.LastBeat = w.LastBeat.Add(-time.Duration(millis(ttl)) * time.Millisecond); ttl == "" {
			w.LastBeat = time.Time{}
		}
		w.Living = infos[i].Err() == nil && json.Unmarshal([]byte(infos[i].Val()), &w.WorkerInfo) == nil
		w.Processing = int(lists[i].Val())
		if w.Order, _ = meta.Val()[1+i].(string); w.Quiet {
			w.Order = cmp.Or(w.Order, OrderQuiet)
		}
	}
	slices.SortFunc(all, func(a, b WorkerState) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// splitElement takes a list element apart. A foreign one has number -1 and is its own id.
func splitElement(element string) (number int64, id string) {
	digits, id, ok := strings.Cut(element, ":")
	number, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || number < 0 {
		return -1, element
	}
	return number, id
}

// ClaimNumber returns the number of the claim that put an element on its list, -1 for a foreign element.
func ClaimNumber(element string) int64 {
	number, _ := splitElement(element)
	return number
}
