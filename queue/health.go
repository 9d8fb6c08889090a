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

// Health asks Redis how it is; of a Cluster, those nodes that serve the queues that this client has used. No problem means
// that it answers, takes writes, and evicts nothing. It returns when ctx ends.
func (c *Client) Health(ctx context.Context) []Problem {
	if c.cluster == nil {
		return c.healthOf(ctx, c.ask.only)
	}
	nodes, err := c.serving(ctx)
	if err != nil {
		return []Problem{problemOf(err)}
	}
	var problems []Problem
	for addr, n := range nodes {
		for _, p := range c.healthOf(ctx, n) {
			problems = append(problems, Problem{p.Code, p.Reason + " (node " + addr + ")"})
		}
	}
	return problems
}

// serving reads a key of each queue that this client has used, which shows that its slot is served, and by which node.
func (c *Client) serving(ctx context.Context) (map[string]*node, error) {
	keys := []string{keyQueues}
	c.known.Range(func(name, _ any) bool {
		keys = append(keys, keysOf(name.(string)).meta())
		return true
	})
	nodes := map[string]*node{}
	for _, key := range keys {
		cmd := redis.NewStatusCmd(ctx, "TYPE", key)
		c.ask.do(ctx, key, cmd)
		if err := cmd.Err(); err != nil {
			return nil, err
		}
		addr := c.cluster.known(slotOf(key))
		n, err := c.ask.at(addr)
		if err != nil {
			return nil, err
		}
		nodes[addr] = n
	}
	return nodes, nil
}

func problemOf(err error) Problem {
	if strings.HasPrefix(err.Error(), "LOADING") {
		return Problem{"redis-loading", "Redis is loading its data"}
	}
	return Problem{"redis-unavailable", classify(err, false).Error()}
}

// healthOf asks one server.
func (c *Client) healthOf(ctx context.Context, n *node) []Problem {
	err := n.Ping(ctx).Err()
	var info map[string]string
	if err == nil {
		info, err = n.info(ctx, "memory", "replication", "persistence")
	}
	if err != nil {
		n.learn(err)
		return []Problem{problemOf(err)}
	}
	var problems []Problem
	if info["aof_last_write_status"] == "err" {
		problems = append(problems, Problem{"redis-read-only", "Redis cannot write its append-only file and refuses writes: look at its disk"})
	}
	if info["role"] == "slave" {
		n.leave()
		problems = append(problems, Problem{"redis-read-only", "Redis is a replica and takes no writes: point REDIS_URL at the primary"})
	}
	if policy := info["maxmemory_policy"]; policy != "" && policy != "noeviction" {
		problems = append(problems, Problem{"redis-evicting", fmt.Sprintf(
			"maxmemory-policy is %s: Redis may delete jobs when memory is short; run CONFIG SET maxmemory-policy noeviction", policy)})
	}
	return problems
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
		for _, row := range strings.Split(text, "\r\n") {
			if name, value, ok := strings.Cut(row, ":"); ok {
				fields[name] = value
			}
		}
	}
	return fields, nil
}
