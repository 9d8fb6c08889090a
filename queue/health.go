package queue

import (
	"context"
	"fmt"
	"strings"
)

// Problem is one reason why this Redis cannot be relied on now.
type Problem struct {
	Code   string `json:"code"` // redis-unavailable, redis-loading, redis-read-only, redis-evicting
	Reason string `json:"reason"`
}

// Health asks Redis how it is. No problem means that it answers, takes writes, and evicts nothing. It returns when ctx ends.
func (c *Client) Health(ctx context.Context) []Problem {
	if err := c.ask.Ping(ctx).Err(); err != nil {
		return []Problem{{"redis-unavailable", classify(err, false).Error()}}
	}
	var problems []Problem
	info := c.info(ctx, "memory", "replication", "persistence")
	if info["loading"] == "1" {
		problems = append(problems, Problem{"redis-loading", "Redis is loading its data"})
	}
	if info["role"] == "slave" {
		problems = append(problems, Problem{"redis-read-only", "Redis is a replica and takes no writes: point REDIS_URL at the primary"})
	}
	if policy := info["maxmemory_policy"]; policy != "" && policy != "noeviction" {
		problems = append(problems, Problem{"redis-evicting", fmt.Sprintf(
			"maxmemory-policy is %s: Redis may delete jobs when memory is short; run CONFIG SET maxmemory-policy noeviction", policy)})
	}
	return problems
}

// info reads sections of INFO. What this server does not have is absent.
func (c *Client) info(ctx context.Context, sections ...string) map[string]string {
	fields := map[string]string{}
	for _, section := range sections {
		text, err := c.ask.Info(ctx, section).Result()
		if err != nil {
			continue // the embedded Redis and some services lack sections
		}
		for _, row := range strings.Split(text, "\r\n") {
			if name, value, ok := strings.Cut(row, ":"); ok {
				fields[name] = value
			}
		}
	}
	return fields
}
