package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/punctualq/punctual/cmd/internal/settings"
	"github.com/punctualq/punctual/queue"
)

// audit is what the command line asks for.
type audit struct {
	queues    []string
	json, fix bool
}

func auditCommand(env settings.Lookup, code *int) *cobra.Command {
	var a audit
	c := &cobra.Command{
		Use:   "audit",
		Short: "Look whether everything in Redis is where it should be",
		Long: "Look whether everything in Redis is where it should be: each job in one place, attempts within bounds, lists that belong\n" +
			"to somebody, counters that agree. It reads only and a little at a time, so it may be run while workers work. --fix mends\n" +
			"what can be mended without guessing, and says what it did.\n\n" +
			"Exit status: 0 all is well, 1 there are findings (with --fix: that are left), 2 the audit could not be made.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			*code = a.run(c.Context(), env, c.OutOrStdout(), c.ErrOrStderr())
			return nil
		},
	}
	c.Flags().StringArrayVar(&a.queues, "queue", nil, "audit this queue; may be given several times (default all that are known)")
	c.Flags().BoolVar(&a.json, "json", false, "print one JSON object")
	c.Flags().BoolVar(&a.fix, "fix", false, "mend what can be mended without guessing")
	return c
}

func (a *audit) run(ctx context.Context, env settings.Lookup, stdout, stderr io.Writer) int {
	fail := func(err error) int {
		fmt.Fprintf(stderr, "punctual audit: %s\n", err)
		return exitUsage
	}
	s, err := settings.Read(env, settings.Worker) // no token is checked here
	if err != nil {
		return fail(fmt.Errorf("cannot begin with these settings:\n%w", err))
	}
	client, err := queue.Open(ctx, string(s.RedisURL), queue.Options{})
	if err != nil {
		return fail(err)
	}
	defer client.Close()
	reports, err := a.reports(ctx, client)
	show := a.text
	if a.json {
		show = asJSON
	}
	if err == nil || a.fix && len(reports) > 0 { // what was mended must be told, whatever happened then
		if err := show(stdout, reports); err != nil {
			return fail(err)
		}
	}
	if err != nil {
		return fail(a.advised(err, s.RedisHost))
	}
	for _, r := range reports {
		if r.Left() > 0 {
			return exitFailed
		}
	}
	return exitOK
}

func (a *audit) reports(ctx context.Context, client *queue.Client) ([]queue.AuditReport, error) {
	queues := a.queues
	if len(queues) == 0 {
		known, err := client.Queues(ctx)
		if err != nil {
			return nil, err
		}
		forgotten, err := client.QueuesWithKeys(ctx)
		if err != nil {
			return nil, err
		}
		queues = append(known, forgotten...)
	}
	slices.Sort(queues)
	reports := []queue.AuditReport{}
	for _, q := range slices.Compact(queues) {
		r, err := client.Audit(ctx, q, queue.AuditOptions{Fix: a.fix})
		if err == nil || len(r.Findings) > 0 {
			reports = append(reports, r)
		}
		if err != nil {
			return reports, err
		}
	}
	return reports, nil
}

// advised says what to do about an error.
func (a *audit) advised(err error, host string) error {
	var bad *queue.InvalidError
	switch {
	case errors.As(err, &bad) && len(a.queues) > 0:
		return fmt.Errorf("--queue %s", bad.Reason)
	case errors.As(err, &bad):
		return fmt.Errorf("the set of known queues holds a name that no queue can have: %s; remove it with SREM, or name the queues with --queue", bad.Reason)
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted: nothing can be said")
	case errors.Is(err, queue.ErrFull):
		return fmt.Errorf("the Redis at %s is full and takes no repair: make room, then audit again (%w)", host, err)
	}
	return fmt.Errorf("the Redis at %s does not answer as it should: start it or set REDIS_URL, then audit again (%w)", host, err)
}

func asJSON(w io.Writer, reports []queue.AuditReport) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(map[string]any{"queues": reports})
}

// text writes a line for each finding, a summary for each queue, and what to do next.
func (a *audit) text(w io.Writer, reports []queue.AuditReport) error {
	var b strings.Builder
	left, fixable := 0, 0
	for _, r := range reports {
		for _, f := range r.Findings {
			fmt.Fprintf(&b, "%s: %s\n", r.Queue, line(f))
			if f.Fixable && !f.Fixed {
				fixable++
			}
		}
		if r.Unlisted > 0 {
			fmt.Fprintf(&b, "%s: and %d more findings\n", r.Queue, r.Unlisted)
		}
		left += r.Left()
		fmt.Fprintf(&b, "%s: %d jobs (%d scheduled, %d processing, %d dead, %d done), %d workers: %s\n", r.Queue, r.Jobs, r.Scheduled,
			r.Processing, r.Dead, r.Done, r.Workers, summary(r))
	}
	switch {
	case len(reports) == 0:
		b.WriteString("no queue is known: nothing to audit\n")
	case fixable > 0 && !a.fix:
		fmt.Fprintf(&b, "%d of these can be mended without guessing: run the same command with --fix\n", fixable)
	case left > 0:
		b.WriteString("what is left needs your judgement: docs/en/Queue-Job.md says what each code means and what to do\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// line shows one finding. Names that another hand wrote are quoted where they are not plain.
func line(f queue.Finding) string {
	id := f.ID
	if quoted := strconv.Quote(id); id != "" && quoted != `"`+id+`"` {
		id = quoted
	}
	text := strings.Join(strings.Fields(f.Severity+" "+f.Code+" "+f.Key), " ")
	if id != "" {
		text += " " + id
	}
	text += ": " + f.Detail
	switch {
	case f.Fixed:
		text += " -> fixed: " + f.Did
	case f.Did != "":
		text += " -> not fixed: " + f.Did
	}
	return text
}

func summary(r queue.AuditReport) string {
	found := len(r.Findings) + r.Unlisted
	switch left := r.Left(); {
	case found == 0:
		return "all is well"
	case left < found:
		return fmt.Sprintf("%d findings, %d left", found, left)
	}
	return fmt.Sprintf("%d findings", found)
}
