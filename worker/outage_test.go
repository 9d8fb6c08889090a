package worker

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// An outage is one for all queues of a process: one warning, however many queues it has, and one word when all are back.
func TestOutageOfManyQueuesIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		o := &outage{log: zerolog.New(&log)}
		queues := strings.Split("a b c d e f g h", " ")
		for range 300 { // five minutes
			for _, q := range queues {
				o.failed(q, errors.New("refused"))
			}
			time.Sleep(time.Second) // in a bubble: no real time passes
		}
		if n := strings.Count(log.String(), `"level":"warn"`); n != 1 {
			t.Errorf("%d warnings, want 1:\n%s", n, &log)
		}
		if n := strings.Count(log.String(), "\n"); n > 11 {
			t.Errorf("%d lines in five minutes", n)
		}
		for i, q := range queues {
			if strings.Contains(log.String(), "is back") {
				t.Fatalf("told that Redis is back with %d queues still cut off", len(queues)-i)
			}
			o.over(q)
		}
		if n := strings.Count(log.String(), "is back"); n != 1 {
			t.Errorf("told %d times that Redis is back, want once", n)
		}
	})
}
