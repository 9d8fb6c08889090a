package cli

import (
	"encoding/json"
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ms", 12 * time.Millisecond: "12 ms", 12400 * time.Microsecond: "12 ms", -12 * time.Millisecond: "12 ms",
		999*time.Millisecond + 600*time.Microsecond: "1 s", 999 * time.Millisecond: "999 ms", 1500 * time.Millisecond: "1.5 s", 9949 * time.Millisecond: "9.9 s",
		9960 * time.Millisecond: "10 s", 42 * time.Second: "42 s", 59600 * time.Millisecond: "1 min", 179 * time.Second: "3 min", 3599 * time.Second: "1 h",
		2 * time.Hour: "2 h", 47 * time.Hour: "47 h", 48 * time.Hour: "2 days", 1000 * time.Hour: "42 days",
	} {
		equal(t, d.String(), span(d), want)
	}
}

func TestDueAndAgo(t *testing.T) {
	now := time.UnixMilli(1_900_000_000_000)
	for d, want := range map[time.Duration][2]string{
		3 * time.Minute: {"in 3 min", "in 3 min"}, -12 * time.Millisecond: {"late by 12 ms", "12 ms ago"}, -2 * time.Hour: {"late by 2 h", "2 h ago"},
		0: {"now", "0 ms ago"}, 100 * time.Microsecond: {"now", "0 ms ago"},
	} {
		equal(t, "due "+d.String(), due(now.Add(d), now), want[0])
		equal(t, "ago "+d.String(), ago(now.Add(d), now), want[1])
	}
	equal(t, "no time", due(time.Time{}, now)+ago(time.Time{}, now), "")
}

func TestMoment(t *testing.T) {
	at, _ := json.Marshal(moment(time.UnixMilli(1_767_366_245_006).In(time.FixedZone("JST", 9*3600))))
	equal(t, "time", string(at), `"2026-01-02T15:04:05.006Z"`)
	none, _ := json.Marshal(moment{})
	equal(t, "none", string(none), "null")
}

func TestLasting(t *testing.T) {
	for text, want := range map[string]time.Duration{"90": 90 * time.Second, "0": 0, "1.5": 1500 * time.Millisecond, "2h30m": 150 * time.Minute, "7d": 168 * time.Hour,
		"0.5d": 12 * time.Hour, "10ms": 10 * time.Millisecond} {
		var l lasting
		if err := l.Set(text); err != nil || time.Duration(l) != want {
			t.Errorf("%s: %v, %v", text, time.Duration(l), err)
		}
	}
	for _, text := range []string{"", "x", "-1", "-5m", "d", "1e99", "nan", "1h2", "inf", "5dd"} {
		var l lasting
		if err := l.Set(text); err == nil {
			t.Errorf("%q is taken for %v", text, time.Duration(l))
		}
	}
}
