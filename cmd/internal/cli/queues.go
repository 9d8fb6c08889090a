package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/queue"
)

func (d *desk) queuesCommand() *cobra.Command {
	return group("queues", "List queues, look at one, pause, resume, redrive or purge it", d.queuesListCommand(), d.queuesShowCommand(),
		d.pauseCommand("pause", "Stop the claims of queues; what runs goes on, and jobs are taken in as ever"),
		d.pauseCommand("resume", "Let the claims of paused queues go on"), d.queuesRedriveCommand(), d.queuesPurgeCommand())
}

// overviews are the figures of the queues that are named, or of all.
func (s *session) overviews(ctx context.Context, names []string) ([]queue.Overview, error) {
	all, err := s.Overviews(ctx)
	if err != nil || len(names) == 0 {
		return all, err
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(o queue.Overview) bool { return o.Queue == name }) {
			return nil, fmt.Errorf("%s: %w", name, queue.ErrNoQueue)
		}
	}
	return slices.DeleteFunc(all, func(o queue.Overview) bool { return !slices.Contains(names, o.Queue) }), nil
}

func (d *desk) queuesListCommand() *cobra.Command {
	var names []string
	var asJSON, late, paused bool
	c := &cobra.Command{
		Use:   "ls",
		Short: "List the queues in figures",
		Long: "List the queues in figures. DUE are those of the scheduled jobs whose time has come, LATE is for how long the oldest of them has been\n" +
			"due. --json prints one JSON object a line, as the API has them.",
		Args: cobra.NoArgs,
	}
	c.RunE = d.runs(func(ctx context.Context, s *session) error {
		all, err := s.overviews(ctx, names)
		if err != nil {
			return err
		}
		t := s.table(column{name: "QUEUE"}, number("SCHEDULED"), number("DUE"), number("PROCESSING"), number("DEAD"), number("DONE"),
			column{name: "LATE"}, number("WORKERS"), column{name: "PAUSED"})
		for _, o := range all {
			switch {
			case late && o.Due == 0, paused && !o.Paused:
				continue
			case asJSON:
				if err := s.out.object(api.QueueJSON(o)); err != nil {
					return err
				}
				continue
			}
			t.add(o.Queue, strconv.Itoa(o.Scheduled), strconv.Itoa(o.Due), strconv.Itoa(o.Processing), strconv.Itoa(o.Dead),
				strconv.Itoa(o.Done), lateness(o), strconv.Itoa(o.Workers), map[bool]string{true: "paused"}[o.Paused])
		}
		if asJSON {
			return nil
		}
		return t.flush()
	})
	c.Flags().StringArrayVar(&names, "queue", nil, "only this queue; may be given several times")
	c.Flags().BoolVar(&late, "late", false, "only queues with jobs that are due")
	c.Flags().BoolVar(&paused, "paused", false, "only queues that are paused")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	d.completeQueue(c)
	return c
}

func number(name string) column { return column{name: name, right: true} }

func lateness(o queue.Overview) string {
	if o.Due == 0 {
		return ""
	}
	return span(o.Lateness())
}

func (d *desk) queuesShowCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "show <queue>",
		Short: "Show one queue, with its counters",
		Long:  "Show one queue, with its counters. --json prints one JSON object: the queue as the API has it, and its counters.",
		Args:  cobra.ExactArgs(1),
	}
	c.RunE = d.runs(func(ctx context.Context, s *session) error {
		o, err := s.Overview(ctx, s.args[0])
		switch {
		case err != nil:
			return err
		case asJSON:
			return s.out.object(map[string]any{"queue": api.QueueJSON(o), "counters": o.Counters})
		}
		n := strconv.Itoa
		pairs := []string{"queue", o.Queue, "scheduled", n(o.Scheduled), "due", n(o.Due), "processing", n(o.Processing), "dead", n(o.Dead), "done", n(o.Done),
			"workers", n(o.Workers), "late", lateness(o), "next due", due(o.NextDue, o.Now), "paused", map[bool]string{true: "yes", false: "no"}[o.Paused]}
		for _, name := range sorted(o.Counters) {
			pairs = append(pairs, "counter "+name, strconv.FormatInt(o.Counters[name], 10))
		}
		return s.out.details(pairs...)
	})
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	c.ValidArgsFunction = d.queueNames
	return c
}

func (d *desk) pauseCommand(verb, short string) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: verb + " <queue>...", Short: short, Args: cobra.MinimumNArgs(1),
		Long: short + ". --json prints one JSON object a line.",
	}
	c.RunE = d.runs(func(ctx context.Context, s *session) error {
		do := s.Pause
		if verb == "resume" {
			do = s.Resume
		}
		return s.eachArg(ctx, func(name string) error {
			changed, err := do(ctx, name)
			if err != nil {
				return err
			}
			if changed {
				s.record(ctx, name, verb, "", 0)
			}
			said := map[bool]string{true: "is", false: "was already"}[changed]
			state := map[string]string{"pause": "paused", "resume": "not paused"}[verb]
			if asJSON {
				return s.out.object(map[string]any{"queue": name, "paused": verb == "pause", "changed": changed})
			}
			return s.out.say("Queue %s "+said+" "+state+".", name)
		})
	})
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	c.ValidArgsFunction = d.queueNames
	return c
}

// queueFlag is the flag of commands that are about one queue.
func (d *desk) queueFlag(c *cobra.Command, name *string) {
	c.Flags().StringVar(name, "queue", queue.DefaultQueue, "the queue")
	d.completeQueue(c)
}

func (d *desk) completeQueue(c *cobra.Command) {
	_ = c.RegisterFlagCompletionFunc("queue", d.queueNames)
}

// queueNames completes names of queues for a shell, if Redis tells them soon.
func (d *desk) queueNames(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var s session
	if s.open(ctx, d.env) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer s.Close()
	names, err := s.Queues(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	slices.Sort(names)
	return names, cobra.ShellCompDirectiveNoFileComp
}
