package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/punctualq/punctual/cmd/internal/plain"
	"github.com/punctualq/punctual/cmd/internal/settings"
	"github.com/punctualq/punctual/queue"
)

// The levels of a verdict.
const (
	levelOK   = "ok"
	levelWarn = "warn"
	levelBad  = "bad"
)

// verdict is one thing that was looked at.
type verdict struct {
	Level string `json:"level"` // ok, warn or bad
	About string `json:"about"`
	Says  string `json:"says"`
	Do    string `json:"do,omitempty"` // what to do about it
}

// examination is one run of the doctor.
type examination struct {
	*session
	env      settings.Lookup
	verdicts []verdict
}

func (x *examination) ok(about, format string, args ...any) { x.add(levelOK, about, "", format, args) }
func (x *examination) warn(about, do, format string, args ...any) {
	x.add(levelWarn, about, do, format, args)
}
func (x *examination) bad(about, do, format string, args ...any) {
	x.add(levelBad, about, do, format, args)
}

func (x *examination) add(level, about, do, format string, args []any) {
	v := verdict{level, about, plain.Line(fmt.Sprintf(format, args...)), do}
	if !slices.Contains(x.verdicts, v) { // nodes of one Cluster are alike
		x.verdicts = append(x.verdicts, v)
	}
}

func (d *desk) doctorCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look whether everything is as it should be: settings, Redis, queues, workers",
		Long: "Look whether everything is as it should be: settings, Redis (latency, version, persistence, eviction, memory, clock,\n" +
			"permissions), queues, workers, and what a go run has left behind on this machine. Each line is ok, warn or bad, with what\n" +
			"to do. It reads only. Exit status: 0 nothing is bad, 1 something is. --json prints one JSON object.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s := &session{in: c.InOrStdin(), out: screenOf(c.OutOrStdout(), d.env), err: screenOf(c.ErrOrStderr(), d.env)}
			x := &examination{session: s, env: d.env}
			x.run(c.Context())
			err := x.tell(asJSON)
			if err == nil && slices.ContainsFunc(x.verdicts, func(v verdict) bool { return v.Level == levelBad }) {
				err = silent{errors.New("something is bad")}
			}
			*d.code = s.end(c, errors.Join(err, c.Context().Err()))
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// run looks at everything, as far as that can be done.
func (x *examination) run(ctx context.Context) {
	defer x.leftovers("/proc")
	if !x.settingsAndClient(ctx) {
		return
	}
	defer x.Close()
	if x.latency(ctx) {
		x.redis(ctx)
		x.queues(ctx)
	}
}

// settingsAndClient is false if there is no client with which to go on.
func (x *examination) settingsAndClient(ctx context.Context) bool {
	err := x.open(ctx, x.env)
	var wrong settings.Error
	switch {
	case errors.As(err, &wrong):
		for _, sentence := range wrong {
			x.bad("settings", "set it right; server -h lists all settings", "%s", sentence)
		}
		return false
	case errors.Is(err, queue.ErrLayout):
		x.bad("layout", "upgrade this program, and whatever else is older", "%s", err)
		return false
	case err != nil:
		x.bad("settings", "set it right; server -h lists all settings", "%s", err)
		return false
	}
	x.ok("settings", "APP_ENV is %s, Redis is at %s", x.settings.Env, x.settings.RedisHost)
	x.tokens()
	return true
}

// tokens looks whether an API process would start with these settings, and what its secret is.
func (x *examination) tokens() {
	_, err := settings.Read(x.env, settings.API)
	var wrong settings.Error
	switch {
	case errors.As(err, &wrong):
		for _, sentence := range wrong {
			x.warn("tokens", "mend it where the API runs; elsewhere it does not matter", "the API would not start with these settings: %s", sentence)
		}
	case x.settings.Env == settings.Develop && !x.settings.Given("JWT_SECRET") && !x.settings.Given("JWT_SECRETS"):
		x.ok("tokens", "signed with the secret that everybody knows, which is good for APP_ENV=develop on loopback alone")
	default:
		x.ok("tokens", "the API has keys of its own")
	}
}

func (x *examination) tell(asJSON bool) error {
	if asJSON {
		return x.out.object(map[string]any{"verdicts": x.verdicts})
	}
	colors := map[string]string{levelOK: "\x1b[32m", levelWarn: yellow, levelBad: red}
	var b strings.Builder
	for _, v := range x.verdicts {
		level := x.out.colored(colors[v.Level], fmt.Sprintf("%-4s", v.Level))
		fmt.Fprintf(&b, "%s  %-11s  %s\n", level, v.About, v.Says)
		if v.Do != "" {
			fmt.Fprintf(&b, "%19s-> %s\n", "", v.Do)
		}
	}
	_, err := fmt.Fprint(x.out, b.String())
	return err
}
