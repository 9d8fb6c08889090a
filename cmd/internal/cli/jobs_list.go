package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/queue"
)

// listing is what the command line says of jobs ls.
type listing struct {
	queue.Listing
	queue     string
	state     string
	all, json bool
}

func (d *desk) jobsListCommand() *cobra.Command {
	var l listing
	c := &cobra.Command{
		Use:   "ls",
		Short: "List the jobs of a state, in the order of their due times",
		Long: "List the jobs of a state in the order of their due times (dead: of their deaths; done: of when they are forgotten; processing: by\n" +
			"worker). It goes on until --limit jobs match, however many it has to look at. --cursor goes on where the listing before ended;\n" +
			"--all prints every page as it comes. --json prints one JSON object a line, as the API has them.",
		Args: cobra.NoArgs,
	}
	c.RunE = d.runs(l.run)
	d.queueFlag(c, &l.queue)
	f := c.Flags()
	f.StringVar(&l.state, "state", string(queue.Scheduled), "scheduled, processing, dead or done")
	f.StringVar(&l.Type, "type", "", "only jobs of this type")
	f.StringVar(&l.Text, "text", "", "only jobs with this text in their id")
	f.StringVar(&l.Subject, "by", "", "only jobs that this subject has registered")
	f.StringVar(&l.Group, "group", "", "only the dead of this group, as punctual groups names it")
	f.IntVar(&l.Limit, "limit", 50, "how many jobs, at most 1000")
	f.StringVar(&l.Cursor, "cursor", "", "go on behind the listing that told this cursor, with the same flags")
	f.BoolVar(&l.all, "all", false, "all jobs, page by page")
	f.BoolVar(&l.Newest, "newest", false, "the other way round: the latest first")
	f.BoolVar(&l.json, "json", false, "print one JSON object a line")
	c.MarkFlagsMutuallyExclusive("all", "limit")
	_ = c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions([]string{"scheduled", "processing", "dead", "done"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (l *listing) run(ctx context.Context, s *session) error {
	l.State = queue.State(l.state)
	limit := l.Limit
	if limit < 1 || limit > 1000 {
		return usage("--limit must be between 1 and 1000; --all prints all")
	}
	if l.all {
		l.Limit = 1000
	}
	now := s.now(ctx, l.queue)
	t := s.table(l.columns()...)
	for shown := 0; ; {
		page, err := s.List(ctx, l.queue, l.Listing)
		if err != nil {
			return err
		}
		for _, job := range page.Jobs {
			if l.json {
				err = s.out.object(api.JobJSON(job))
			} else {
				t.add(l.row(job, now)...)
			}
			if err != nil {
				return err
			}
		}
		if shown += len(page.Jobs); !l.json && len(page.Jobs) > 0 {
			if err := t.flush(); err != nil {
				return err
			}
		}
		l.Cursor = page.Next
		if l.Limit = limit - shown; l.all {
			l.Limit = 1000
		}
		if l.Cursor == "" || l.Limit == 0 {
			return l.end(ctx, s, shown)
		}
	}
}

// end says what is behind the last job.
func (l *listing) end(ctx context.Context, s *session, shown int) error {
	if shown == 0 {
		if _, err := s.Overview(ctx, l.queue); err != nil { // ErrNoQueue: nobody takes a name that was misspelt for an empty queue
			return err
		}
	}
	switch {
	case l.Cursor != "":
		fmt.Fprintf(s.err, "There are more: add --all, or --cursor %s\n", l.Cursor)
	case shown == 0 && !l.json:
		fmt.Fprintf(s.err, "No %s job in queue %s matches.\n", l.State, l.queue)
	}
	return nil
}

func (l *listing) columns() []column {
	all := []column{{name: "JOB"}, {name: "TYPE", cut: true}, {name: "ATTEMPT", right: true}}
	switch l.State {
	case queue.Processing:
		return append(all, column{name: "WORKER"}, column{name: "PAYLOAD", cut: true})
	case queue.Dead:
		all = append(all, column{name: "DIED"})
	case queue.Done:
		all = append(all, column{name: "DONE"}, column{name: "KEPT FOR"})
	default:
		all = append(all, column{name: "DUE"})
	}
	return append(all, column{name: "PAYLOAD", cut: true})
}

// shownPayload is how much of a payload a row has, before it is cut to the screen.
const shownPayload = 200

func (l *listing) row(i queue.Info, now time.Time) []string {
	row := []string{i.ID, i.Type, fmt.Sprintf("%d/%d", i.Attempts, i.MaxRetry+1)}
	switch l.State {
	case queue.Processing:
		worker := i.Worker
		if i.Cancelled {
			worker += " (cancelled)"
		}
		row = append(row, worker)
	case queue.Dead:
		row = append(row, ago(i.Finished, now))
	case queue.Done:
		row = append(row, ago(i.Finished, now), span(i.Due.Sub(now)))
	default:
		row = append(row, due(i.Due, now))
	}
	return append(row, cutTo(string(i.Payload), shownPayload))
}
