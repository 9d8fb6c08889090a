package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Problem is one reason why this Redis cannot be relied on now.
type Problem struct {
	// Code is redis-unavailable, redis-loading, redis-read-only, redis-no-replicas, redis-full,
	// redis-evicting, redis-not-permitted or redis-cannot-confirm.
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

// Health asks Redis how it is; of a Cluster, those nodes that serve the queues that this client has used. No problem means
// that it answers, takes writes, evicts nothing, and permits all that this package needs. It returns when ctx ends.
func (c *Client) Health(ctx context.Context) (problems []Problem) {
	asked, answers := map[*node]bool{}, false
	tell := func(more []Problem) {
		for _, p := range more {
			if !slices.Contains(problems, p) {
				problems = append(problems, p)
			}
		}
	}
	for _, queue := range c.used() {
		refused, known := told(c.touch(ctx, queue))
		if tell(refused); !known {
			continue
		}
		answers = true
		n, err := c.ask.nodeOf(ctx, keysOf(queue).scheduled())
		if err != nil {
			tell([]Problem{{"redis-unavailable", classify(err, false).Error()}})
		} else if !asked[n] {
			asked[n] = true
			tell(n.evicts(ctx))
		}
	}
	if !answers {
		return problems
	}
	queue := c.used()[0] // an ACL hardly tells one queue from another
	if last := c.asked.Load(); last != nil {
		queue = *last
	}
	if err := c.permitted(ctx, queue, "", allNeeds()); errors.Is(err, errNotPermitted) {
		problems = slices.DeleteFunc(problems, func(p Problem) bool { return p.Code == notPermitted }) // this one says more
		problems = append(problems, Problem{notPermitted, err.Error()})
	}
	if err := c.canConfirm(ctx, queue); errors.Is(err, errNotPermitted) {
		problems = append(problems, Problem{"redis-cannot-confirm", err.Error()})
	}
	return problems
}

// used are queues that this client has used, all of them where each may be on another node; else one will do. An ACL may know
// no other.
func (c *Client) used() []string {
	var queues []string
	c.known.Range(func(name, _ any) bool { queues = append(queues, name.(string)); return c.cluster != nil })
	if len(queues) == 0 {
		queues = []string{DefaultQueue}
	}
	return queues
}

// touch is a write that grows and changes nothing, for no job has that id: what Redis says to it, it would say to a job. INFO does
// not tell all of it, and CONFIG is often forbidden.
func (c *Client) touch(ctx context.Context, queue string) error {
	key := keysOf(queue).scheduled()
	cmd := redis.NewIntCmd(ctx, "ZADD", key, "XX", 0, "")
	c.ask.do(ctx, key, cmd)
	return cmd.Err()
}

// evicts asks one server whether it may delete jobs.
func (n *node) evicts(ctx context.Context) []Problem {
	info, err := n.info(ctx, "memory")
	if err != nil {
		return []Problem{{"redis-unavailable", classify(err, false).Error()}}
	}
	policy := info["maxmemory_policy"]
	if policy == "" || policy == "noeviction" {
		return nil
	}
	return []Problem{{"redis-evicting", fmt.Sprintf(
		"maxmemory-policy is %s: Redis may delete jobs when memory is short; run CONFIG SET maxmemory-policy noeviction", policy)}}
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
func (n *node) info(ctx context.Context, sections ...string) (map[string]string, error) {
	fields := map[string]string{}
	for _, section := range sections {
		text, err := n.Info(ctx, section).Result()
		var answer redis.Error
		if errors.As(err, &answer) {
			continue // the embedded Redis and some services lack sections
		}
		if err != nil {
			return nil, err
		}
		maps.Copy(fields, fieldsOf(text))
	}
	return fields, nil
}

// fieldsOf takes the reply to INFO apart.
func fieldsOf(text string) map[string]string {
	fields := map[string]string{}
	for _, row := range strings.Split(text, "\r\n") {
		if name, value, ok := strings.Cut(row, ":"); ok {
			fields[name] = value
		}
	}
	return fields
}
