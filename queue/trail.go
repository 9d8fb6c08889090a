package queue

import (
	"context"
	"encoding/json"
	"time"

	"github.com/redis/go-redis/v9"
)

var trailScript = loadScript("trail")

// Deed is what somebody did by hand, as the audit trail keeps it.
type Deed struct {
	At     time.Time `json:"at"`               // by the clock of Redis; set by the script
	Who    string    `json:"who"`              // the subject of a token, or user@host of a command line; cut to 256 bytes
	Via    string    `json:"via"`              // api, ui or cli
	Verb   string    `json:"verb"`             // cancel, run, reschedule, edit, redrive, purge, pause, resume, quiet, stop
	Queue  string    `json:"queue"`            // where it is kept, too
	Target string    `json:"target,omitempty"` // id of the job or worker; of many jobs, the filter in words; cut to 512 bytes
	Jobs   int       `json:"jobs,omitempty"`   // to how many jobs it was done
}

// keptDeed is a deed in Redis, where times are Unix ms.
type keptDeed struct {
	At int64 `json:"at,omitempty"`
	*Deed
}

// mostDeeds is how many deeds a queue keeps; trail.lua says it, too.
const mostDeeds = 1000

// Record adds a deed to the trail of its queue, which keeps the last 1,000. ErrNoQueue; ErrInvalid for a word that is none in Via or Verb.
func (c *Client) Record(ctx context.Context, d Deed) error {
	if !isQueueName(d.Queue) {
		return errQueueName
	}
	for field, word := range map[string]string{"via": d.Via, "verb": d.Verb} {
		if !named(word, "-", 32) {
			return &InvalidError{field, "must match [a-z0-9-]{1,32}"}
		}
	}
	d.Who, d.Target = cut(d.Who, 256), cut(d.Target, 512)
	text, err := json.Marshal(keptDeed{Deed: &d})
	if err != nil {
		return err
	}
	if err := c.mustKnow(ctx, d.Queue); err != nil {
		return err
	}
	_, err = c.change(ctx, d.Queue, &call{script: trailScript, keys: []string{keysOf(d.Queue).trail()}, args: []any{text}})
	return err
}

// Trail returns the last deeds of a queue, the latest first, at most limit (1 to 1000). What another hand has left there and is no
// deed is left out.
func (c *Client) Trail(ctx context.Context, queue string, limit int) ([]Deed, error) {
	switch {
	case !isQueueName(queue):
		return nil, errQueueName
	case limit < 1 || limit > mostDeeds:
		return nil, &InvalidError{"limit", "must be between 1 and 1000"}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	key := keysOf(queue).trail()
	cmd := redis.NewStringSliceCmd(ctx, "LRANGE", key, 0, limit-1)
	c.ask.do(ctx, key, cmd)
	if err := cmd.Err(); err != nil {
		return nil, classify(err, false) // reads only
	}
	deeds := make([]Deed, 0, len(cmd.Val()))
	for _, text := range cmd.Val() {
		var d Deed
		kept := keptDeed{Deed: &d}
		if json.Unmarshal([]byte(text), &kept) == nil && d.Verb != "" {
			d.At, d.Queue = time.UnixMilli(kept.At), queue
			deeds = append(deeds, d)
		}
	}
	return deeds, nil
}
