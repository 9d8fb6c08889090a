package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// The last minute is not over: its rate is that of the part that is, once there is enough of it.
func TestRateOfTheMinuteThatRuns(t *testing.T) {
	bins := func(done int64) []queue.Minute {
		return []queue.Minute{{Start: testNow.Add(-time.Minute), Counters: map[string]int64{"done": 60}}, {Start: testNow, Counters: map[string]int64{"done": done}}}
	}
	for name, tc := range map[string]struct {
		done int64
		over time.Duration
		says string
	}{
		"half a minute":  {60, 30 * time.Second, "At most 120 jobs a minute."},
		"a moment":       {60, time.Second, "At most 60 jobs a minute."},
		"a minute ago":   {90, 2 * time.Minute, "At most 90 jobs a minute."},
		"a clock behind": {90, -time.Minute, "At most 60 jobs a minute."},
	} {
		c := rateChart(bins(tc.done), time.Minute, testNow.Add(tc.over))
		if c.Says != tc.says {
			t.Errorf("%s: %s, want %s", name, c.Says, tc.says)
		}
		if whole := tc.over >= begun; strings.Contains(c.Lines[0].Path, "L") != whole || (c.Lines[0].Area != "") != whole {
			t.Errorf("%s: the line is %q, its area %q", name, c.Lines[0].Path, c.Lines[0].Area)
		}
	}
}
