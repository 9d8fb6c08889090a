package redistest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Snapshot is all that a Redis has: key → its content (DUMP) and when it ends.
type Snapshot map[string]string

// TakeSnapshot reads every key. Nothing should write meanwhile.
func TakeSnapshot(t testing.TB, c *redis.Client) Snapshot {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), operation)
	defer cancel()
	keys, err := c.Keys(ctx, "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	pipe := c.Pipeline()
	contents, ends := make([]*redis.StringCmd, len(keys)), make([]*redis.DurationCmd, len(keys))
	for i, key := range keys {
		contents[i], ends[i] = pipe.Dump(ctx, key), pipe.PExpireTime(ctx, key)
	}
	if _, err := pipe.Exec(ctx); err != nil && len(keys) > 0 {
		t.Fatal(err)
	}
	all := Snapshot{}
	for i, key := range keys {
		all[key] = fmt.Sprint(contents[i].Val(), ends[i].Val())
	}
	return all
}

// Diff names the keys that are not the same in a later snapshot; "" if all are.
func (s Snapshot) Diff(later Snapshot) string {
	var all []string
	for key, value := range s {
		if now, there := later[key]; !there {
			all = append(all, "gone: "+key)
		} else if now != value {
			all = append(all, "changed: "+key)
		}
	}
	for key := range later {
		if _, there := s[key]; !there {
			all = append(all, "new: "+key)
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
