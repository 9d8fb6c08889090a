package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/punctualq/punctual/api"
	"github.com/punctualq/punctual/cmd/internal/plain"
	"github.com/punctualq/punctual/queue"
)

func (d *desk) jobsCommand() *cobra.Command {
	return group("jobs", "List jobs, look at one, run, reschedule, edit, cancel, redrive or purge it", d.jobsListCommand(), d.jobsGetCommand(),
		d.jobsHistoryCommand(), d.jobsRunCommand(), d.jobsRescheduleCommand(), d.jobsEditCommand(), d.jobsCancelCommand(), d.jobsRedriveCommand(), d.jobsPurgeCommand())
}

// now is the clock of Redis; where a queue does not tell it, that of this machine.
func (s *session) now(ctx context.Context, queueName string) time.Time {
	o, err := s.Overview(ctx, queueName)
	if err != nil {
		return time.Now()
	}
	return o.Now
}

// find gets a job. If it is not there, the error says in which other queue it is.
func (s *session) find(ctx context.Context, queueName, id string) (queue.Info, error) {
	info, err := s.Get(ctx, queueName, id)
	return info, s.elsewhere(ctx, queueName, id, err)
}

// elsewhere looks for a job that is not in its queue in others: 100 at most.
func (s *session) elsewhere(ctx context.Context, queueName, id string, err error) error {
	if !errors.Is(err, queue.ErrNotFound) {
		return err
	}
	others, listed := s.Queues(ctx)
	if listed == nil {
		slices.Sort(others)
		for _, other := range others[:min(len(others), 100)] {
			if other == queueName {
				continue
			}
			if _, got := s.Get(ctx, other, id); got == nil {
				return fmt.Errorf("%w in queue %s, but in queue %s: add --queue %s", err, queueName, other, other)
			}
		}
	}
	return fmt.Errorf("%w in queue %s: it never was, is done, was cancelled or dropped", err, queueName)
}

func (d *desk) jobsGetCommand() *cobra.Command {
	var queueName string
	var asJSON bool
	c := &cobra.Command{
		Use:   "get <job id>",
		Short: "Show one job",
		Long:  "Show one job with its payload and its last failures. --json prints one JSON object, as GET /api/dm-jobqueue/jobs/{job_id} does.",
		Args:  cobra.ExactArgs(1),
	}
	c.RunE = d.runs(func(ctx context.Context, s *session) error {
		info, err := s.find(ctx, queueName, s.args[0])
		if err != nil {
			return err
		}
		if asJSON {
			return s.out.object(api.JobJSON(info))
		}
		return s.showJob(info, s.now(ctx, queueName))
	})
	d.queueFlag(c, &queueName)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

func (s *session) showJob(i queue.Info, now time.Time) error {
	exact := func(t time.Time, said string) string {
		if t.IsZero() {
			return ""
		}
		return said + "  (" + clockTime(t) + ")"
	}
	pairs := []string{"job", i.ID, "queue", i.Queue, "type", i.Type, "state", string(i.State)}
	switch {
	case i.State == queue.Scheduled:
		pairs = append(pairs, "due", exact(i.Due, due(i.Due, now)))
	case i.Cancelled:
		pairs = append(pairs, "cancelled", "asked for; the worker was told")
	}
	pairs = append(pairs, "worker", i.Worker, "finished", exact(i.Finished, ago(i.Finished, now)))
	if i.State == queue.Done {
		pairs = append(pairs, "kept for", span(i.Due.Sub(now)))
	}
	pairs = append(pairs, "attempts", fmt.Sprintf("%d begun, at most %d", i.Attempts, i.MaxRetry+1), "created", exact(i.Created, ago(i.Created, now)),
		"by", i.Subject, "timeout", lengthOf(i.Timeout), "retention", lengthOf(i.Retention), "expires", lengthOf(i.Expires))
	if i.Unique != nil {
		pairs = append(pairs, "unique key", i.Unique.Key)
	}
	for _, name := range sorted(i.Metadata) {
		pairs = append(pairs, "metadata", name+" = "+i.Metadata[name])
	}
	if err := s.out.details(pairs...); err != nil {
		return err
	}
	var b strings.Builder
	if i.Payload != nil {
		fmt.Fprintf(&b, "\npayload\n  %s\n", strings.ReplaceAll(plain.Lines(queue.PrettyPayload(i.Payload)), "\n", "\n  "))
	}
	for n, f := range i.Failures {
		if n == 0 {
			fmt.Fprintf(&b, "\nfailures, the latest first; %q shows them in time\n", s.command("history", i.ID, i.Queue))
		}
		fmt.Fprintf(&b, "  attempt %d, %s, after %s on %s\n    %s\n", f.Attempt, ago(time.UnixMilli(f.At), now), span(time.Duration(f.TookMS)*time.Millisecond),
			plain.Line(f.Worker), strings.ReplaceAll(plain.Lines(f.Error), "\n", "\n    "))
	}
	_, err := s.out.Write([]byte(b.String()))
	return err
}

// lengthOf is a length of time as it was set; "" for none.
func lengthOf(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
