package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/punctualq/punctual/queue"
)

// defaultDelay is that of the HTTP API.
const defaultDelay = 3 * time.Minute

// registration is what the command line says of a new job.
type registration struct {
	job                                        queue.NewJob
	payload, backoff, unique, until            string
	delay, timeout, retention, expires, holdIt lasting
	at                                         instant
	maxRetry                                   int
	json                                       bool
}

func (d *desk) registerCommand() *cobra.Command {
	r := registration{delay: lasting(defaultDelay)}
	c := &cobra.Command{
		Use:   "register [message]",
		Short: "Register a job",
		Long: "Register a job, as POST /api/dm-jobqueue/register does: due in 3 minutes unless --delay or --run-at says otherwise. A job of type\n" +
			"message, the default, prints the message; a job of another type gets its payload by --payload. --json prints one JSON object.",
		Example: "  punctual register 'Hello, World!' --delay 10s\n  punctual register --type mail --payload '{\"to\": \"ann\"}' --run-at 2030-01-02T15:04:05Z",
		Args:    cobra.MaximumNArgs(1),
	}
	c.RunE = d.runs(func(ctx context.Context, s *session) error { return r.run(ctx, s, c) })
	f := c.Flags()
	f.StringVar(&r.job.ID, "id", "", "the id of the job (default a new UUIDv7)")
	f.StringVar(&r.job.Queue, "queue", queue.DefaultQueue, "the queue")
	f.StringVar(&r.job.Type, "type", queue.DefaultType, "the type of the job, which says what runs it")
	f.StringVar(&r.payload, "payload", "", "the payload as JSON; @path reads a file, @- what comes in")
	f.Var(&r.delay, "delay", "how long until it is due: 0, 90s, 5m, 7d")
	f.Var(&r.at, "run-at", "when it is due, in place of --delay, like 2030-01-02T15:04:05Z")
	f.IntVar(&r.maxRetry, "max-retry", queue.DefaultMaxRetry, "how often it is tried again after a failure")
	f.Var(&r.timeout, "timeout", "how long one run may take (default the worker's JOB_TIMEOUT)")
	f.Var(&r.retention, "retention", "how long it is kept after it is done (default not at all)")
	f.Var(&r.expires, "expires", "do not start it so long after its due time (default always start it)")
	f.StringVar(&r.backoff, "backoff", "", `waits before retries, as JSON like {"kind": "fixed", "seconds": 5} (default the worker's)`)
	f.StringToStringVar(&r.job.Metadata, "metadata", nil, "name=value for people; may be given several times")
	f.StringVar(&r.unique, "unique", "", "refuse it while another job of the queue holds this key")
	f.StringVar(&r.until, "unique-until", queue.UntilDone, "how long it holds the key: start, done, or a length of time")
	f.BoolVar(&r.json, "json", false, "print one JSON object")
	d.completeQueue(c)
	return c
}

func (r *registration) run(ctx context.Context, s *session, c *cobra.Command) error {
	job, err := r.newJob(s, c)
	if err != nil {
		return err
	}
	done, err := s.Enqueue(ctx, job)
	switch holder := (*queue.UniqueError)(nil); {
	case errors.As(err, &holder):
		return fmt.Errorf("job %s holds the unique key: nothing was registered; %q shows it", holder.Holder, s.get(holder.Holder, job.Queue))
	case errors.Is(err, queue.ErrExists):
		return fmt.Errorf("a job with the id %s exists in queue %s: nothing was registered; %q shows it", job.ID, job.Queue, s.get(job.ID, job.Queue))
	case errors.Is(err, queue.ErrOutcomeUnknown):
		return fmt.Errorf("it may be registered, or not: %q shows it if it is (%w)", s.get(done.ID, job.Queue), err)
	case err != nil:
		return err
	}
	if r.json {
		return s.out.object(struct {
			JobID string `json:"job_id"`
			Queue string `json:"queue"`
			Due   moment `json:"due_at"`
		}{done.ID, job.Queue, moment(done.Due)})
	}
	return s.out.say("Registered job %s in queue %s: due %s, at %s.", done.ID, job.Queue, due(done.Due, s.now(ctx, job.Queue)), clockTime(done.Due))
}

// get is the command that shows a job.
func (s *session) get(id, queueName string) string { return s.command("get", id, queueName) }

// command is what to type for another look at a job.
func (s *session) command(verb, id, queueName string) string {
	line := "punctual jobs " + verb + " " + id
	if queueName != queue.DefaultQueue {
		line += " --queue " + queueName
	}
	return line
}

func (r *registration) newJob(s *session, c *cobra.Command) (queue.NewJob, error) {
	job, given := r.job, c.Flags().Changed
	job.Timeout, job.Retention, job.Expires = time.Duration(r.timeout), time.Duration(r.retention), time.Duration(r.expires)
	if job.MaxRetry = r.maxRetry; r.maxRetry == 0 {
		job.MaxRetry = queue.NoRetry
	} else if r.maxRetry < 0 {
		return job, usage("--max-retry must be between 0 and %d", queue.MaxRetryLimit)
	}
	if job.Delay = time.Duration(r.delay); given("run-at") {
		if given("delay") {
			return job, usage("--run-at and --delay exclude each other: give one of them")
		}
		job.Delay, job.At = 0, time.Time(r.at)
	}
	if r.backoff != "" {
		if err := json.Unmarshal([]byte(r.backoff), &job.Backoff); err != nil {
			return job, usage("--backoff: %w", err)
		}
	}
	if r.unique != "" {
		u := queue.Unique{Key: r.unique, Until: r.until}
		if r.until != queue.UntilStart && r.until != queue.UntilDone {
			if err := r.holdIt.Set(r.until); err != nil {
				return job, usage("--unique-until must be start, done, or a length of time like 1h")
			}
			u.Until, u.For = "", time.Duration(r.holdIt)
		}
		job.Unique = &u
	}
	payload, err := s.payload(r.payload)
	if err != nil {
		return job, err
	}
	if job.Payload = payload; job.Type == queue.DefaultType {
		job.Payload = messageOf(s.args, payload)
	} else if len(s.args) > 0 {
		return job, usage("a message is for jobs of type %s: give --payload, or leave --type out", queue.DefaultType)
	}
	return job, nil
}

// messageOf is the payload of a job of type message: the message, or an object of the message and the payload, or nothing.
func messageOf(args []string, payload json.RawMessage) json.RawMessage {
	if len(args) == 0 && payload == nil {
		return nil
	}
	message, _ := json.Marshal(cmp.Or(strings.Join(args, " "), defaultMessage)) // a string always marshals
	if payload == nil {
		return message
	}
	return bytes.Join([][]byte{[]byte(`{"message":`), message, []byte(`,"payload":`), payload, []byte(`}`)}, nil)
}

// defaultMessage is that of the HTTP API.
const defaultMessage = "Job executed successfully"

// payload reads a flag that is JSON, or says where JSON is. nil for none.
func (s *session) payload(text string) (json.RawMessage, error) {
	path, elsewhere := strings.CutPrefix(text, "@")
	read, err := []byte(text), error(nil)
	switch {
	case text == "":
		return nil, nil
	case elsewhere && path == "-":
		read, err = io.ReadAll(io.LimitReader(s.in, queue.MaxPayload*8))
	case elsewhere:
		read, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, usage("--payload: %w", err)
	}
	if !json.Valid(read) {
		return nil, usage("--payload must be JSON: a text stands in quotes of its own, as '\"text\"'")
	}
	return bytes.TrimSpace(read), nil
}
