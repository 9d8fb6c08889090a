package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Problem is one reason why this Redis cannot be relied on now.
type Problem struct {
	// Code is redis-unavailable, redis-loading, redis-read-only, redis-no-replicas, redis-full,
	// redis-evicting or redis-not-permitted.
	Code   string `json:"code"`
	Reason string `json:"reason"`
}

const notPermitted = "redis-not-permitted"

// refusals are the problems that Redis tells of by the first word of its refusal.
var refusals = map[string]Problem{
	"LOADING":    {"redis-loading", "Redis is loading its data"},
	"READONLY":   {"redis-read-only", "Redis is a replica and takes no writes: point REDIS_URL at the primary"},
	"MISCONF":    {"redis-read-only", "Redis cannot write to its disk and refuses writes: look at its disk and its log"},
	"NOREPLICAS": {"redis-no-replicas", "Redis has fewer replicas than its min-replicas-to-write and refuses writes: look at its replicas"},
	"NOPERM":     {notPermitted, "the user of Redis lacks permissions"},
	"OOM":        {"redis-full", "Redis is at maxmemory and takes no new jobs; settling jobs makes room, or raise maxmemory"},
}

// Health asks Redis how it is. No problem means that it answers, takes writes, evicts nothing, and permits all that this
// package needs. It returns when ctx ends.
func (c *Client) Health(ctx context.Context) []Problem {
	problems, known := told(c.touch(ctx))
	if !known {
		return problems
	}
	info, err := c.info(ctx, "memory")
	if err != nil {
		return []Problem{{"redis-unavailable", classify(err, false).Error()}}
	}
	if policy := info["maxmemory_policy"]; policy != "" && policy != "noeviction" {
		problems = append(problems, Problem{"redis-evicting", fmt.Sprintf(
			"maxmemory-policy is %s: Redis may delete jobs when memory is short; run CONFIG SET maxmemory-policy noeviction", policy)})
	}
	queue := DefaultQueue // an ACL hardly tells one queue from another
	if asked := c.asked.Load(); asked != nil {
		queue = *asked
	}
	if err := c.permitted(ctx, queue, "", allNeeds()); errors.Is(err, errNotPermitted) {
		problems = slices.DeleteFunc(problems, func(p Problem) bool { return p.Code == notPermitted }) // this one says more
		problems = append(problems, Problem{notPermitted, err.Error()})
	}
	return problems
}

// touch is a write that grows and changes nothing, for no job has that id: what Redis says to it, it would say to a job. INFO does
// not tell all of it, and CONFIG is often forbidden.
func (c *Client) touch(ctx context.Context) error {
	queue := DefaultQueue
	c.known.Range(func(name, _ any) bool { queue = name.(string); return false }) // an ACL may know no other
	return c.ask.ZAddXX(ctx, keysOf(queue).scheduled(), redis.Z{}).Err()
}

// told are the problems that a refusal tells of. known: Redis would still answer what reads.
func told(err error) (problems []Problem, known bool) {
	if err == nil {
		return nil, true
	}
	word, _, _ := strings.Cut(err.Error(), " ")
	if p, ok := refusals[word]; ok {
		return []Problem{p}, word != "LOADING"
	}
	return []Problem{{"redis-unavailable", classify(err, false).Error()}}, false
}

// info reads sections of INFO. What this server does not have is absent.
func (c *Client) info(ctx context.Context, sections ...string) (map[string]string, error) {
	fields := map[string]string{}
	for _, section := range sections {
		text, err := c.ask.Info(ctx, section).Result()
		var answer redis.Error
		if errors.As(err, &answer) {
			continue // the embedded Redis and some services lack sections
		}
		if err != nil {
			return nil, err
		}
		for _, row := range strings.Split(text, "\r\n") {
			if name, value, ok := strings.Cut(row, ":"); ok {
				fields[name] = value
			}
		}
	}
	return fields, nil
}
