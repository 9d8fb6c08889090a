package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/punctualq/punctual/queue"
)

// bulk is what the command line says of a verb for many jobs.
type bulk struct {
	verb, did  string // redrive, redriven
	filter     queue.Filter
	state      string
	olderThan  lasting
	limit      int
	yes, json  bool
	do         func(*session) func(context.Context, string, queue.Filter) (queue.Moved, error)
	moved      queue.Moved
	lastShown  time.Time
	shownWidth int
}

func (d *desk) queuesRedriveCommand() *cobra.Command {
	b := &bulk{verb: "redrive", did: "redriven", state: string(queue.Dead)}
	b.do = func(s *session) func(context.Context, string, queue.Filter) (queue.Moved, error) { return s.RedriveAll }
	return b.command(d, "Bring the dead jobs of a queue back: due now, with all their attempts before them")
}

func (d *desk) queuesPurgeCommand() *cobra.Command {
	b := &bulk{verb: "purge", did: "purged"}
	b.do = func(s *session) func(context.Context, string, queue.Filter) (queue.Moved, error) { return s.PurgeAll }
	c := b.command(d, "Drop jobs of a queue for good")
	c.Flags().StringVar(&b.state, "state", string(queue.Dead), "which jobs: dead, scheduled or done")
	_ = c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions([]string{"dead", "scheduled", "done"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (b *bulk) command(d *desk, short string) *cobra.Command {
	c := &cobra.Command{
		Use: b.verb + " <queue>", Short: short, Args: cobra.ExactArgs(1),
		Long: short + ": all of them, unless flags narrow it. You are asked first. Progress is told on stderr. Ctrl+C ends it:\n" +
			"what is done stays done, and the same command goes on with the rest. --json prints one JSON object: how many were moved, and\n" +
			"whether there may be more.",
	}
	c.RunE = d.runs(b.run)
	f := c.Flags()
	f.StringVar(&b.filter.Type, "type", "", "only jobs of this type")
	f.StringVar(&b.filter.Subject, "by", "", "only jobs that this subject has registered")
	f.StringVar(&b.filter.Group, "group", "", "only the dead of this group, as punctual groups names it")
	f.Var(&b.olderThan, "older-than", "only those that have been dead (scheduled: registered; done: done) for so long: 90s, 2h, 7d")
	f.IntVar(&b.limit, "limit", 0, "at most so many jobs (default all)")
	f.BoolVar(&b.json, "json", false, "print one JSON object")
	yesFlag(c, &b.yes)
	c.ValidArgsFunction = d.queueNames
	return c
}

func (b *bulk) run(ctx context.Context, s *session) error {
	name := s.args[0]
	most, err := b.most(ctx, s, name)
	if err != nil {
		return err
	}
	question := fmt.Sprintf("This %ss in queue %s: %s, %s at most.", b.verb, name, b.filter, count(most, "job"))
	if err := s.confirm(ctx, b.yes, question); err != nil {
		return err
	}
	b.lastShown = time.Now()
	err = b.work(ctx, s, name, most)
	b.clear(s)
	if b.moved.Jobs > 0 {
		s.record(ctx, name, b.verb, b.filter.String(), b.moved.Jobs)
	}
	return b.end(s, err)
}

// most is how many jobs can be meant. No more are touched: one that was redriven may die again meanwhile.
func (b *bulk) most(ctx context.Context, s *session, name string) (int, error) {
	if b.limit < 0 {
		return 0, usage("--limit must not be negative")
	}
	if err := (queue.NewJob{ID: "x", Type: b.filter.Type}).Validate(); err != nil {
		return 0, err
	}
	o, err := s.Overview(ctx, name)
	if err != nil {
		return 0, err
	}
	b.filter.State, b.filter.MinAge = queue.State(b.state), time.Duration(b.olderThan)
	there, ok := map[queue.State]int{queue.Dead: o.Dead, queue.Scheduled: o.Scheduled, queue.Done: o.Done}[b.filter.State]
	if !ok {
		return 0, usage("--state must be dead, scheduled or done: jobs cancel ends one that is processing")
	}
	if b.limit > 0 {
		there = min(there, b.limit)
	}
	return there, nil
}

// work goes on until nothing is left, or most are moved.
func (b *bulk) work(ctx context.Context, s *session, name string, most int) error {
	for b.moved.Jobs < most {
		b.filter.Limit = min(1000, most-b.moved.Jobs)
		moved, err := b.do(s)(ctx, name, b.filter)
		b.moved.Jobs, b.moved.Seen, b.moved.Unreadable, b.moved.More = b.moved.Jobs+moved.Jobs, b.moved.Seen+moved.Seen, b.moved.Unreadable+moved.Unreadable, moved.More
		b.filter.Cursor = moved.Next
		switch {
		case ctx.Err() != nil:
			return errors.Join(context.Canceled, err)
		case err != nil:
			return err
		case !moved.More:
			return nil
		}
		b.progress(s)
	}
	return nil
}

// progress tells how far it is: on a terminal always on the same line, elsewhere a line a second.
func (b *bulk) progress(s *session) {
	text := fmt.Sprintf("%s %s, %s looked at", grouped(b.moved.Jobs), b.did, grouped(b.moved.Seen))
	switch {
	case s.err.terminal:
		fmt.Fprintf(s.err, "\r%-*s", b.shownWidth, text)
		b.shownWidth = len(text)
	case time.Since(b.lastShown) > time.Second:
		fmt.Fprintln(s.err, text)
		b.lastShown = time.Now()
	}
}

func (b *bulk) clear(s *session) {
	if b.shownWidth > 0 {
		fmt.Fprintf(s.err, "\r%*s\r", b.shownWidth, "")
	}
}

func (b *bulk) end(s *session, err error) error {
	var told error
	if b.json {
		told = s.out.object(map[string]any{"moved": b.moved.Jobs, "more": b.moved.More})
	} else if err == nil || b.moved.Jobs > 0 {
		told = s.out.say("%s %s.", count(b.moved.Jobs, "job"), b.did)
	}
	if b.moved.Unreadable > 0 {
		fmt.Fprintf(s.err, "%s stayed: nothing could run what their records hold now; punctual jobs ls --state dead shows them.\n", count(b.moved.Unreadable, "job"))
	}
	switch {
	case err == nil:
		return told
	case errors.Is(err, queue.ErrOutcomeUnknown):
		return fmt.Errorf("and perhaps up to 100 more are; the same command goes on with the rest (%w)", err)
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(s.err, "Interrupted: the same command goes on with the rest.")
		return silent{context.Canceled}
	}
	return err
}
