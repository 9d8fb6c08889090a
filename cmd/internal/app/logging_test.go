package app

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/cmd/internal/settings"
)

func TestLogger(t *testing.T) {
	var out output
	log := newLogger(settings.Settings{LogLevel: "warn", LogFormat: "json"}, &out)
	log.Info().Msg("unheard")
	log.Warn().Str("field", "日本").Msg("heard")
	var line struct{ Level, Field, Message, Time string }
	if err := json.Unmarshal([]byte(out.String()), &line); err != nil {
		t.Fatalf("%v: %q is not one line of JSON", err, out.String())
	}
	if line.Level != "warn" || line.Field != "日本" || line.Message != "heard" {
		t.Errorf("got %+v", line)
	}
	if _, err := time.Parse("2006-01-02T15:04:05.000Z07:00", line.Time); err != nil {
		t.Error(err)
	}
	out = output{}
	log = newLogger(settings.Settings{LogLevel: "debug", LogFormat: "console"}, &out)
	log.Debug().Str("field", "x").Msg("heard")
	if text := out.String(); !strings.Contains(text, "DBG heard field=x") || strings.Contains(text, "\x1b") {
		t.Errorf("console: %q, want a plain line without colors for what is no terminal", text)
	}
}
