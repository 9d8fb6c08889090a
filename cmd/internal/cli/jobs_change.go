package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/cmd/internal/plain"
	"github.com/punctualq/punctual/queue"
)

// each does something to every job that the command line names.
func (s *session) each(ctx context.Context, queueName, verb string, do func(id string) error) error {
	return s.eachArg(ctx, func(id string) error {
		err := do(id)
		if err == nil {
			s.record(ctx, queueName, verb, id, 1)
			return nil
		}
		return s.wrongState(s.elsewhere(ctx, queueName, id, err), id, queueName)
	})
}

// eachArg does something to everything that the command line names. What fails is told, and the others go on.
func (s *session) eachArg(ctx context.Context, do func(arg string) error) error {
	var failed error
	for _, arg := range s.args {
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), failed)
		}
		if err := do(arg); err != nil {
			failed = silent{err}
			fmt.Fprintf(s.err, "%s: %s\n", plain.Line(arg), plain.Lines(s.advised(err).Error()))
		}
	}
	return failed
}

// wrongState says what can be done to a job in its state.
func (s *session) wrongState(err error, id, queueName string) error {
	state, ok := errors.AsType[*queue.StateError](err)
	if !ok {
		return err
	}
	next := map[queue.State]string{
		queue.Dead:       "bring it back with " + s.command("redrive", id, queueName),
		queue.Processing: "cancel it with " + s.command("cancel", id, queueName),
		queue.Scheduled:  "it will run by itself; " + s.command("run", id, queueName) + " makes it due now, " + s.command("cancel", id, queueName) + " takes it out",
		queue.Done:       "it has run, and is only kept",
	}[state.State]
	return fmt.Errorf("%w: %s", err, next)
}

type dueJSON struct {
	JobID string `json:"job_id"`
	Due   moment `json:"due_at"`
}

// moveDue gives jobs another due time.
func (s *session) moveDue(ctx context.Context, queueName, verb string, when queue.When, asJSON bool) error {
	return s.each(ctx, queueName, verb, func(id string) error {
		at, err := s.Reschedule(ctx, queueName, id, when)
		switch {
		case err != nil:
			return err
		case asJSON:
			return s.out.object(dueJSON{id, moment(at)})
		}
		if verb == "run" {
			return s.out.say("Job %s is due now.", id)
		}
		return s.out.say("Job %s is due %s, at %s.", id, due(at, s.now(ctx, queueName)), clockTime(at))
	})
}

func (d *desk) jobsRunCommand() *cobra.Command {
	var queueName string
	var asJSON bool
	c := &cobra.Command{
		Use:   "run <job id>...",
		Short: "Make scheduled jobs due now",
		Long:  "Make scheduled jobs due now. A job that is due already keeps its due time. --json prints one JSON object a line.",
		Args:  cobra.MinimumNArgs(1),
	}
	c.RunE = d.runs(func(ctx context.Context, s *session) error {
		return s.moveDue(ctx, queueName, "run", queue.When{}, asJSON)
	})
	d.queueFlag(c, &queueName)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return c
}

func (d *desk) jobsRescheduleCommand() *cobra.Command {
	var queueName string
	var asJSON bool
	var in lasting
	var at instant
	c := &cobra.Command{
		Use:   "reschedule <job id>...",
		Short: "Give scheduled jobs another due time",
		Long:  "Give scheduled jobs another due time: --delay from now, or --run-at. --json prints one JSON object a line.",
		Args:  cobra.MinimumNArgs(1),
	}
	c.RunE = d.runs(func(ctx context.Context, s *session) error {
		return s.moveDue(ctx, queueName, "reschedule", queue.When{In: time.Duration(in), At: time.Time(at)}, asJSON)
	})
	d.queueFlag(c, &queueName)
	c.Flags().Var(&in, "delay", "how long from now: 90s, 5m, 7d")
	c.Flags().Var(&at, "run-at", "when, like 2030-01-02T15:04:05Z")
	c.MarkFlagsOneRequired("delay", "run-at")
	c.MarkFlagsMutuallyExclusive("delay", "run-at")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return c
}

func (d *desk) jobsEditCommand() *cobra.Command {
	var queueName, payload string
	var asJSON, noMetadata bool
	var maxRetry int
	metadata := map[string]string{}
	c := &cobra.Command{
		Use:   "edit <job id>",
		Short: "Change the payload, the retries or the metadata of a scheduled job",
		Long:  "Change the payload, the retries or the metadata of a scheduled job; all else stays. --json prints the job as one JSON object.",
		Args:  cobra.ExactArgs(1),
	}
	c.RunE = d.runs(func(ctx context.Context, s *session) error {
		var change queue.Changes
		var err error
		if change.Payload, err = s.payload(payload); err != nil {
			return err
		}
		if c.Flags().Changed("max-retry") {
			change.MaxRetry = &maxRetry
		}
		if noMetadata || c.Flags().Changed("metadata") {
			change.Metadata = &metadata
		}
		return s.each(ctx, queueName, "edit", func(id string) error {
			info, err := s.Edit(ctx, queueName, id, change)
			switch {
			case err != nil:
				return err
			case asJSON:
				return s.out.object(api.JobJSON(info))
			}
			return s.out.say("Job %s is changed; %q shows it.", id, s.get(id, queueName))
		})
	})
	d.queueFlag(c, &queueName)
	f := c.Flags()
	f.StringVar(&payload, "payload", "", "the new payload as JSON, null for none; @path reads a file, @- what comes in")
	f.IntVar(&maxRetry, "max-retry", 0, "how often it is tried again after a failure")
	f.StringToStringVar(&metadata, "metadata", nil, "name=value in place of all that was there; may be given several times")
	f.BoolVar(&noMetadata, "no-metadata", false, "take all metadata away")
	f.BoolVar(&asJSON, "json", false, "print one JSON object")
	c.MarkFlagsOneRequired("payload", "max-retry", "metadata", "no-metadata")
	c.MarkFlagsMutuallyExclusive("metadata", "no-metadata")
	return c
}

func (d *desk) jobsCancelCommand() *cobra.Command {
	var queueName string
	var yes, asJSON bool
	c := &cobra.Command{
		Use:   "cancel <job id>...",
		Short: "Take jobs out: one that waits is gone, one that runs is told to end",
		Long: "Take jobs out. One that waits is gone at once; of one that runs the worker ends the handler's context, and it is not tried again.\n" +
			"More than one is asked about. --json prints one JSON object a line, with the state in which the job was found.",
		Args: cobra.MinimumNArgs(1),
	}
	c.RunE = d.runs(func(ctx context.Context, s *session) error {
		if len(s.args) > 1 {
			if err := s.confirm(ctx, yes, fmt.Sprintf("This cancels %s of queue %s.", count(len(s.args), "job"), queueName)); err != nil {
				return err
			}
		}
		return s.each(ctx, queueName, "cancel", func(id string) error {
			state, err := s.Cancel(ctx, queueName, id)
			switch {
			case err != nil:
				return err
			case asJSON:
				return s.out.object(map[string]any{"job_id": id, "was": state})
			case state == queue.Processing:
				return s.out.say("Job %s runs: its worker is told to end it.", id)
			}
			return s.out.say("Job %s is cancelled.", id)
		})
	})
	d.queueFlag(c, &queueName)
	yesFlag(c, &yes)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return c
}

func (d *desk) jobsRedriveCommand() *cobra.Command {
	var queueName string
	var asJSON bool
	c := &cobra.Command{
		Use:   "redrive <job id>...",
		Short: "Bring dead jobs back: due now, with all their attempts before them",
		Long: "Bring dead jobs back: due now, with all their attempts before them. Their failures are kept. punctual queues redrive is for many.\n" +
			"--json prints one JSON object a line.",
		Args: cobra.MinimumNArgs(1),
	}
	c.RunE = d.runs(func(ctx context.Context, s *session) error {
		return s.each(ctx, queueName, "redrive", func(id string) error {
			err := s.Redrive(ctx, queueName, id)
			switch {
			case err != nil:
				return err
			case asJSON:
				return s.out.object(map[string]any{"job_id": id, "state": queue.Scheduled})
			}
			return s.out.say("Job %s is scheduled, and due now.", id)
		})
	})
	d.queueFlag(c, &queueName)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return c
}

func (d *desk) jobsPurgeCommand() *cobra.Command {
	var queueName string
	var yes, asJSON bool
	c := &cobra.Command{
		Use:   "purge <job id>...",
		Short: "Drop dead or done jobs for good",
		Long: "Drop dead or done jobs for good. punctual jobs cancel is for those that wait or run, punctual queues purge for many.\n" +
			"More than one is asked about. --json prints one JSON object a line.",
		Args: cobra.MinimumNArgs(1),
	}
	c.RunE = d.runs(func(ctx context.Context, s *session) error {
		if len(s.args) > 1 {
			if err := s.confirm(ctx, yes, fmt.Sprintf("This drops %s of queue %s for good.", count(len(s.args), "job"), queueName)); err != nil {
				return err
			}
		}
		return s.each(ctx, queueName, "purge", func(id string) error {
			err := s.Purge(ctx, queueName, id)
			switch {
			case err != nil:
				return err
			case asJSON:
				return s.out.object(map[string]any{"job_id": id, "purged": true})
			}
			return s.out.say("Job %s is gone.", id)
		})
	})
	d.queueFlag(c, &queueName)
	yesFlag(c, &yes)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return c
}
