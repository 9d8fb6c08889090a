package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/punctualq/punctual/cmd/internal/build"
	"github.com/punctualq/punctual/queue"
)

func (d *desk) versionCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Say which build this is, as workers and logs name it",
		Long:  "Say which build this is, as workers and logs name it, and which layout of the data in Redis it reads. --json prints one JSON object.",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			version := "(devel)"
			if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
				version = info.Main.Version
			}
			out := screenOf(c.OutOrStdout(), d.env)
			if asJSON {
				return out.object(map[string]any{"version": version, "build": build.ID(), "layout": queue.LayoutVersion, "go": runtime.Version()})
			}
			return out.say("punctual %s, build %s, layout %d, %s %s/%s", version, build.ID(), queue.LayoutVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}
