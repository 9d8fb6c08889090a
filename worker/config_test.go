package worker

import (
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

func TestConfigDefaults(t *testing.T) {
	c, err := Config{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(c.Queues, map[string]int{"default": 10}) || c.Concurrency != 10 || c.JobTimeout != 30*time.Minute ||
		c.RetryBase != time.Second || c.RetryCap != time.Hour || c.Timing != (queue.Timing{Interval: 2 * time.Second, TTL: 10 * time.Second}) ||
		c.DeadMax != 100_000 || c.DoneMax != 100_000 || c.DeadRetention != 2160*time.Hour || c.ShutdownGrace != 25*time.Second || c.LeaseDoubt != DoubtContinue ||
		c.StuckAfter != 10*time.Second {
		t.Errorf("%+v", c)
	}
}

func TestConfigKeepsWhatIsGiven(t *testing.T) {
	queues := map[string]int{"a": 0, "b": 3}
	c, err := Config{Queues: queues, Concurrency: 7, JobTimeout: 1, RetryBase: time.Minute, RetryCap: time.Minute, DeadMax: 5,
		Timing: queue.Timing{Interval: time.Second, TTL: time.Minute}, DeadRetention: 2, ShutdownGrace: 3, LeaseDoubt: DoubtCancel, StuckAfter: 4}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(c.Queues, map[string]int{"a": 7, "b": 3}) || c.JobTimeout != 1 || c.RetryBase != time.Minute || c.DeadMax != 5 ||
		c.Timing.TTL != time.Minute || c.DeadRetention != 2 || c.ShutdownGrace != 3 || c.LeaseDoubt != DoubtCancel || c.StuckAfter != 4 {
		t.Errorf("%+v", c)
	}
	if queues["a"] != 0 {
		t.Error("the caller's map was changed")
	}
	if c, err := (Config{Timing: queue.Timing{Interval: time.Second}}).withDefaults(); err != nil || c.Timing.TTL != 5*time.Second {
		t.Errorf("TTL %s for an interval of 1 s: %v", c.Timing.TTL, err)
	}
}

func TestConfigRefusals(t *testing.T) {
	for text, c := range map[string]Config{
		"concurrency":             {Concurrency: -1},
		"job timeout":             {JobTimeout: -1},
		"retry base -1":           {RetryBase: -1},
		"cap not below the base":  {RetryBase: time.Minute, RetryCap: time.Second},
		"retry cap 1h0m0s":        {RetryBase: 2 * time.Hour},
		"dead jobs":               {DeadMax: -1},
		"done jobs":               {DoneMax: -1},
		"dead retention":          {DeadRetention: -1},
		"shutdown grace":          {ShutdownGrace: -1},
		"stuck after":             {StuckAfter: -1},
		`lease doubt "perhaps"`:   {LeaseDoubt: "perhaps"},
		"queue mail has -2 slots": {Queues: map[string]int{"mail": -2}},
		"at least 10ms":           {Timing: queue.Timing{Interval: time.Millisecond}},
		"at least five times":     {Timing: queue.Timing{Interval: 2 * time.Second, TTL: 9999 * time.Millisecond}},
		"interval 2s":             {Timing: queue.Timing{TTL: time.Second}},
	} {
		w, err := New(nil, c)
		if err == nil || w != nil || !strings.Contains(err.Error(), text) || !strings.HasPrefix(err.Error(), "worker: ") {
			t.Errorf("%+v: %v; want %q in it", c, err, text)
		}
	}
}

func TestInfoTellsOfThisProcess(t *testing.T) {
	c, _ := Config{Build: "b1"}.withDefaults()
	info := c.info(3)
	host, _ := os.Hostname()
	dir, _ := os.Getwd()
	if info.Host != host || info.PID != os.Getpid() || info.Concurrency != 3 || info.Build != "b1" || info.Dir != dir || info.Started.Nanosecond() != 0 {
		t.Errorf("%+v", info)
	}
}
