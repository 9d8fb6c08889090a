package queue_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// subject is one that no other test has; its key, spelled here once more, is deleted when the test ends.
func (r *rig) subject() (name, key string) {
	name = r.name + "/ann"
	key = fmt.Sprintf("punctual:limit:%x", sha256.Sum256([]byte(name)))
	r.Cleanup(func() { r.raw.Del(context.Background(), key) })
	return name, key
}

func (r *rig) limit(subject string, rate float64, burst int) time.Duration {
	r.Helper()
	wait, err := r.client.Limit(r.Context(), subject, rate, burst)
	if err != nil {
		r.Fatal(err)
	}
	return wait
}

// One request an hour: the test is faster than that.
const hourly = 1.0 / 3600

func TestLimit(t *testing.T) {
	r := newRig(t)
	ann, key := r.subject()
	for i := range 3 {
		equal(t, fmt.Sprint("request ", i), r.limit(ann, hourly, 3), 0)
	}
	for range 2 { // asking does not make it longer
		if wait := r.limit(ann, hourly, 3); wait <= 59*time.Minute || wait > time.Hour {
			t.Errorf("wait %s, want an hour", wait)
		}
	}
	if ttl := r.raw.PTTL(t.Context(), key).Val(); ttl <= 2*time.Hour || ttl > 3*time.Hour {
		t.Errorf("kept for %s, want until it would be idle again", ttl)
	}
	equal(t, "another", r.limit(ann+"e", hourly, 3), 0)
	r.do("DEL", fmt.Sprintf("punctual:limit:%x", sha256.Sum256([]byte(ann+"e"))))

	back := func(d time.Duration) { // as if so much time had passed
		idle, _ := r.raw.Get(t.Context(), key).Int64()
		r.do("SET", key, idle-d.Microseconds())
	}
	back(time.Hour)
	equal(t, "an hour later", r.limit(ann, hourly, 3), 0)
	if r.limit(ann, hourly, 3) == 0 {
		t.Error("two in one hour")
	}
	back(1000 * time.Hour)
	for i := range 3 {
		equal(t, fmt.Sprint("after a long time, ", i), r.limit(ann, hourly, 3), 0)
	}
	if r.limit(ann, hourly, 3) == 0 {
		t.Error("rest adds up to more than a burst")
	}
}

// What was kept may come from another hand, or from before the clock stepped back: nobody is shut out for longer than a burst takes.
func TestLimitOfWhatMakesNoSense(t *testing.T) {
	r := newRig(t)
	ann, key := r.subject()
	for _, value := range []any{"junk", "", "nan", "-inf", "-1"} {
		r.do("SET", key, value)
		equal(t, fmt.Sprint(value), r.limit(ann, hourly, 1), 0)
	}
	for _, value := range []any{"inf", 1 << 60} {
		r.do("SET", key, value)
		if wait := r.limit(ann, hourly, 2); wait <= 0 || wait > time.Hour {
			t.Errorf("%v: wait %s", value, wait)
		}
	}
	r.do("DEL", key)
	r.do("RPUSH", key, "x")
	if _, err := r.client.Limit(t.Context(), ann, 1, 1); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("of a wrong kind: %v", err)
	}
}

func TestLimitRefuses(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		rate  float64
		burst int
	}{{0, 1}, {-1, 1}, {math.NaN(), 1}, {1, 0}, {1e-12, 1}} {
		if _, err := r.client.Limit(t.Context(), "ann", c.rate, c.burst); !errors.Is(err, queue.ErrInvalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	ann, _ := r.subject()
	equal(t, "a million a second", r.limit(ann, 1e6, 1<<30), 0)
}

// A Redis that is full still limits: what is to be kept does not grow first.
func TestLimitOnAFullRedis(t *testing.T) {
	s := redistest.Own(t)
	r := rigOn(t, s, queue.Options{Timeout: bound})
	ann, _ := r.subject()
	s.Config(t, "maxmemory", "1")
	defer s.Config(t, "maxmemory", "0")
	equal(t, "first", r.limit(ann, hourly, 1), 0)
	if r.limit(ann, hourly, 1) == 0 {
		t.Error("it was not kept")
	}
}
