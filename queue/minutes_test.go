package queue_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// lateField is the counter of claims that were so many ms late, here once more.
func lateField(ms int) string {
	for _, bound := range []int{5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000} {
		if ms <= bound {
			return fmt.Sprint("late_", bound)
		}
	}
	return "late_more"
}

// inOneMinute is a new rig at a time at which the minute of its Redis does not end soon.
func inOneMinute(t testing.TB, s *redistest.Server) (r *rig, minute int64) {
	t.Helper()
	r = rigOn(t, s, queue.Options{Timeout: bound})
	now := r.now()
	if left := 60_000 - now%60_000; left < 10_000 {
		time.Sleep(time.Duration(left) * time.Millisecond) // it is this moment that is waited for
		now += left
	}
	return r, now / 60_000
}

func (r *rig) minutes(last int) []queue.Minute {
	r.Helper()
	all, err := r.client.Minutes(r.Context(), r.name, last)
	if err != nil || len(all) != last {
		r.Fatalf("%d minutes, want %d (%v)", len(all), last, err)
	}
	return all
}

// ago has the last heartbeat been so many minutes ago.
func (r *rig) ago(minutes int64) {
	r.Helper()
	r.do("HSET", k("meta"), "minute", r.now()/60_000-minutes)
}

// What happens is in the minute in which it does, whether or not a heartbeat has ended that.
func TestMinutes(t *testing.T) {
	for _, s := range []*redistest.Server{redistest.Any(t), redistest.Embedded(t)} {
		t.Run(s.Backend(), func(t *testing.T) {
			r, minute := inOneMinute(t, s)
			r.register("w")
			r.putNow(3)
			r.ago(5)
			r.register("w")
			jobs := r.take("w", 3)
			r.settle("w", queue.Result{Element: jobs[0].Element, Outcome: queue.OutcomeDone}, queue.Result{Element: jobs[1].Element, Outcome: queue.OutcomeRetry, Delay: time.Hour})
			r.ago(2)
			r.register("w")
			r.settle("w", queue.Result{Element: jobs[2].Element, Outcome: queue.OutcomeDone})
			want := map[int64]map[string]int64{5: {"enqueued": 3}, 2: {"claimed": 3, "done": 1, "retried": 1}, 0: {"done": 1}}
			all := r.minutes(9)
			for i, m := range all {
				ago := int64(8 - i)
				equal(r, "start", m.Start.UnixMilli(), (minute-ago)*60_000)
				if want[ago] == nil {
					want[ago] = map[string]int64{}
				}
				equal(r, fmt.Sprint("counters ", ago, " minutes ago"), m.Counters, want[ago])
				late := make([]int64, 14)
				if ago == 2 {
					late[13] = 3 // due in 1970
				}
				equal(r, "late", m.Late, late)
			}
			equal(r, "only the present one", r.minutes(1)[0].Counters, want[0])
			equal(r, "the last but three", r.minutes(3)[0].Counters, want[2])
			equal(r, "the whole day", r.minutes(1440)[1434].Counters, want[5])
		})
	}
}

// Claims are counted by how late they are, each in the one bucket that it belongs to.
func TestMinutesCountLateness(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.at(time.Hour)
	expect := func(dues []int64) {
		ids := r.put(make([]queue.NewJob, len(dues))...)
		for i, id := range ids {
			r.do("ZADD", k("scheduled"), dues[i], id)
		}
		want := map[string]int{}
		for _, c := range r.take("w", len(dues)) {
			want[lateField(int(c.Lateness().Milliseconds()))]++
		}
		for field := range r.raw.HGetAll(t.Context(), r.key("stats")).Val() {
			if strings.HasPrefix(field, "late_") {
				equal(t, field, r.stat(field), want[field])
				delete(want, field)
			}
		}
		equal(t, "not counted", want, map[string]int{})
		r.do("DEL", k("stats"))
		r.do("HSET", k("stats"), "adjusted", 1000)
	}
	now := r.now()
	var spread []int64
	for i := range 60 { // from some hours to now
		spread = append(spread, now-int64(math.Pow(1.32, float64(i))))
	}
	expect(spread)
	expect([]int64{1000})
	expect([]int64{now - 40_000, now - 40_000, now - 300})
	r.claim("w", 5) // nothing
	equal(t, "stats", r.raw.HGetAll(t.Context(), r.key("stats")).Val(), map[string]string{"adjusted": "1000"})
	equal(t, "counters of the overview", r.overview().Counters, map[string]int64{"adjusted": 1000})
}

func TestLatenessOfAMinute(t *testing.T) {
	for _, c := range []struct {
		late []int64
		p    float64
		want time.Duration
		ok   bool
	}{
		{nil, 0.5, 0, false},
		{make([]int64, 14), 0.5, 0, false},
		{[]int64{10}, 0.5, 5 * time.Millisecond, true},
		{[]int64{50, 49, 0, 1}, 0.5, 5 * time.Millisecond, true},
		{[]int64{50, 49, 0, 1}, 0.51, 10 * time.Millisecond, true},
		{[]int64{50, 49, 0, 1}, 0.99, 10 * time.Millisecond, true},
		{[]int64{50, 49, 0, 1}, 1, 50 * time.Millisecond, true},
		{[]int64{0, 0, 3}, 0, 25 * time.Millisecond, true},
		{[]int64{0, 0, 3}, 7, 25 * time.Millisecond, true},
		{[]int64{12: 1, 13: 0}, 0.99, time.Minute, true},
		{[]int64{13: 1}, 0.5, time.Minute, true},
	} {
		got, ok := queue.Minute{Late: c.late}.Lateness(c.p)
		if got != c.want || ok != c.ok {
			t.Errorf("%v of %v: %s, %v, want %s, %v", c.p, c.late, got, ok, c.want, c.ok)
		}
	}
	equal(t, "buckets", len(queue.LatenessBounds), 13)
}

// What was there before minutes were kept, or was lost, is no growth; nor is a counter that begins anew.
func TestMinutesBeginWithTheirFirstHeartbeat(t *testing.T) {
	s := redistest.Any(t)
	for name, lose := range map[string]func(r *rig){
		"minutes":   func(r *rig) { r.do("DEL", k("minutes")) },
		"minute":    func(r *rig) { r.do("HDEL", k("meta"), "minute") },
		"no minute": func(r *rig) { r.do("HSET", k("meta"), "minute", "junk") },
		"both":      func(r *rig) { r.do("DEL", k("minutes")); r.do("HDEL", k("meta"), "minute") },
		"counters":  func(r *rig) { r.do("HSET", k("stats"), "enqueued", 2, "claimed", "junk") },
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := inOneMinute(t, s)
			r.register("w")
			r.putNow(7)
			r.do("HSET", k("stats"), "claimed", 9)
			r.ago(3)
			r.register("w")
			lose(r)
			equal(r, "lost", r.minutes(2)[1].Counters, map[string]int64{})
			if r.do("HGET", k("meta"), "minute") == any(fmt.Sprint(r.now()/60_000)) {
				r.ago(2)
			}
			r.register("w")
			r.put(queue.NewJob{})
			want := map[string]int64{"enqueued": 1}
			if name == "counters" {
				r.do("HSET", k("stats"), "claimed", 4) // nobody counts on from junk
				want["claimed"] = 4
			}
			all := r.minutes(3)
			equal(r, "lost", all[0].Counters, map[string]int64{})
			equal(r, "growth", all[2].Counters, want)
		})
	}
}

// A quiet queue costs nothing: nothing is written but which minute it is.
func TestMinutesOfAQuietQueue(t *testing.T) {
	r, minute := inOneMinute(t, redistest.Any(t))
	r.register("w")
	r.putNow(1)
	r.ago(1)
	r.register("w")
	before := r.raw.HGetAll(r.Context(), r.key("minutes")).Val()
	equal(r, "ring", before, map[string]string{"last": "enqueued=1", fmt.Sprint((minute - 1) % 1440): fmt.Sprint(minute-1, " enqueued=1")})
	r.ago(1)
	r.register("w")
	equal(r, "ring", r.raw.HGetAll(r.Context(), r.key("minutes")).Val(), before)
	equal(r, "minute", r.do("HGET", k("meta"), "minute"), any(fmt.Sprint(minute)))
}

// The ring has a day. What another day has left in it, or another hand, is not of this one.
func TestMinutesOfAnotherDay(t *testing.T) {
	r, minute := inOneMinute(t, redistest.Any(t))
	r.register("w")
	field := func(ago int64) string { return fmt.Sprint((minute - ago) % 1440) }
	r.do("HSET", k("minutes"), field(3), fmt.Sprint(minute-3-1440, " done=7"), field(2), fmt.Sprint(minute-2, " done=2 x done=junk late_5=-3 late_10=9 =1"),
		field(1), "junk", field(0), fmt.Sprint(minute+1440, " done=7"))
	all := r.minutes(1440)
	equal(r, "a day ago", all[1436].Counters, map[string]int64{})
	equal(r, "two minutes ago", all[1437].Counters["done"], int64(2))
	equal(r, "two minutes ago", all[1437].Late[:2], []int64{0, 9})
	equal(r, "junk", all[1438].Counters, map[string]int64{})
	equal(r, "in a day", all[1439].Counters, map[string]int64{})
}

func TestMinutesThatAreRefused(t *testing.T) {
	r := newRig(t)
	for _, last := range []int{0, -1, 1441} {
		var invalid *queue.InvalidError
		if _, err := r.client.Minutes(t.Context(), r.name, last); !errors.As(err, &invalid) || invalid.Field != "minutes" {
			t.Errorf("%d: %v", last, err)
		}
	}
	if _, err := r.client.Minutes(t.Context(), "Bad Name", 1); !errors.Is(err, queue.ErrInvalid) {
		t.Error(err)
	}
	equal(t, "of nothing", r.minutes(2)[1].Counters, map[string]int64{})
}

// The ring of a day of a busy queue stays small.
func TestMinutesAreSmall(t *testing.T) {
	s := redistest.Any(t)
	if s.Backend() == "embedded" {
		t.Skip("the embedded Redis knows no MEMORY USAGE")
	}
	r, minute := inOneMinute(t, s)
	pipe := r.raw.Pipeline()
	for i := range int64(1440) {
		line := fmt.Sprint(minute-i, " claimed=60000 dead=12 done=59000 enqueued=60000 late_10=9000 late_100=800 late_25=3000 late_250=90 late_5=47000 late_50=110 retried=988")
		pipe.HSet(r.Context(), r.key("minutes"), fmt.Sprint((minute-i)%1440), line)
	}
	if _, err := pipe.Exec(r.Context()); err != nil {
		r.Fatal(err)
	}
	used := r.raw.MemoryUsage(r.Context(), r.key("minutes"), 0).Val()
	if r.Logf("a full ring takes %d bytes", used); used == 0 || used > 1<<20 {
		r.Errorf("a full ring takes %d bytes, want less than a MiB", used)
	}
}
