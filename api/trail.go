package api

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// lastWords is how long the trail may take when the time of a request is over: the answer still comes within a second.
const lastWords = 150 * time.Millisecond

// record adds what a verb has done to the audit trail. What is done stays done if that fails, and the
// client is not told: the log is.
func (g *gate) record(c *call) {
	d := c.deed
	d.Who, d.Via, d.Verb = c.caller.subject, "api", c.entry.route.verb
	until := time.Now().Add(lastWords) // the verb may have taken all of the request's time
	if c.until.After(until) {
		until = c.until
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(c.r.Context()), until)
	defer cancel()
	err := errors.New("the queue of the worker is not known")
	if d.Queue != "" {
		err = g.trail.Record(ctx, d)
	}
	if err != nil {
		c.entry.err = fmt.Errorf("audit trail: %s is not recorded: %w", d.Verb, err)
	}
}
