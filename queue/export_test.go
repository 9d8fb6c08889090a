package queue

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

// What tests outside the package look at.

// Tests say by Options.Timeout when they mean a lost reply; else a machine may take its time.
func init() { exchangeTimeout = time.Minute }

var DecodeJob = decodeJob

// Waiting is how many jobs wait for the next flush, and how many flushes are under way.
func (c *Client) Waiting() (waiting, flushing int) {
	for _, l := range c.lanes.all() {
		l.combine.mu.Lock()
		waiting += len(l.combine.waiting)
		if l.combine.flushing {
			flushing++
		}
		l.combine.mu.Unlock()
	}
	return waiting, flushing
}

// AuditCodes are the codes of all findings.
func AuditCodes() []string { return slices.Sorted(maps.Keys(verdicts)) }

// LookAt runs the script audit in each of its modes, and gives its error as it is.
func (c *Client) LookAt(ctx context.Context, queue, worker string, ids ...string) error {
	a := newAuditor(c, queue, AuditOptions{})
	var errs []error
	for _, mode := range []string{"ids", "records", "totals"} {
		_, err := a.look(ctx, mode, []string{worker}, ids)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Repair runs the script repair on one id, with the list of one worker, and returns its reply.
func (c *Client) Repair(ctx context.Context, queue, id, worker string) ([]string, error) {
	return c.askOne(ctx, repairCall(keysOf(queue), id, "", []string{worker}))
}

// Tidy runs the script tidy, and returns its reply.
func (c *Client) Tidy(ctx context.Context, queue, what, name, value string) ([]string, error) {
	return c.askOne(ctx, tidyCall(keysOf(queue), &Finding{Code: what, subject: name, value: value}))
}
