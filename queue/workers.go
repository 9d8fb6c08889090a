package queue

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

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
