package api

import (
	"context"
	"errors"
	"fmt"
)

// record adds what a verb has done to the audit trail. What is done stays done if that fails, and the
// client is not told: the log is.
func (g *gate) record(c *call) {
	d := c.deed
	d.Who, d.Via, d.Verb = c.caller.subject, "api", c.entry.route.verb
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), queueTimeout) // of its own: the verb may have taken all of the request's
	defer cancel()
	err := errors.New("the queue of the worker is not known")
	if d.Queue != "" {
		err = g.trail.Record(ctx, d)
	}
	if err != nil {
		c.entry.err = fmt.Errorf("audit trail: %s is not recorded: %w", d.Verb, err)
	}
}
