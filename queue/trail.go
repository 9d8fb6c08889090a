package queue

import (
	"context"
	"errors"
	"time"
)

// Deed is what somebody did by hand, as the audit trail keeps it.
type Deed struct {
	At     time.Time `json:"at"`               // by the clock of Redis; set by the script
	Who    string    `json:"who"`              // the subject of a token, or user@host of a command line
	Via    string    `json:"via"`              // api, ui or cli
	Verb   string    `json:"verb"`             // cancel, run, reschedule, edit, redrive, purge, pause, resume, quiet, stop
	Queue  string    `json:"queue"`            // where it is kept, too
	Target string    `json:"target,omitempty"` // id of the job or worker; of many jobs, the filter in words
	Jobs   int       `json:"jobs,omitempty"`   // to how many jobs it was done
}

// Record adds a deed to the trail of its queue, which keeps the last 1,000.
func (c *Client) Record(ctx context.Context, d Deed) error { return errors.New("not built yet") }

// Trail returns the last deeds of a queue, the latest first, at most limit (1 to 1000).
func (c *Client) Trail(ctx context.Context, queue string, limit int) ([]Deed, error) {
	return nil, errors.New("not built yet")
}
