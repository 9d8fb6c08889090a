package queue_test

import (
	"testing"

	"github.com/punctualq/punctual/queue"
)

// What another hand has written into the keys. Lua reads "nan" as a number with which no comparison holds.

// A window that is no number permits no reaping, and starts anew with the next heartbeat.
func TestAWindowThatIsNoNumber(t *testing.T) {
	for _, field := range []string{"window_start", "window_seen", "interval"} {
		for _, value := range []string{"nan", "-nan", "junk", "", "inf"} {
			r := newRig(t)
			r.register("w", "v")
			r.putNow(1)
			r.take("w", 1)
			r.kill("w")
			r.do("HSET", k("meta"), field, value)
			got, err := r.link.Reap(t.Context(), "w")
			if err != nil || got.Verdict != "early" {
				t.Errorf("%s %q: %+v, %v", field, value, got, err)
			}
			if field == "interval" {
				continue // that heals when nobody lives
			}
			if _, err := r.beat("v", false); err != nil {
				t.Fatal(err)
			}
			started := r.do("HGET", k("meta"), "window_start")
			if field == "window_start" && started == any(value) {
				t.Errorf("%s %q: it did not start anew", field, value)
			}
		}
	}
}

// A timekeeper whose lease is no number is none.
func TestATimekeeperWhoseLeaseIsNoNumber(t *testing.T) {
	for _, field := range []string{"timekeeper_due", "timekeeper_until"} {
		for _, value := range []string{"nan", "junk", ""} {
			r := newRig(t)
			r.register("w", "v")
			due := r.at(bound * 100)[0]
			r.claim("w", 1)
			expectKeeper(r, "w", due)
			r.do("HSET", k("meta"), field, value)
			equal(t, field+" "+value, r.claim("v", 1).Armed, true)
		}
	}
}

// A worker that is overdue itself is not told to reap itself, and is told of another all the same.
func TestAnOverdueWorkerIsToldOfTheOthers(t *testing.T) {
	r := newRig(t)
	r.register("a", "b")
	r.kill("a")
	for range 20 {
		r.kill("b")
		pulse, err := r.beat("b", false)
		if err != nil || pulse.Overdue != "a" && pulse.Overdue != "" {
			t.Fatalf("%+v, %v", pulse, err)
		}
		if pulse.Overdue == "a" {
			return
		}
	}
	t.Error("it was never told of the other")
}

// Elements and ids of another hand find their way to dead, readable.
func TestForeignIDs(t *testing.T) {
	foreign := []string{"x", "a b\n", "1", "", "7:", ":y", "-1:z", "\x00\xff", "1:2:3"}
	r := newRig(t)
	r.register("w")
	for _, element := range foreign {
		r.do("RPUSH", k("processing:w"), element)
	}
	r.kill("w")
	equal(t, "reaped", r.reap("w"), queue.Reaped{Verdict: "reaped", Dead: len(foreign)}) // "" and "7:" are the same id
}

func TestForeignIDsInTheSchedule(t *testing.T) {
	r := newRig(t)
	r.register("w")
	for i, id := range []string{"s", "", "s s", "s\xff"} {
		r.do("ZADD", k("scheduled"), []any{"-inf", 0, "-1e300", 1}[i], id)
	}
	r.do("ZADD", k("scheduled"), "inf", "never")
	equal(t, "claimed", len(r.claim("w", 50).Jobs), 0)
	equal(t, "waits", r.do("ZCARD", k("scheduled")), any(int64(1)))
	r.do("ZADD", k("scheduled"), 0, "never")
	r.claim("w", 50)
	equal(t, "waits", r.do("ZCARD", k("scheduled")), any(int64(0)))
}

// No element could name an empty id: it goes to dead, with its record.
func TestAnEmptyID(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.do("HSET", k("jobs"), "", `{"type":"x"}`)
	r.do("ZADD", k("scheduled"), 0, "")
	equal(t, "claimed", len(r.claim("w", 1).Jobs), 0)
	info := r.get("")
	equal(t, "state", info.State, queue.Dead)
	equal(t, "record", info.Type, "x")
	equal(t, "reason", info.Failures[0].Error, "unreadable: id is empty")
}
