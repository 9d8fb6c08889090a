package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/punctualq/punctual/queue"
)

// deedJSON is a deed with its exact time.
type deedJSON struct {
	At     moment `json:"at"`
	Who    string `json:"who"`
	Via    string `json:"via"`
	Verb   string `json:"verb"`
	Queue  string `json:"queue"`
	Target string `json:"target,omitempty"`
	Jobs   int    `json:"jobs,omitempty"`
}

func (d *desk) trailCommand() *cobra.Command {
	var names []string
	var verb, whose, text string
	var limit int
	var asJSON bool
	c := &cobra.Command{
		Use:   "trail",
		Short: "Tell who did what by hand, when, and to how many jobs",
		Long: "Tell who did what by hand, the latest first: by this command line, the API or the dashboard. Each queue keeps its last 1,000.\n" +
			"--json prints one JSON object a line.",
		Args: cobra.NoArgs,
	}
	c.RunE = d.runs(func(ctx context.Context, s *session) error {
		if limit < 1 {
			return usage("--limit must be at least 1")
		}
		deeds, err := s.deeds(ctx, names)
		if err != nil {
			return err
		}
		deeds = slices.DeleteFunc(deeds, func(d queue.Deed) bool {
			return verb != "" && d.Verb != verb || whose != "" && d.Who != whose || !strings.Contains(d.Target, text)
		})
		t := s.table(column{name: "WHEN"}, column{name: "WHO", cut: true}, column{name: "VIA"}, column{name: "VERB"}, column{name: "QUEUE"}, number("JOBS"),
			column{name: "TARGET", cut: true})
		for _, d := range deeds[:min(limit, len(deeds))] {
			if asJSON {
				if err := s.out.object(deedJSON{moment(d.At), d.Who, d.Via, d.Verb, d.Queue, d.Target, d.Jobs}); err != nil {
					return err
				}
				continue
			}
			jobs := ""
			if d.Jobs > 0 {
				jobs = grouped(d.Jobs)
			}
			t.add(d.At.Local().Format("01-02 15:04:05"), d.Who, d.Via, d.Verb, d.Queue, jobs, d.Target)
		}
		if asJSON {
			return nil
		}
		return t.flush()
	})
	c.Flags().StringArrayVar(&names, "queue", nil, "only this queue; may be given several times")
	c.Flags().StringVar(&verb, "verb", "", "only this verb: cancel, redrive, pause, ...")
	c.Flags().StringVar(&whose, "who", "", "only what this one did")
	c.Flags().StringVar(&text, "text", "", "only those whose target has this text")
	c.Flags().IntVar(&limit, "limit", 50, "how many")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	d.completeQueue(c)
	return c
}

// deeds are those of the queues that are named, or of all, the latest first.
func (s *session) deeds(ctx context.Context, names []string) ([]queue.Deed, error) {
	names, err := s.named(ctx, names)
	if err != nil {
		return nil, err
	}
	var all []queue.Deed
	for _, name := range names {
		deeds, err := s.Trail(ctx, name, 1000)
		if err != nil {
			return nil, err
		}
		all = append(all, deeds...)
	}
	slices.SortStableFunc(all, func(a, b queue.Deed) int { return b.At.Compare(a.At) })
	return all, nil
}

// named are the queues that are named on the command line, which must be there, or all by name.
func (s *session) named(ctx context.Context, names []string) ([]string, error) {
	for _, name := range names {
		if _, err := s.Overview(ctx, name); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(names) > 0 {
		return names, nil
	}
	all, err := s.Queues(ctx)
	slices.Sort(all)
	return all, err
}
