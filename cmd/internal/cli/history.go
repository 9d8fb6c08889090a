package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/punctualq/punctual/cmd/internal/plain"
	"github.com/punctualq/punctual/queue"
)

// happening is one thing in the life of a job.
type happening struct {
	What    string `json:"event"`
	At      moment `json:"at"`
	Attempt int    `json:"attempt,omitempty"`
	Worker  string `json:"worker,omitempty"`
	TookMS  *int64 `json:"took_ms,omitempty"`
	Text    string `json:"text,omitempty"`
}

func (d *desk) jobsHistoryCommand() *cobra.Command {
	var queueName string
	var asJSON bool
	c := &cobra.Command{
		Use:   "history <job id>",
		Short: "Tell the life of one job: created, its failed attempts, what it waits for or how it ended",
		Long: "Tell the life of one job in the order of time: created, its failed attempts (the last 5 are kept), what it waits for or how it ended.\n" +
			"--json prints one JSON object a line.",
		Args: cobra.ExactArgs(1),
	}
	c.RunE = d.runs(func(ctx context.Context, s *session) error {
		info, err := s.find(ctx, queueName, s.args[0])
		if err != nil {
			return err
		}
		life, now := lifeOf(info), s.now(ctx, queueName)
		if !asJSON {
			return s.tell(life, now)
		}
		for _, h := range life {
			if err := s.out.object(h); err != nil {
				return err
			}
		}
		return nil
	})
	d.queueFlag(c, &queueName)
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return c
}

// tell prints a line for each happening, and below it, whole, what was said of it.
func (s *session) tell(life []happening, now time.Time) error {
	t := s.table(column{name: "WHEN"}, column{name: ""}, column{name: "EVENT"})
	for _, h := range life {
		at := time.Time(h.At)
		exact, when := "", ago(at, now)
		if !at.IsZero() {
			exact = clockTime(at)
		}
		if h.What == "due" {
			when = due(at, now)
		}
		t.add(exact, when, h.event())
	}
	rows := t.rows
	t.fit(rows)
	for i, h := range life {
		t.rows = rows[i : i+1]
		if err := t.flush(); err != nil {
			return err
		}
		if h.Text == "" {
			continue
		}
		text := "    " + strings.ReplaceAll(plain.Lines(h.Text), "\n", "\n    ") + "\n"
		if _, err := io.WriteString(s.out, text); err != nil {
			return err
		}
	}
	return nil
}

func (h happening) event() string {
	text := h.What
	if h.Attempt > 0 {
		text += fmt.Sprintf(", attempt %d", h.Attempt)
	}
	if h.TookMS != nil {
		text += ", after " + span(time.Duration(*h.TookMS)*time.Millisecond)
	}
	if h.Worker != "" {
		text += " on " + h.Worker
	}
	return text
}

// lifeOf puts what is known of a job in the order of time.
func lifeOf(i queue.Info) []happening {
	var life []happening
	add := func(h happening) { life = append(life, h) }
	if !i.Created.IsZero() {
		add(happening{What: "created", At: moment(i.Created), Text: bySubject(i.Subject)})
	}
	failures := slices.Clone(i.Failures)
	slices.Reverse(failures)
	if len(failures) > 0 && failures[0].Attempt > 1 {
		add(happening{What: "not kept", Text: fmt.Sprintf("what became of attempts before %d", failures[0].Attempt)})
	}
	for _, f := range failures {
		took := f.TookMS
		h := happening{What: "failed", Attempt: f.Attempt, Worker: f.Worker, TookMS: &took, Text: f.Error}
		if f.At > 0 {
			h.At = moment(time.UnixMilli(f.At))
		}
		add(h)
	}
	switch i.State {
	case queue.Scheduled:
		add(happening{What: "due", At: moment(i.Due), Text: fmt.Sprintf("for attempt %d of %d", i.Attempts+1, i.MaxRetry+1)})
	case queue.Processing:
		h := happening{What: "processing", Attempt: i.Attempts, Worker: i.Worker}
		if i.Cancelled {
			h.Text = "its cancellation was asked for"
		}
		add(h)
	case queue.Dead:
		add(happening{What: "dead", At: moment(i.Finished), Text: fmt.Sprintf("after %d of %d attempts", i.Attempts, i.MaxRetry+1)})
	case queue.Done:
		add(happening{What: "done", At: moment(i.Finished)})
		add(happening{What: "forgotten", At: moment(i.Due)})
	}
	return life
}

func bySubject(subject string) string {
	if subject == "" {
		return ""
	}
	return "by " + subject
}
