package app

import (
	"fmt"
	"io"

	"github.com/punctualq/punctual/cmd/internal/settings"
)

// noArguments answers -h, and refuses whatever else stands on the command line of a program that has settings only. ok: go on.
func noArguments(name, does string, args []string, stdout, stderr io.Writer) (code int, ok bool) {
	for _, arg := range args {
		if arg == "-h" || arg == "-help" || arg == "--help" {
			fmt.Fprintf(stdout, "%s %s.\n\nUsage: %s [-h]\n\n", name, does, name)
			settings.Help(stdout)
			return exitOK, false
		}
	}
	if len(args) > 0 {
		fmt.Fprintf(stderr, "%s: takes no arguments, but was given %q: it is set up by environment variables; -h lists them\n", name, args)
		return exitUsage, false
	}
	return exitOK, true
}
