package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

var permitScript = loadScript("permit")

// RedisCommands returns, sorted and in small letters, the commands that workers and the API process need of Redis: what an ACL must
// permit on the keys punctual:*. An audit needs more, Options.EnqueueWait also WAIT or WAITAOF. Beside
// what a connection needs for itself (AUTH, SELECT) it uses no others.
func RedisCommands() []string {
	all := []string{"eval", "evalsha", "ping", "info", "sadd", "smembers", "blpop", "hget", "hmget", "zrange", "get", "time", "sismember", "llen", "zscore"}
	for _, n := range allNeeds() {
		all = append(all, strings.ToLower(n.command))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// need is a command that a script runs, and what the script calls its key; "" for none.
type need struct{ command, key string }

// Scripts give a key the name that it has in Redis, up to the worker's id.
var needed = regexp.MustCompile(`redis\.call\('([A-Z]+)'(?:, (\w+))?`)

// needsOf reads from the scripts what they do, each thing once.
func needsOf(names ...string) (all []need) {
	seen := map[need]bool{}
	slices.Sort(names)
	for _, name := range names {
		for _, found := range needed.FindAllStringSubmatch(loaded[name].source, -1) {
			if n := (need{found[1], found[2]}); !seen[n] {
				seen[n] = true
				all = append(all, n)
			}
		}
	}
	return all
}

// forPeople are the scripts that only the audit and Forget run, as a user who may do more.
func forPeople(name string) bool {
	return slices.Contains([]string{"audit", "forget", "repair", "tidy"}, name)
}

// enqueueNeeds is what those need who only enqueue; allNeeds what everyone else does.
var (
	enqueueNeeds = sync.OnceValue(func() []need { return needsOf(enqueueScript.name) })
	allNeeds     = sync.OnceValue(func() []need { return needsOf(slices.DeleteFunc(slices.Collect(maps.Keys(loaded)), forPeople)...) })
)

// permitCall asks for needs, for a worker or, where these concern none, for "".
func permitCall(k keys, worker string, needs []need) *call {
	x := &call{script: permitScript}
	place := map[string]int{"": 0}
	for _, n := range needs {
		if _, known := place[n.key]; !known {
			key := k.prefix + n.key
			switch n.key {
			case "place": // scheduled, dead or done
				key = k.scheduled()
			case "processing", "heartbeat", "control":
				key += ":" + worker
			case "idempotency", "uniquefor":
				key += ":" // and a hash
			}
			x.keys = append(x.keys, key)
			place[n.key] = len(x.keys)
		}
		x.args = append(x.args, n.command, place[n.key])
	}
	return x
}

// errNotPermitted tells one queue's refusal from a Redis that is away. It always comes with ErrUnavailable.
var errNotPermitted = errors.New("its user lacks permissions")

// permitted is nil if Redis permits its user what is needed in a queue, or cannot tell. Else the error names what is missing.
func (c *Client) permitted(ctx context.Context, queue, worker string, needs []need) error {
	c.asked.Store(&queue)
	x := permitCall(keysOf(queue), worker, needs)
	c.ask.run(ctx, x)
	words, err := x.cmd.Val(), x.cmd.Err()
	switch {
	case err != nil && strings.HasPrefix(err.Error(), "NOPERM"):
		return fmt.Errorf("%w: %w: it answers %q", ErrUnavailable, errNotPermitted, err.Error())
	case err != nil:
		return classify(err, false) // it only reads
	case len(words) == 3:
		return fmt.Errorf("%w: %w: grant it %s on %s (ACL SETUSER)", ErrUnavailable, errNotPermitted, words[1], cmp.Or(words[2], "any key"))
	}
	return nil
}

// change runs a script that writes and is neither a worker's nor an enqueue, after making sure, once a queue, that Redis permits
// all that scripts do.
func (c *Client) change(ctx context.Context, queue string, x *call) ([]string, error) {
	if _, asked := c.mayChange.Load(queue); !asked {
		ctx, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		if err := c.permitted(ctx, queue, "", allNeeds()); err != nil {
			return nil, err
		}
		c.mayChange.Store(queue, true)
	}
	return c.askOne(ctx, x)
}
