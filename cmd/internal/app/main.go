// Package app is the three programs: what their main files call, and the wiring that they share.
package app

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/punctualq/punctual/cmd/internal/settings"
	"github.com/punctualq/punctual/queue"
)

// Exit codes. A second signal exits with 128 and its number, as a shell would say it.
const (
	exitOK     = 0
	exitFailed = 1 // the sentence on stderr says why
	exitUsage  = 2 // a wrong setting or argument: starting again does not help
)

// Program is one of the binaries as its main file and its tests call it: everything it gets from outside is an argument.
// The end of ctx begins its orderly shutdown. It returns the exit code.
type Program func(ctx context.Context, args []string, env settings.Lookup, stdout, stderr io.Writer) int

// Main runs a program with what this process has, and with its signals. It is called once, and exits with what it returns.
func Main(p Program) int {
	queue.QuietDriver()
	// A pipe that nobody reads any more must not kill a worker between two jobs: writing to it becomes an error.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := untilSignal(context.Background(), os.Exit)
	defer stop()
	return p(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr)
}
