package ui

import (
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

// words are the functions of the templates: numbers and times as people say them.
var words = template.FuncMap{
	"count": count, "span": span, "when": when, "late": late, "pretty": queue.PrettyPayload, "jobURL": jobURL, "short": short, "bytes": byteCount,
	"plural": plural, "count64": func(n int64) string { return count(int(n)) }, "runs": func(retries int) int { return retries + 1 },
	"verbName": verbName, "stateKind": stateKind, "icon": func() string { return assets.url("icon.svg") }, "parts": partsOf,
}

// count is a number with commas: 12,345.
func count(n int) string {
	digits := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}

func replaceCount(text string, n int) string { return strings.Replace(text, "#", count(n), 1) }

// plural is a number with its thing: 1 job, 2 jobs.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return count(n) + " " + thing + "s"
}

// span is a duration with two figures at most: 12 ms, 3.4 s, 5 min, 2 h 5 min, 4 days.
func span(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	switch {
	case d < time.Millisecond && d > 0:
		return "< 1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Truncate(100*time.Millisecond).Seconds()), ".0") + " s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return two(d, time.Minute, "min", time.Second, "s", d < 10*time.Minute)
	case d < 48*time.Hour:
		return two(d, time.Hour, "h", time.Minute, "min", true)
	case d < 100*24*time.Hour:
		return two(d, 24*time.Hour, "days", time.Hour, "h", d < 5*24*time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

func two(d, big time.Duration, bigName string, small time.Duration, smallName string, both bool) string {
	text := fmt.Sprintf("%d %s", d/big, bigName)
	if rest := d % big / small; both && rest > 0 {
		text += fmt.Sprintf(" %d %s", rest, smallName)
	}
	return text
}

// moment is a time for people, with the exact one for machines and for whoever points at it.
type moment struct{ Words, Exact, Machine string }

// when tells a time from now: in 3 min, 12 s ago; nil for the zero time.
func when(t, now time.Time) *moment {
	if t.IsZero() {
		return nil
	}
	u := t.UTC()
	m := &moment{Exact: u.Format("2006-01-02 15:04:05.000 UTC"), Machine: u.Format("2006-01-02T15:04:05.000Z")}
	switch d := t.Sub(now); {
	case d > time.Second:
		m.Words = "in " + span(d)
	case d < -time.Second:
		m.Words = span(d) + " ago"
	default:
		m.Words = "now"
	}
	return m
}

// late is for how long something is due, in words; "" if it is not late.
func late(d time.Duration) string {
	if d < time.Millisecond {
		return "on time"
	}
	return "late by " + span(d)
}

// byteCount is 1.5 MiB.
func byteCount(n int64) string {
	size, unit := float64(n), "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if size < 1024 {
			break
		}
		size, unit = size/1024, u
	}
	if unit == "B" || size >= 100 {
		return fmt.Sprintf("%.0f %s", size, unit)
	}
	return fmt.Sprintf("%.1f %s", size, unit)
}

// short cuts a text that is long.
func short(n int, text string) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return text
}

// jobURL is the address of a job's page.
func jobURL(queue, id string) string {
	return "/ui/jobs/" + url.PathEscape(id) + "?" + url.Values{"queue": {queue}}.Encode()
}

// verbName is what a button says.
func verbName(verb string) string {
	if verb == "run" {
		return "Run now"
	}
	return strings.ToUpper(verb[:1]) + verb[1:]
}

// partsOf makes one value of several for a template within a template: names and values by turns.
func partsOf(pairs ...any) map[string]any {
	parts := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		parts[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return parts
}
