package queue

import (
	"context"
	"encoding/json"
)

// Changes of a job that waits; nil leaves as it is.
type Changes struct {
	Payload  json.RawMessage    // JSON null removes it
	MaxRetry *int               // 0 means none
	Metadata *map[string]string // replaces all
}

// Edit changes a scheduled job and returns it as it is then. ErrNotFound; *StateError unless it is scheduled; ErrInvalid.
func (c *Client) Edit(ctx context.Context, queue, id string, change Changes) (Info, error) {
	return Info{}, errNotBuilt
}
