package queue_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// An order stands until the worker has gone, comes with each heartbeat, and a stop is not taken back by a quiet.
func TestOrders(t *testing.T) {
	r := newRig(t)
	name := r.name + ":1:beef" // as a worker of no other queue is called
	r.register(name, "other")
	equal(t, "quiet", r.client.Quiet(t.Context(), name), nil)
	for range 2 {
		pulse, err := r.beat(name, false)
		equal(t, "error", err, nil)
		equal(t, "order", pulse.Order, queue.OrderQuiet)
	}
	equal(t, "stop", r.client.Stop(t.Context(), name), nil)
	equal(t, "quiet", r.client.Quiet(t.Context(), name), nil)
	pulse, err := r.beat(name, false)
	equal(t, "error", err, nil)
	equal(t, "order", pulse.Order, queue.OrderStop)
	pulse, err = r.beat("other", false)
	equal(t, "of another", err == nil && pulse.Order == "", true)
	if woken, err := r.link.WaitControl(t.Context(), name, bound); err != nil || !woken {
		t.Errorf("%v, %v", woken, err)
	}
	equal(t, "one token", r.do("EXISTS", k("control:"+name)), any(int64(0)))
	if left, err := r.link.Leave(t.Context(), name); err != nil || !left {
		t.Fatalf("%v, %v", left, err)
	}
	equal(t, "left of it", r.do("HEXISTS", k("meta"), "order:"+name), any(int64(0)))
	if err := r.client.Quiet(t.Context(), name); !errors.Is(err, queue.ErrNoWorker) {
		t.Errorf("%v", err)
	}
}

// One that is overdue lives no more, as far as anyone knows.
func TestOrderToADeadWorker(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.kill("w")
	before := r.everything()
	if err := r.client.OrderIn(t.Context(), r.name, "w", queue.OrderStop); !errors.Is(err, queue.ErrNoWorker) {
		t.Errorf("%v", err)
	}
	r.unchanged(before)
}

// A worker that is to claim no more does not keep time: it gives up the lease, another is woken, and no heartbeat renews it.
func TestOrderEndsTimekeeping(t *testing.T) {
	r := newRig(t)
	r.register("w", "other")
	due := r.at(time.Hour)[0]
	equal(t, "armed", r.claim("w", 1).Armed, true)
	r.dropToken()
	equal(t, "error", r.client.OrderIn(t.Context(), r.name, "w", queue.OrderQuiet), nil)
	equal(t, "token", r.token(), true)
	equal(t, "keeper", r.do("HEXISTS", k("meta"), "timekeeper"), any(int64(0)))
	c := r.claim("other", 1)
	equal(t, "armed", c.Armed, true)
	equal(t, "due", c.NextDue.UnixMilli(), due)
	r.do("HSET", k("meta"), "timekeeper", "w", "timekeeper_until", r.now()+time.Hour.Milliseconds())
	until := r.do("HGET", k("meta"), "timekeeper_until")
	if _, err := r.beat("w", false); err != nil {
		t.Fatal(err)
	}
	equal(t, "not renewed", r.do("HGET", k("meta"), "timekeeper_until"), until)
}

func TestReapForgetsOrders(t *testing.T) {
	r := newRig(t)
	r.register("w")
	equal(t, "error", r.client.OrderIn(t.Context(), r.name, "w", queue.OrderQuiet), nil)
	r.kill("w")
	r.reap("w")
	equal(t, "order", r.do("HEXISTS", k("meta"), "order:w"), any(int64(0)))
	equal(t, "token", r.do("EXISTS", k("control:w")), any(int64(0)))
}

// What everyone can see of the workers.
func TestWorkersOfAllQueues(t *testing.T) {
	r := newRig(t)
	r.register("a", "b", "c")
	r.putNow(2)
	r.take("b", 2)
	equal(t, "error", r.client.OrderIn(t.Context(), r.name, "b", queue.OrderStop), nil)
	r.kill("c")
	if _, err := r.link.Heartbeat(t.Context(), queue.WorkerInfo{ID: "a", Host: "here", PID: 7, Quiet: true}, timing, false); err != nil {
		t.Fatal(err)
	}
	all, err := r.client.Workers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var mine []queue.WorkerState
	for _, w := range all {
		if w.Queue == r.name {
			mine = append(mine, w)
		}
	}
	if len(mine) != 3 || mine[0].ID != "a" || mine[1].ID != "b" || mine[2].ID != "c" {
		t.Fatalf("%+v", mine)
	}
	a, b, c := mine[0], mine[1], mine[2]
	equal(t, "living", [3]bool{a.Living, b.Living, c.Living}, [3]bool{true, true, false})
	equal(t, "orders", [3]string{a.Order, b.Order, c.Order}, [3]string{queue.OrderQuiet, queue.OrderStop, ""})
	equal(t, "jobs", [3]int{a.Processing, b.Processing, c.Processing}, [3]int{0, 2, 0})
	equal(t, "host", b.Host, "here")
	if since := r.now() - b.LastBeat.UnixMilli(); since < 0 || since > bound.Milliseconds() {
		t.Errorf("its last heartbeat was %d ms ago", since)
	}
}

func TestWorkerStateInAWord(t *testing.T) {
	stuck := queue.WorkerInfo{Stuck: 1}
	for want, w := range map[string]queue.WorkerState{
		"living":   {Living: true},
		"stuck":    {Living: true, WorkerInfo: stuck, Order: queue.OrderStop}, // which is why it does not stop
		"quiet":    {Living: true, Order: queue.OrderQuiet},
		"stopping": {Living: true, Order: queue.OrderStop},
		"dead":     {WorkerInfo: stuck, Order: queue.OrderStop},
	} {
		equal(t, "state", w.State(), want)
	}
}

// Builds side by side are those of the living: a dead one works with nothing any more.
func TestBuildsSideBySide(t *testing.T) {
	of := func(build string, living bool) queue.WorkerState {
		return queue.WorkerState{WorkerInfo: queue.WorkerInfo{Build: build}, Living: living}
	}
	builds := queue.Builds([]queue.WorkerState{of("b", true), of("a", true), of("b", true), of("old", false)})
	equal(t, "builds", strings.Join(builds, " "), "a b")
}
