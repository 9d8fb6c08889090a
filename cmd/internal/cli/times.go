package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// span is a length of time for people: its biggest unit, rounded.
func span(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	switch {
	case d.Round(time.Millisecond) < time.Second:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	case d.Round(100*time.Millisecond) < 10*time.Second:
		return strings.TrimSuffix(strconv.FormatFloat(d.Seconds(), 'f', 1, 64), ".0") + " s"
	case d.Round(time.Second) < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d.Round(time.Minute) < time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d.Round(time.Hour) < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}

// due says when a job is due, or for how long it has been.
func due(t, now time.Time) string {
	switch d := t.Sub(now).Round(time.Millisecond); {
	case t.IsZero():
		return ""
	case d > 0:
		return "in " + span(d)
	case d == 0:
		return "now"
	default:
		return "late by " + span(d)
	}
}

// ago says when something was.
func ago(t, now time.Time) string {
	switch d := now.Sub(t).Round(time.Millisecond); {
	case t.IsZero():
		return ""
	case d < 0:
		return "in " + span(d)
	default:
		return span(d) + " ago"
	}
}

// clockTime is a time for people who want to compare it with a log: of this machine's zone, to the ms.
func clockTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05.000") }

// moment is an exact time: RFC 3339 in UTC to the ms, null if there is none.
type moment time.Time

func (m moment) IsZero() bool { return time.Time(m).IsZero() }

func (m moment) MarshalJSON() ([]byte, error) {
	if m.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(time.Time(m).UTC().Format("2006-01-02T15:04:05.000Z"))
}

// lasting is a flag's duration: as Go writes it, in days (7d), or a number of seconds.
type lasting time.Duration

func (l *lasting) String() string { return time.Duration(*l).String() }
func (l *lasting) Type() string   { return "duration" }

func (l *lasting) Set(text string) error {
	number, unit := strings.TrimSuffix(text, "d"), time.Second
	if strings.HasSuffix(text, "d") {
		unit = 24 * time.Hour
	}
	n, err := strconv.ParseFloat(number, 64)
	d := time.Duration(n * float64(unit))
	if err != nil {
		d, err = time.ParseDuration(text)
	}
	if err != nil || d < 0 || n > 1e9 {
		return fmt.Errorf("must be a length of time like 90s, 5m, 2h30m or 7d")
	}
	*l = lasting(d)
	return nil
}

// instant is a flag's point in time.
type instant time.Time

func (i *instant) String() string {
	if time.Time(*i).IsZero() {
		return ""
	}
	return time.Time(*i).Format(time.RFC3339Nano)
}
func (i *instant) Type() string { return "time" }

func (i *instant) Set(text string) error {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return fmt.Errorf("must be a time like 2026-01-02T15:04:05Z or 2026-01-02T15:04:05+09:00")
	}
	*i = instant(t)
	return nil
}
