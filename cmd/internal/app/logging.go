package app

import (
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/punctualq/punctual/cmd/internal/settings"
)

func init() {
	zerolog.DurationFieldInteger = true
	zerolog.TimeFieldFormat = "2006-01-02T15:04:05.000Z07:00" // the default has no milliseconds
}

// newLogger makes the logger of a process. Logs never go to stdout: that belongs to the jobs.
func newLogger(s settings.Settings, w io.Writer) zerolog.Logger {
	if s.LogFormat == "console" {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: "15:04:05.000", TimeLocation: time.Local, NoColor: !colorful(w)}
	}
	level, err := zerolog.ParseLevel(s.LogLevel)
	if err != nil {
		level = zerolog.InfoLevel // settings let no other word through
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

// colorful tells whether somebody looks at a writer with eyes.
func colorful(w io.Writer) bool {
	if s, ok := w.(*syncWriter); ok {
		w = s.w
	}
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
