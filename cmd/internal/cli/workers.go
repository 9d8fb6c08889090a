package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/queue"
)

func (d *desk) workersCommand() *cobra.Command {
	return group("workers", "List workers, tell one to take no more jobs or to stop", d.workersListCommand(),
		d.orderCommand("quiet", "Tell workers to claim nothing more; what they run goes on"),
		d.orderCommand("stop", "Tell the processes of workers to shut down in order, as SIGTERM does, with all their queues"))
}

func (d *desk) workersListCommand() *cobra.Command {
	var queueName, state, text string
	var asJSON bool
	states := []string{"living", "quiet", "stopping", "stuck", "dead"}
	c := &cobra.Command{
		Use:   "ls",
		Short: "List the workers",
		Long: "List the workers. A process that works on several queues is a worker of each, under an id of each. A dead one is one whose heartbeat\n" +
			"has run out and whose jobs nobody has taken back yet; a stuck one has handlers that go on though their contexts have ended.\n" +
			"--json prints one JSON object a line, as the API has them.",
		Args: cobra.NoArgs,
	}
	c.RunE = d.runs(func(ctx context.Context, s *session) error {
		if state != "" && !slices.Contains(states, state) {
			return usage("--state must be %s", strings.Join(states, ", "))
		}
		all, err := s.Workers(ctx)
		if err != nil {
			return err
		}
		t := s.table(column{name: "WORKER"}, column{name: "QUEUE"}, column{name: "STATE"}, number("JOBS"), column{name: "HEARTBEAT"},
			column{name: "BUILD", cut: true})
		now := time.Now()
		if len(all) > 0 {
			now = s.now(ctx, all[0].Queue)
		}
		for _, w := range all {
			switch {
			case queueName != "" && w.Queue != queueName, state != "" && w.State() != state, !strings.Contains(w.ID, text):
				continue
			case asJSON:
				if err := s.out.object(api.WorkerJSON(w)); err != nil {
					return err
				}
				continue
			}
			t.add(w.ID, w.Queue, w.State(), fmt.Sprintf("%d/%d", w.Processing, w.Concurrency), ago(w.LastBeat, now), w.Build)
		}
		switch {
		case asJSON:
			return nil
		case len(all) == 0:
			fmt.Fprintln(s.err, "No worker is registered.")
		}
		return t.flush()
	})
	c.Flags().StringVar(&queueName, "queue", "", "only workers of this queue")
	c.Flags().StringVar(&state, "state", "", "only those that are "+strings.Join(states, ", "))
	c.Flags().StringVar(&text, "text", "", "only workers with this text in their id: a host, say")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	_ = c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(states, cobra.ShellCompDirectiveNoFileComp))
	d.completeQueue(c)
	return c
}

func (d *desk) orderCommand(verb, short string) *cobra.Command {
	var yes, asJSON bool
	c := &cobra.Command{
		Use: verb + " <worker>...", Short: short, Args: cobra.MinimumNArgs(1),
		Long: short + ". They hear of it within a second.\nMore than one is asked about. --json prints one JSON object a line.",
	}
	c.RunE = d.runs(func(ctx context.Context, s *session) error {
		if len(s.args) > 1 {
			if err := s.confirm(ctx, yes, fmt.Sprintf("This tells %s to %s.", count(len(s.args), "worker"), meaning[verb])); err != nil {
				return err
			}
		}
		all, err := s.Workers(ctx)
		if err != nil {
			return err
		}
		return s.eachArg(ctx, func(id string) error {
			if err := s.order(ctx, all, verb, id); err != nil {
				return err
			}
			if asJSON {
				return s.out.object(map[string]string{"worker": id, "order": verb})
			}
			return s.out.say("Worker %s is told to "+meaning[verb]+".", id)
		})
	})
	yesFlag(c, &yes)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	c.ValidArgsFunction = d.workerIDs
	return c
}

var meaning = map[string]string{"quiet": "claim nothing more", "stop": "shut down"}

func (s *session) order(ctx context.Context, all []queue.WorkerState, verb, id string) error {
	do := s.Quiet
	if verb == "stop" {
		do = s.Stop
	}
	if err := do(ctx, id); err != nil {
		return err
	}
	for _, w := range all {
		if w.ID == id {
			s.record(ctx, w.Queue, verb, id, 0)
		}
	}
	return nil
}

// workerIDs completes ids of workers for a shell.
func (d *desk) workerIDs(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var s session
	var ids []string
	if s.open(ctx, d.env) == nil {
		defer s.Close()
		all, _ := s.Workers(ctx)
		for _, w := range all {
			ids = append(ids, w.ID)
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
