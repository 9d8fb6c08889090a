package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Problem is one reason why this Redis cannot be relied on now.
type Problem struct {
	Code   string `json:"code"` // redis-unavailable, redis-loading, redis-read-only, redis-evicting
	Reason string `json:"reason"`
}

// Health asks Redis how it is. No problem means that it answers, takes writes, and evicts nothing. It returns when ctx ends.
func (c *Client) Health(ctx context.Context) []Problem {
	err := c.ask.Ping(ctx).Err()
	if err != nil && strings.HasPrefix(err.Error(), "LOADING") {
		return []Problem{{"redis-loading", "Redis is loading its data"}}
	}
	var info map[string]string
	if err == nil {
		info, err = c.info(ctx, "memory", "replication", "persistence")
	}
	if err != nil {
		return []Problem{{"redis-unavailable", classify(err, false).Error()}}
	}
	var problems []Problem
	if info["aof_last_write_status"] == "err" {
		problems = append(problems, Problem{"redis-read-only", "Redis cannot write its append-only file and refuses writes: look at its disk"})
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
