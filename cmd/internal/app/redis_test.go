package app

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/punctualq/punctual/cmd/internal/settings"
	"github.com/punctualq/punctual/queue"
)

// TestWatchRedisTellsChangesOnly plays a day of a Redis and reads the log.
func TestWatchRedisTellsChangesOnly(t *testing.T) {
	away := queue.Problem{Code: "redis-unavailable", Reason: "nobody answers"}
	evicting := queue.Problem{Code: "redis-evicting", Reason: "Redis may delete jobs"}
	replica := queue.Problem{Code: "redis-read-only", Reason: "a replica"}
	day := [][]queue.Problem{
		{evicting}, {evicting}, {away}, {away}, {away}, {evicting}, {evicting, replica}, {replica}, {}, {}, {away}, {},
	}
	want := []string{
		"warn JOBS MAY BE LOST: Redis may delete jobs", "warn nobody answers", "info Redis is back", "warn a replica",
		"info no longer: redis-evicting", "info no longer: redis-read-only", "warn nobody answers", "info Redis is back",
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var out output
		asked := 0
		health := func(ctx context.Context) []queue.Problem {
			if _, bounded := ctx.Deadline(); !bounded {
				t.Error("it is asked without a deadline")
			}
			if asked++; asked > len(day) {
				cancel()
				return []queue.Problem{{Code: "redis-unavailable", Reason: "the context ended"}}
			}
			return day[asked-1]
		}
		begin := time.Now()
		if err := watchRedis(ctx, health, newLogger(settings.Settings{LogLevel: "info", LogFormat: "json"}, &out), healthEvery); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != time.Duration(len(day))*healthEvery {
			t.Errorf("%d questions took %s, want one at once and then one every %s", asked, took, healthEvery)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			_, level, _ := strings.Cut(line, `"level":"`)
			_, message, _ := strings.Cut(line, `"message":"`)
			got = append(got, level[:4]+" "+strings.TrimSuffix(message, "\"}\n"))
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("the log says\n%q, want\n%q", got, want)
		}
	})
	if perMinute := time.Minute / (2 * healthEvery); perMinute > 12 {
		t.Errorf("a Redis that comes and goes makes %d warnings a minute, want at most 12", perMinute)
	}
}
