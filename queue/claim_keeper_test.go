package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// keeper is who keeps time: worker, for which due time, until when.
func keeper(r *rig) (worker string, due, until int64) {
	r.Helper()
	m := r.raw.HMGet(r.Context(), r.key("meta"), "timekeeper", "timekeeper_due", "timekeeper_until").Val()
	if m[0] == nil {
		equal(r, "the rest of the lease", m, []any{nil, nil, nil})
		return "", 0, 0
	}
	_, err := fmt.Sscan(fmt.Sprint(m[1], " ", m[2]), &due, &until)
	if err != nil {
		r.Fatal(err)
	}
	return m[0].(string), due, until
}

func expectKeeper(r *rig, worker string, due int64) {
	r.Helper()
	gotWorker, gotDue, until := keeper(r)
	if gotWorker != worker || gotDue != due {
		r.Errorf("%q keeps time for %d, want %q for %d", gotWorker, gotDue, worker, due)
	}
	if now := r.now(); worker != "" && (until <= now || until > now+timing.KeeperLease().Milliseconds()) {
		r.Errorf("the lease ends %d ms from now, want at most %s", until-now, timing.KeeperLease())
	}
}

// at puts jobs that are due so long from now, and returns the due times.
func (r *rig) at(delays ...time.Duration) []int64 {
	r.Helper()
	dues := make([]int64, len(delays))
	for i, d := range delays {
		done, err := r.client.Enqueue(r.Context(), queue.NewJob{Queue: r.name, Delay: d})
		if err != nil {
			r.Fatal(err)
		}
		dues[i] = done.Due.UnixMilli()
	}
	r.dropToken()
	return dues
}

func TestClaimArmsTheFirstWhoAsks(t *testing.T) {
	r := newRig(t)
	r.register("a", "b")
	due := r.at(time.Hour)[0]
	first := r.claim("a", 3)
	equal(t, "a is armed", first.Armed, true)
	equal(t, "for the job", first.NextDue.UnixMilli(), due)
	second := r.claim("b", 3)
	equal(t, "b is not", second.Armed, false)
	equal(t, "but knows the time", second.NextDue.UnixMilli(), due)
	expectKeeper(r, "a", due)
	equal(t, "a again", r.claim("a", 3).Armed, true)
	equal(t, "token", r.token(), false)
}

func TestClaimTakesTheLeaseOverForAnEarlierJob(t *testing.T) {
	r := newRig(t)
	r.register("a", "b")
	r.at(time.Hour)
	r.claim("a", 1)
	earlier := r.at(time.Minute)[0]
	equal(t, "b knows of an earlier job", r.claim("b", 1).Armed, true)
	expectKeeper(r, "b", earlier)
	equal(t, "a leaves it to b", r.claim("a", 1).Armed, false)
	expectKeeper(r, "b", earlier)
}

// The due time of the lease is set anew by its holder even where it grows: the job it was for is gone.
func TestClaimMovesItsOwnLease(t *testing.T) {
	r := newRig(t)
	r.register("a")
	dues := r.at(time.Minute, time.Hour)
	r.claim("a", 2)
	expectKeeper(r, "a", dues[0])
	r.makeDue(r.raw.ZRange(t.Context(), r.key("scheduled"), 0, 0).Val()...)
	c := r.claim("a", 2)
	equal(t, "claimed", len(c.Jobs), 1)
	equal(t, "armed", c.Armed, true)
	expectKeeper(r, "a", dues[1])
}

func TestClaimOfTheLastJobDropsTheLease(t *testing.T) {
	r := newRig(t)
	r.register("a", "b")
	due := r.at(time.Minute)[0]
	r.claim("a", 2)
	r.makeDue(r.raw.ZRange(t.Context(), r.key("scheduled"), 0, 0).Val()...)
	equal(t, "another one claims it", len(r.claim("b", 2).Jobs), 1)
	expectKeeper(r, "a", due) // not b's to drop; a comes when it rings
	c := r.claim("a", 2)
	equal(t, "nothing waits", c.Armed || !c.NextDue.IsZero(), false)
	expectKeeper(r, "", 0)
	equal(t, "token", r.token(), false)
}

func TestClaimThatFillsTheSlots(t *testing.T) {
	for _, test := range []struct {
		name         string
		holder       string        // keeps time before
		leaseEarlier bool          // for an earlier job than the one that is left
		rest         time.Duration // due time of the job that is left; 0 is due already
		nothingLeft  bool
		keeper       string // who keeps time afterwards
		token        bool
	}{
		{name: "holder gives the lease up and asks another to look", holder: "a", rest: time.Hour, token: true},
		{name: "holder, and something is due already", holder: "a", token: true},
		{name: "holder, and nothing is left", holder: "a", nothingLeft: true},
		{name: "no holder: someone must look", rest: time.Hour, token: true},
		{name: "no holder, nothing left", nothingLeft: true},
		{name: "another is armed early enough", holder: "b", leaseEarlier: true, rest: time.Hour, keeper: "b"},
		{name: "another is armed too late", holder: "b", rest: time.Minute, keeper: "b", token: true},
		{name: "another is armed, but something is due already", holder: "b", leaseEarlier: true, keeper: "b", token: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.register("a", "b")
			if !test.nothingLeft {
				r.at(test.rest)
				if test.rest == 0 {
					r.makeDue(r.raw.ZRange(t.Context(), r.key("scheduled"), 0, 0).Val()...)
				}
			}
			now := r.now()
			if test.holder != "" {
				due := now + 30*time.Minute.Milliseconds()
				if test.leaseEarlier {
					due = now + 1000
				}
				r.do("HSET", k("meta"), "timekeeper", test.holder, "timekeeper_due", due, "timekeeper_until", now+60000)
			}
			r.put(queue.NewJob{ID: "first"})
			r.do("ZADD", k("scheduled"), 1, "first")
			r.dropToken()
			c := r.claim("a", 1)
			equal(t, "claimed", ids(c.Jobs), []string{"first"})
			equal(t, "a full worker is not armed", c.Armed, false)
			equal(t, "next due is told", c.NextDue.IsZero(), test.nothingLeft)
			who, _, _ := keeper(r)
			equal(t, "keeper", who, test.keeper)
			equal(t, "token", r.token(), test.token)
		})
	}
}

func TestClaimPushesNoSecondToken(t *testing.T) {
	r := newRig(t)
	r.register("a")
	r.putNow(2)
	equal(t, "token of the enqueue", r.token(), true)
	r.take("a", 1)
	equal(t, "token", r.token(), true) // and token() fails on two
}

func TestClaimIgnoresAnExpiredOrBrokenLease(t *testing.T) {
	for name, lease := range map[string][]any{
		"expired":       {"b", 1000, 1000},
		"no due time":   {"b", "", "9999999999999"},
		"no end":        {"b", "1000", ""},
		"not a number":  {"b", "x", "y"},
		"expired, ours": {"a", 1000, 1000},
	} {
		r := newRig(t)
		r.register("a", "b")
		due := r.at(time.Hour)[0]
		r.do("HSET", k("meta"), "timekeeper", lease[0], "timekeeper_due", lease[1], "timekeeper_until", lease[2])
		equal(t, name+": armed", r.claim("a", 1).Armed, true)
		expectKeeper(r, "a", due)
	}
}

func TestClaimOfNothingChangesNothing(t *testing.T) {
	r := newRig(t)
	r.register("a", "b")
	before := r.everything()
	equal(t, "claimed", len(r.claim("a", 5).Jobs), 0)
	r.unchanged(before)
	r.at(time.Hour)
	r.claim("b", 5)
	before = r.everything()
	r.claim("a", 5)
	r.unchanged(before)
}

func TestHeartbeatRenewsTheLeaseOfItsHolder(t *testing.T) {
	r := newRig(t)
	r.register("a", "b")
	due := r.at(time.Hour)[0]
	r.claim("a", 1)
	soon := r.now() + 10000
	r.do("HSET", k("meta"), "timekeeper_until", soon)
	beat := func(worker string) int64 {
		t.Helper()
		if _, err := r.beat(worker, false); err != nil {
			t.Fatal(err)
		}
		_, _, until := keeper(r)
		return until
	}
	equal(t, "another's heartbeat does not renew it", beat("b"), soon)
	if until := beat("a"); until <= soon {
		t.Errorf("until %d, was %d", until, soon)
	}
	expectKeeper(r, "a", due)
	r.do("HSET", k("meta"), "timekeeper_until", 1000)
	equal(t, "one that has run out stays out", beat("a"), 1000)
}

func TestReapEndsTheTimekeepersLease(t *testing.T) {
	r := newRig(t)
	r.register("w", "other")
	r.at(time.Hour)
	r.claim("w", 1)
	r.kill("w")
	r.reap("w")
	expectKeeper(r, "", 0)
	equal(t, "token: nobody is armed for the job that waits", r.token(), true)

	r.dropToken()
	due := r.at(time.Minute)[0]
	r.claim("other", 1)
	r.register("w")
	r.kill("w")
	r.reap("w")
	expectKeeper(r, "other", due)
	equal(t, "no token where another keeps time", r.token(), false)
}

func TestReapOfAKeeperWithNothingScheduledPushesNoToken(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.do("HSET", k("meta"), "timekeeper", "w", "timekeeper_due", 1, "timekeeper_until", r.now()+60000)
	r.kill("w")
	equal(t, "reaped", r.reap("w"), queue.Reaped{Verdict: "reaped"})
	equal(t, "token", r.token(), false)
}
