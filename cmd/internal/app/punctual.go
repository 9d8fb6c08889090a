package app

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/punctualq/punctual/cmd/internal/cli"
	"github.com/punctualq/punctual/cmd/internal/settings"
)

// Punctual is the program for people.
func Punctual(ctx context.Context, args []string, env settings.Lookup, stdout, stderr io.Writer) int {
	code := exitOK
	root := &cobra.Command{
		Use:           "punctual",
		Short:         "Punctual is a delayed-job queue on Redis.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(devCommand(env, &code), auditCommand(env, &code), tokenCommand(env, &code), probeCommand(&code))
	root.AddCommand(cli.Commands(env, &code)...)
	var help strings.Builder
	settings.Help(&help)
	root.SetHelpTemplate(root.HelpTemplate() + "\n" + help.String())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil { // of the command line; what a command itself meets is in code
		fmt.Fprintf(stderr, "punctual: %s; -h shows what there is\n", err)
		return exitUsage
	}
	return code
}

func devCommand(env settings.Lookup, code *int) *cobra.Command {
	return &cobra.Command{
		Use:   "dev",
		Short: "Everything for a first look: a Redis, the API, a worker, and one job that is due in 3 s",
		Long: "Everything for a first look, in one process: a Redis (the one of REDIS_URL if that is set, else a private redis-server\n" +
			"if one is on the PATH, else an embedded one), the API, and a worker. It registers a job over HTTP that is due in 3 s, then\n" +
			"prints a curl command to register the next one, and goes on until Ctrl+C. The worker has no probes, and only warnings\n" +
			"are logged unless LOG_LEVEL is set.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s := spec{name: "punctual dev", kind: settings.API, quiet: true, work: dev}
			*code = s.run(c.Context(), env, c.OutOrStdout(), c.ErrOrStderr())
			return nil
		},
	}
}
