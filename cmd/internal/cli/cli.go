// Package cli is the commands of punctual by which people look at queues and steer them. Like the verbs of the HTTP API they talk to the
// Redis of REDIS_URL, with no API process between.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/punctualq/punctual/cmd/internal/plain"
	"github.com/punctualq/punctual/cmd/internal/settings"
	"github.com/punctualq/punctual/queue"
)

// Exit codes, as help tells them.
const (
	exitOK          = 0
	exitFailed      = 1   // not found, refused, or Redis is away: the sentence on stderr says which
	exitUsage       = 2   // a wrong argument or setting
	exitInterrupted = 130 // Ctrl+C, as a shell would say it
)

const helpTail = `
Settings: REDIS_URL names the Redis; "punctual -h" lists them all.

Exit status: 0 done, 1 not found, refused or failed, 2 wrong arguments or settings, 130 interrupted.
`

// Commands are all of them. How the one that ran ended is in code; what cobra returns is about the command line.
func Commands(env settings.Lookup, code *int) []*cobra.Command {
	d := &desk{env: env, code: code}
	all := []*cobra.Command{d.registerCommand(), d.jobsCommand(), d.queuesCommand(), d.workersCommand(), d.statsCommand(), d.groupsCommand(),
		d.trailCommand(), d.keysCommand(), d.topCommand(), d.benchCommand(), d.doctorCommand(), d.versionCommand()}
	for _, c := range all {
		c.SetHelpTemplate(c.HelpTemplate() + helpTail)
	}
	return all
}

// desk is what all commands share.
type desk struct {
	env  settings.Lookup
	code *int
}

// session is one command at work.
type session struct {
	*queue.Client
	settings settings.Settings
	args     []string
	in       io.Reader
	out, err *screen
}

// runs makes a cobra.Command.RunE of work, which gets a client that is closed behind it. Redis need not be there: what needs it says so.
func (d *desk) runs(work func(context.Context, *session) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		s := &session{args: args, in: c.InOrStdin(), out: screenOf(c.OutOrStdout(), d.env), err: screenOf(c.ErrOrStderr(), d.env)}
		err := s.open(c.Context(), d.env)
		if err == nil {
			err = work(c.Context(), s)
			err = errors.Join(err, s.Close())
		}
		*d.code = s.end(c, err)
		return nil
	}
}

func (s *session) open(ctx context.Context, env settings.Lookup) (err error) {
	if s.settings, err = settings.Read(env, settings.Worker); err != nil { // no token is checked here
		return usage("cannot begin with these settings:\n%w", err)
	}
	s.Client, err = queue.Open(ctx, string(s.settings.RedisURL), queue.Options{MaxScheduled: s.settings.QueueMax, EnqueueWait: s.settings.EnqueueWait})
	if err != nil && !errors.Is(err, queue.ErrLayout) {
		return usage("REDIS_URL: %w", err)
	}
	return err
}

// end tells of an error and says what the exit code is.
func (s *session) end(c *cobra.Command, err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, new(silent)), errors.Is(err, syscall.EPIPE): // whoever read it has seen enough
	default:
		fmt.Fprintf(s.err, "%s: %s\n", c.CommandPath(), plain.Lines(s.advised(err).Error()))
	}
	var invalid *queue.InvalidError
	switch {
	case errors.Is(err, context.Canceled), c.Context().Err() != nil:
		return exitInterrupted
	case errors.As(err, new(usageError)), errors.Is(err, queue.ErrCursor), errors.As(err, &invalid) && invalid.Field != "id": // that of a record
		return exitUsage
	}
	return exitFailed
}

// usageError is about what stands on the command line, or in a setting.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// silent is the end of a command that has told everything itself.
type silent struct{ error }

func (e silent) Unwrap() error { return e.error }

// group is a command that is nothing without one of its own.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(commands...)
	return c
}
