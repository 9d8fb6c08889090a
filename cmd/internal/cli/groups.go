package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/punctualq/punctual/queue"
)

// groupJSON is a group with exact times.
type groupJSON struct {
	Group string `json:"group"`
	Queue string `json:"queue"`
	Type  string `json:"type"`
	Error string `json:"error"`
	Jobs  int    `json:"jobs"`
	First moment `json:"first"`
	Last  moment `json:"last"`
}

// grouping is what the command line says of groups.
type grouping struct {
	names      []string
	kind, text string
	limit      int
	json       bool
}

func (d *desk) groupsCommand() *cobra.Command {
	var g grouping
	c := &cobra.Command{
		Use:   "groups",
		Short: "Group the dead by type and error: what failed, how often, since when",
		Long: "Group the dead jobs of each queue by their type and by the kind of their last error, the biggest group first. Texts that differ only in\n" +
			"numbers and ids are one kind. punctual queues redrive and purge, and jobs ls --state dead, take a group by --group.\n" +
			"--json prints one JSON object a line.",
		Args: cobra.NoArgs,
	}
	c.RunE = d.runs(g.run)
	c.Flags().StringArrayVar(&g.names, "queue", nil, "only this queue; may be given several times")
	c.Flags().StringVar(&g.kind, "type", "", "only jobs of this type")
	c.Flags().StringVar(&g.text, "text", "", "only errors with this text")
	c.Flags().IntVar(&g.limit, "limit", 50, "how many of each queue")
	c.Flags().BoolVar(&g.json, "json", false, "print one JSON object a line")
	d.completeQueue(c)
	return c
}

func (g *grouping) run(ctx context.Context, s *session) error {
	if g.limit < 1 {
		return usage("--limit must be at least 1")
	}
	names, err := s.named(ctx, g.names)
	if err != nil {
		return err
	}
	t := s.table(column{name: "GROUP"}, column{name: "QUEUE"}, number("JOBS"), column{name: "FIRST"}, column{name: "LAST"}, column{name: "TYPE", cut: true},
		column{name: "ERROR", cut: true})
	for _, name := range names {
		groups, others, err := s.DeadGroups(ctx, name)
		if err != nil {
			return err
		}
		now := s.now(ctx, name)
		if others > 0 && !g.json {
			fmt.Fprintf(s.err, "Of queue %s %s in no group: they died before groups were counted, or there were too many kinds.\n", name, are(others))
		}
		shown := 0
		for _, one := range groups {
			if shown == g.limit || g.kind != "" && one.Type != g.kind || !strings.Contains(one.Error, g.text) {
				continue
			}
			shown++
			if err := g.add(s, t, one, name, now); err != nil {
				return err
			}
		}
	}
	if g.json {
		return nil
	}
	return t.flush()
}

func (g *grouping) add(s *session, t *table, one queue.DeadGroup, name string, now time.Time) error {
	if g.json {
		return s.out.object(groupJSON{one.ID, name, one.Type, one.Error, one.Jobs, moment(one.First), moment(one.Last)})
	}
	t.add(one.ID, name, grouped(one.Jobs), ago(one.First, now), ago(one.Last, now), one.Type, one.Error)
	return nil
}

func are(n int) string {
	if n == 1 {
		return "1 dead job is"
	}
	return count(n, "dead job") + " are"
}
