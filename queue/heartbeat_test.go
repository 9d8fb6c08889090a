package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/queue"
)

func TestHeartbeatRegistersAWorker(t *testing.T) {
	r := newRig(t)
	before := r.now()
	started := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	info := queue.WorkerInfo{ID: "w", Host: "h", PID: 9, Started: started, Concurrency: 4, Build: "b", Dir: "d", Stuck: 2}
	pulse, err := r.link.Heartbeat(t.Context(), info, timing, true)
	after := r.now()
	if err != nil || pulse.Overdue != "" || len(pulse.Own) != 0 || !pulse.NextDue.IsZero() {
		t.Fatalf("%+v, %v", pulse, err)
	}
	if now := pulse.Now.UnixMilli(); now < before || now > after {
		t.Errorf("now %d, want between %d and %d", now, before, after)
	}
	equal(t, "heartbeat", r.do("GET", k("heartbeat:w")),
		any(`{"host":"h","pid":9,"started":"2026-01-02T03:04:05Z","concurrency":4,"build":"b","dir":"d","stuck":2}`))
	ttl := r.raw.PTTL(t.Context(), r.key("heartbeat:w")).Val()
	if ttl <= timing.TTL-bound || ttl > timing.TTL {
		t.Errorf("TTL %s, want %s", ttl, timing.TTL)
	}
	now := pulse.Now.UnixMilli()
	equal(t, "registry", r.raw.ZRangeWithScores(t.Context(), r.key("workers"), 0, -1).Val(),
		[]redis.Z{{Member: "w", Score: float64(now + timing.TTL.Milliseconds())}})
	equal(t, "registry has no TTL", r.raw.TTL(t.Context(), r.key("workers")).Val(), time.Duration(-1))
	equal(t, "meta", r.raw.HGetAll(t.Context(), r.key("meta")).Val(), map[string]string{
		"layout": "1", "interval": "60000", "ttl": "300000", "window_start": fmt.Sprint(now), "window_seen": fmt.Sprint(now), "minute": fmt.Sprint(now / 60_000)})
	queues, err := r.client.Queues(t.Context())
	if err != nil || !slices.Contains(queues, r.name) {
		t.Errorf("queues: %v, %v", queues, err)
	}
}

func TestHeartbeatRenews(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.do("ZADD", k("workers"), 1000, "w") // long overdue: after a pause it still owns its list
	r.do("DEL", k("heartbeat:w"))
	pulse, err := r.beat("w", false)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "overdue", pulse.Overdue, "")
	equal(t, "score", r.raw.ZScore(t.Context(), r.key("workers"), "w").Val(), float64(pulse.Now.UnixMilli()+timing.TTL.Milliseconds()))
	equal(t, "heartbeat is back", r.do("EXISTS", k("heartbeat:w")), any(int64(1)))
}

func TestHeartbeatIsFenced(t *testing.T) {
	r := newRig(t)
	r.register("reaped")
	r.do("HSET", k("meta"), "reaping:reaped", "1")
	before := r.everything()
	for _, w := range []string{"stranger", "reaped"} {
		if pulse, err := r.beat(w, false); !errors.Is(err, queue.ErrFenced) {
			t.Errorf("%s: %+v, %v", w, pulse, err)
		}
	}
	r.unchanged(before)
}

func TestHeartbeatTellsTheOwnListAndTheNextDueTime(t *testing.T) {
	r := newRig(t)
	r.register("w", "other")
	r.putNow(3)
	due := r.at(time.Hour)[0]
	own := r.take("w", 2)
	r.take("other", 1)
	pulse, err := r.beat("w", false)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "own", pulse.Own, []string{own[0].Element, own[1].Element})
	equal(t, "next due", pulse.NextDue.UnixMilli(), due)
	observed, err := r.client.Observe(t.Context(), r.name, timing)
	if err != nil || len(observed.Own) != 0 || observed.NextDue.UnixMilli() != due {
		t.Errorf("%+v, %v", observed, err)
	}
}

func TestHeartbeatObserveRegistersNobody(t *testing.T) {
	r := newRig(t)
	pulse, err := r.client.Observe(t.Context(), r.name, timing)
	if err != nil || pulse.Overdue != "" {
		t.Fatalf("%+v, %v", pulse, err)
	}
	now, minute := fmt.Sprint(pulse.Now.UnixMilli()), fmt.Sprint(pulse.Now.UnixMilli()/60_000)
	equal(t, "all keys", r.everything(), map[string]any{"meta": map[string]string{
		"layout": "1", "interval": "60000", "ttl": "300000", "window_start": now, "window_seen": now, "minute": minute}, "minutes": map[string]string{"last": ""}})
}

func TestHeartbeatRefusesAnotherTiming(t *testing.T) {
	r := newRig(t)
	other := queue.Timing{Interval: time.Second, TTL: 10 * time.Second}
	register := func(worker string, with queue.Timing) error {
		_, err := r.link.Heartbeat(t.Context(), queue.WorkerInfo{ID: worker}, with, true)
		return err
	}
	r.register("w")
	before := r.everything()
	for _, with := range []queue.Timing{other, {Interval: timing.Interval, TTL: timing.TTL + time.Second}, {Interval: time.Second, TTL: timing.TTL}} {
		err := register("new", with)
		if !errors.Is(err, queue.ErrTiming) || !strings.Contains(err.Error(), "HEARTBEAT_INTERVAL=60000ms HEARTBEAT_TTL=300000ms") {
			t.Errorf("%+v: %v", with, err)
		}
		if _, err := r.client.Observe(t.Context(), r.name, with); !errors.Is(err, queue.ErrTiming) {
			t.Errorf("observe %+v: %v", with, err)
		}
	}
	r.unchanged(before)
	if err := register("w", other); err != nil {
		t.Errorf("the only one that lives may change it: %v", err)
	}
	equal(t, "interval", r.do("HGET", k("meta"), "interval"), any("1000"))
	r.do("ZADD", k("workers"), 1000, "w")
	if err := register("new", timing); err != nil {
		t.Errorf("nobody else lives: %v", err)
	}
	equal(t, "ttl", r.do("HGET", k("meta"), "ttl"), any("300000"))
}

func TestHeartbeatRefusesANewerLayout(t *testing.T) {
	r := newRig(t)
	r.register("w")
	for _, layout := range []string{"2", "x"} {
		r.layout(layout)
		before := r.everything()
		_, renew := r.beat("w", false)
		_, first := r.beat("new", true)
		_, observe := r.client.Observe(t.Context(), r.name, timing)
		for _, err := range []error{renew, first, observe} {
			if !errors.Is(err, queue.ErrLayout) {
				t.Errorf("layout %s: %v", layout, err)
			}
		}
		r.unchanged(before)
	}
}

// The window is proof that Redis was reachable all the time: it starts anew after a gap, and when the clock stepped back.
func TestHeartbeatWindow(t *testing.T) {
	gap := timing.Interval.Milliseconds() * 3 / 2
	for name, test := range map[string]struct {
		seen    any // ms before now, or text
		restart bool
	}{
		"no gap": {seen: gap - bound.Milliseconds()}, "gap": {seen: gap, restart: true}, "long gap": {seen: 10 * gap, restart: true},
		"clock stepped back": {seen: -bound.Milliseconds(), restart: true}, "unreadable": {seen: "x", restart: true},
	} {
		for mode, beat := range map[string]func(*rig) (queue.Pulse, error){
			"new":     func(r *rig) (queue.Pulse, error) { return r.beat("new", true) },
			"renew":   func(r *rig) (queue.Pulse, error) { return r.beat("w", false) },
			"observe": func(r *rig) (queue.Pulse, error) { return r.client.Observe(r.Context(), r.name, timing) },
		} {
			r := newRig(t)
			r.register("w")
			now := r.now()
			seen := test.seen
			if ago, ok := seen.(int64); ok {
				seen = now - ago
			}
			start := now - 100*gap
			r.do("HSET", k("meta"), "window_start", start, "window_seen", seen)
			pulse, err := beat(r)
			if err != nil {
				t.Fatal(err)
			}
			want := start
			if test.restart {
				want = pulse.Now.UnixMilli()
			}
			equal(t, name+", "+mode+": start", r.do("HGET", k("meta"), "window_start"), any(fmt.Sprint(want)))
			equal(t, name+", "+mode+": seen", r.do("HGET", k("meta"), "window_seen"), any(fmt.Sprint(pulse.Now.UnixMilli())))
		}
	}
}

// A clock that stepped back makes every registration last longer by the step. The first heartbeat after it shortens them.
func TestHeartbeatAfterTheClockSteppedBack(t *testing.T) {
	for name, test := range map[string]struct {
		seen    time.Duration // from now
		clamped bool
	}{
		"stepped back": {time.Hour, true}, "not": {-time.Millisecond, false},
	} {
		r := newRig(t)
		r.register("w", "dead")
		far := r.now() + time.Hour.Milliseconds()
		r.do("ZADD", k("workers"), far, "dead", 1, "overdue")
		r.do("HSET", k("meta"), "window_seen", r.now()+test.seen.Milliseconds())
		pulse, err := r.client.Observe(t.Context(), r.name, timing)
		if err != nil {
			t.Fatal(err)
		}
		want := far
		if test.clamped {
			want = pulse.Now.Add(timing.TTL).UnixMilli()
		}
		equal(t, name+": registered until", r.do("ZSCORE", k("workers"), "dead"), any(float64(want)))
		equal(t, name+": one that ran out before", r.do("ZSCORE", k("workers"), "overdue"), any(1.0))
		r.do("ZREM", k("workers"), "overdue")
	}
}

func TestHeartbeatNamesEachOverdueWorkerInTurn(t *testing.T) {
	r := newRig(t)
	r.register("w")
	for i, dead := range []string{"x", "y", "z"} {
		r.do("ZADD", k("workers"), 1000+i, dead)
	}
	named := map[string]bool{}
	for len(named) < 3 { // by the clock: the test's own limit ends a loop that never gets there
		for _, ask := range []func() (queue.Pulse, error){
			func() (queue.Pulse, error) { return r.beat("w", false) },
			func() (queue.Pulse, error) { return r.client.Observe(t.Context(), r.name, timing) },
		} {
			pulse, err := ask()
			if err != nil || pulse.Overdue < "x" || pulse.Overdue > "z" {
				t.Fatalf("%+v, %v", pulse, err)
			}
			named[pulse.Overdue] = true
		}
	}
}

func TestHeartbeatReplacesAKeyOfAnotherKind(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.do("DEL", k("heartbeat:w"))
	r.do("LPUSH", k("heartbeat:w"), "1")
	if _, err := r.beat("w", false); err != nil {
		t.Fatal(err)
	}
	equal(t, "type", r.raw.Type(t.Context(), r.key("heartbeat:w")).Val(), "string")
}
