package queue

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// KeyInUse is a key of Redis with something in it.
type KeyInUse struct {
	Key  string
	Type string // hash, zset, set, list or string
	Size int64  // how many elements it has; of a string 1
	What string // what is in it, for people
	Read string // the command that reads it, or its beginning, as one types it behind redis-cli
}

// whatKeys says what is in each key, by its name behind that of the queue, up to the worker or hash.
var whatKeys = map[string]string{
	"jobs": "every job as one line of JSON, by its id", "scheduled": "ids of jobs that wait, by due time in ms", "dead": "ids of dead jobs, by time of death in ms",
	"done": "ids of jobs that are done, by the time they may be forgotten", "attempts": "attempts begun, by the id of the job",
	"errors": "the last failures as JSON, by the id of the job", "workers": "ids of workers, by the time in ms at which their heartbeat runs out",
	"wake": "at most one token: someone look again", "stats": "counters", "meta": "layout, timing of heartbeats, who keeps time, paused, orders to workers",
	"unique": "the job that holds a unique key, by the key", "cancelled": "ids of running jobs that are being cancelled",
	"groups":      "how many jobs died of what, as JSON, by the id of the group",
	"minutes":     "by how much counters grew in each minute of the last day: the minute since 1970, then name=growth",
	"trail":       "what people did by hand as JSON, the latest first",
	"processing":  "what this worker has claimed, as <claim number>:<job id>",
	"heartbeat":   "which worker lives, as JSON; it runs out if not renewed",
	"control":     "at most one token: send a heartbeat now",
	"idempotency": "the job that a repeated request gets, as JSON; it runs out",
	"uniquefor":   "the job that holds a unique key for a fixed time; it runs out",
}

// KeysInUse lists the keys of a queue in which something is, in the order of their names.
// Of those that there are of each worker and of each request it lists most of a kind; more: there are others. It reads the length of
// each only, and looks for the keys of requests among the first 100,000 keys of Redis, if SCAN is permitted.
func (c *Client) KeysInUse(ctx context.Context, queue string, most int) (keys []KeyInUse, more bool, err error) {
	if !isQueueName(queue) {
		return nil, false, errQueueName
	}
	k := keysOf(queue)
	all := k.types()
	workers, err := c.registry(ctx, k)
	if err != nil {
		return nil, false, err
	}
	more = len(workers) > most
	for _, w := range workers[:min(len(workers), most)] {
		all[k.processing(w)], all[k.heartbeat(w)], all[k.control(w)] = "list", "string", "list"
	}
	requests, further, err := c.keysOfRequests(ctx, k, most)
	if err != nil {
		return nil, false, err
	}
	for _, key := range requests {
		all[key] = "string"
	}
	names := slices.Sorted(maps.Keys(all))
	for some := range slices.Chunk(names, listsAtOnce) {
		used, err := c.lengths(ctx, k, some, all)
		if err != nil {
			return nil, false, err
		}
		keys = append(keys, used...)
	}
	return keys, more || further, nil
}

// lengthBy is the command that tells how much is in a key of a type.
var lengthBy = map[string]string{"hash": "HLEN", "zset": "ZCARD", "set": "SCARD", "list": "LLEN", "string": "EXISTS"}

func (c *Client) lengths(ctx context.Context, k keys, names []string, types map[string]string) (used []KeyInUse, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	cmds := make([]redis.Cmder, len(names))
	for i, name := range names {
		cmds[i] = redis.NewIntCmd(ctx, lengthBy[types[name]], name)
	}
	c.ask.do(ctx, k.meta(), cmds...)
	for i, name := range names {
		kind, _, _ := strings.Cut(strings.TrimPrefix(name, k.prefix), ":")
		u := KeyInUse{Key: name, Type: types[name], Size: cmds[i].(*redis.IntCmd).Val(), What: whatKeys[kind], Read: readOf(name, types[name], kind)}
		err := cmds[i].Err()
		if err != nil && strings.HasPrefix(err.Error(), "WRONGTYPE") {
			u.What, u.Read = "another hand has made it of another type: run punctual audit", "TYPE "+quoted(name)
		} else if err != nil {
			return nil, classify(err, false) // reads only
		} else if u.Size == 0 {
			continue
		}
		used = append(used, u)
	}
	return used, nil
}

// ReadCommands are what one types behind redis-cli to see all that Redis knows of a job, each a line for a shell.
func ReadCommands(i Info) []string {
	k, id := keysOf(i.Queue), quoted(i.ID)
	lines := []string{"HGET " + quoted(k.jobs()) + " " + id}
	switch {
	case i.State == Processing && i.Worker != "":
		lines = append(lines, "LRANGE "+quoted(k.processing(i.Worker))+" 0 -1")
	case i.State != Processing:
		place := map[State]string{Scheduled: k.scheduled(), Dead: k.dead(), Done: k.done()}[i.State]
		lines = append(lines, "ZSCORE "+quoted(place)+" "+id)
	}
	if i.Attempts > 0 {
		lines = append(lines, "HGET "+quoted(k.attempts())+" "+id)
	}
	if len(i.Failures) > 0 {
		lines = append(lines, "HGET "+quoted(k.errors())+" "+id)
	}
	return lines
}

// readOf is the command that reads a key, bounded where it may be long.
func readOf(name, kind, what string) string {
	name = quoted(name)
	switch {
	case what == "stats" || what == "meta":
		return "HGETALL " + name
	case kind == "hash":
		return "HSCAN " + name + " 0 COUNT 10"
	case kind == "zset":
		return "ZRANGE " + name + " 0 9 WITHSCORES"
	case kind == "set":
		return "SSCAN " + name + " 0 COUNT 10"
	case kind == "list":
		return "LRANGE " + name + " 0 9"
	}
	return "GET " + name
}

// quoted is a word for a shell: names have braces, and a worker of another hand may be called anything.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// keysOfRequests looks for most keys of idempotency and as many of unique keys for a fixed time.
func (c *Client) keysOfRequests(ctx context.Context, k keys, most int) (found []string, more bool, err error) {
	for _, pattern := range []string{k.idempotency("*"), k.uniqueFor("*")} {
		cursor, some := uint64(0), []string(nil)
		for range 100 {
			one, cancel := context.WithTimeout(ctx, c.timeout)
			cmd := redis.NewScanCmd(one, nil, "SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
			c.ask.do(one, k.meta(), cmd)
			cancel()
			var keys []string
			var answer redis.Error
			if keys, cursor, err = cmd.Result(); errors.As(err, &answer) {
				return nil, false, nil // it is not permitted
			} else if err != nil {
				return nil, false, classify(err, false) // reads only
			}
			if some = append(some, keys...); cursor == 0 || len(some) > most {
				break
			}
		}
		slices.Sort(some)
		some = slices.Compact(some) // SCAN may tell of a key twice
		more = more || cursor != 0 || len(some) > most
		found = append(found, some[:min(len(some), most)]...)
	}
	return found, more, nil
}
