package queue_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// Whatever part of the URL cannot be read, the error must not repeat it: it may be one of a password.
func TestOpenNeverTellsThePassword(t *testing.T) {
	for _, url := range []string{
		"redis://:hunter2/x@127.0.0.1:1/0", "redis://user:hunter2#x@127.0.0.1", "redis://user:hunter2?x@127.0.0.1",
		"redis://:9/hunter2@127.0.0.1:1/0", "redis://:%zzhunter2@127.0.0.1", "redis://127.0.0.1/hunter2", "hunter2://x",
		"redis://127.0.0.1/0?hunter2=1", "redis://127.0.0.1/0?db=hunter2", "redis://u:p hunter2@h", "hunter2", "redis://h:hunter2",
		"redis://127.0.0.1/0?read_timeout=hunter2", "\x00hunter2",
	} {
		c, err := queue.Open(t.Context(), url, queue.Options{})
		if err == nil {
			_ = c.Close()
			t.Errorf("%q was taken", url)
		} else if strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "redis://") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestWrongPasswordIsToldWithoutIt(t *testing.T) {
	s := redistest.Own(t)
	s.Config(t, "requirepass", "right")
	good := strings.Replace(s.URL(), "redis://", "redis://:right@", 1)
	bad := strings.Replace(s.URL(), "redis://", "redis://:hunter2@", 1)
	if _, err := open(t, good, bound).Enqueue(t.Context(), queue.NewJob{}); err != nil {
		t.Error(err)
	}
	c := open(t, bad, bound)
	_, err := c.Enqueue(t.Context(), queue.NewJob{})
	expectUnavailable(t, "enqueue", err)
	l, err := c.Link("q")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	x := l.Exchange(t.Context(), queue.Exchange{Worker: "w", Claim: 1, Results: []queue.Result{{Element: "1:a", Outcome: queue.OutcomeDone}}})
	expectUnavailable(t, "settle", x.SettleErr)
	expectUnavailable(t, "claim", x.ClaimErr)
	_, err = l.Held(t.Context(), []string{"1:a"})
	expectUnavailable(t, "held", err)
	problems := c.Health(t.Context())
	if len(problems) != 1 || problems[0].Code != "redis-unavailable" {
		t.Errorf("%+v", problems)
	}
	for _, text := range []string{err.Error(), problems[0].Reason} {
		if strings.Contains(text, "hunter2") || !strings.Contains(text, "WRONGPASS") {
			t.Errorf("%s", text)
		}
	}
}

func TestOpenDoesNotNeedRedis(t *testing.T) {
	p := redistest.NewProxy(t, redistest.Any(t).Addr())
	p.Cut()
	c, err := queue.Open(t.Context(), p.URL(), queue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p.Mend(t)
	redistest.Await(t, bound, "the client to find it by itself", func() bool {
		_, err := c.Queues(t.Context())
		return err == nil
	})
}

func TestOpenGivesUpASilentRedis(t *testing.T) {
	c, err := queue.Open(t.Context(), hung(t), queue.Options{Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

func TestOpenRefusesANewerLayout(t *testing.T) {
	s := redistest.Embedded(t)
	r, other := rigOn(t, s, queue.Options{}), rigOn(t, s, queue.Options{})
	r.put(queue.NewJob{})
	other.put(queue.NewJob{})
	for _, layout := range []string{"2", "unreadable"} {
		other.do("HSET", k("meta"), "layout", layout)
		c, err := queue.Open(t.Context(), s.URL(), queue.Options{})
		if err == nil {
			_ = c.Close()
		}
		if !errors.Is(err, queue.ErrLayout) || !strings.Contains(err.Error(), other.name) {
			t.Errorf("layout %s: %v", layout, err)
		}
	}
	other.do("HSET", k("meta"), "layout", "1")
	open(t, s.URL(), bound)
}

func TestQueues(t *testing.T) {
	s := redistest.Embedded(t)
	c := open(t, s.URL(), bound)
	queues := func() []string {
		t.Helper()
		names, err := c.Queues(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(names)
		return names
	}
	equal(t, "none", len(queues()), 0)
	for range 2 {
		for _, q := range []string{"b", "a"} {
			if _, err := c.Enqueue(t.Context(), queue.NewJob{Queue: q}); err != nil {
				t.Fatal(err)
			}
		}
	}
	l, err := c.Link("worked")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Heartbeat(t.Context(), queue.WorkerInfo{ID: "w"}, timing, true); err != nil {
		t.Fatal(err)
	}
	equal(t, "known", queues(), []string{"a", "b", "worked"})
	for _, q := range queues() {
		redistest.AssertConserved(t, s.Client(), q)
	}
}

// A job must not be refused because the set of names is: it can be full, or spoiled.
func TestEnqueueWhereTheSetOfQueuesIsSpoiled(t *testing.T) {
	s := redistest.Embedded(t)
	if err := s.Client().Set(t.Context(), "punctual:queues", "spoiled", 0).Err(); err != nil {
		t.Fatal(err)
	}
	r := rigOn(t, s, queue.Options{})
	r.put(queue.NewJob{})
	if _, err := r.client.Queues(t.Context()); !errors.Is(err, queue.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

// The layout is of one queue; a spoiled one of another must not keep the process from starting.
func TestOpenWithASpoiledQueue(t *testing.T) {
	s := redistest.Embedded(t)
	ctx := context.Background()
	s.Client().SAdd(ctx, "punctual:queues", "x")
	s.Client().Set(ctx, "punctual:{x}:meta", "spoiled", 0)
	open(t, s.URL(), bound)
}

func TestWorkers(t *testing.T) {
	r := newRig(t)
	workers := func() []queue.WorkerInfo {
		t.Helper()
		living, err := r.link.Workers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return living
	}
	equal(t, "none", len(workers()), 0)
	r.register("a", "b", "c")
	r.do("DEL", k("heartbeat:b"))
	r.do("SET", k("heartbeat:c"), "junk")
	equal(t, "living", workers(), []queue.WorkerInfo{{ID: "a", Host: "here", PID: 7, Concurrency: 3}})
}

func TestLink(t *testing.T) {
	c := open(t, redistest.Any(t).URL(), bound)
	if _, err := c.Link("Bad"); !errors.Is(err, queue.ErrInvalid) {
		t.Error(err)
	}
	l, err := c.Link("good")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	equal(t, "queue", l.Queue(), "good")
}

func TestTiming(t *testing.T) {
	d := queue.Timing{Interval: 2 * time.Second, TTL: 10 * time.Second}
	equal(t, "check", d.Check(), nil)
	equal(t, "in doubt after", d.InDoubtAfter(), 8*time.Second)
	equal(t, "lease", d.KeeperLease(), 5*time.Second)
	for _, bad := range []queue.Timing{{2 * time.Second, 10*time.Second - 1}, {time.Millisecond, time.Second}, {0, time.Second}, {-1, -5}} {
		if bad.Check() == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func TestClaimNumber(t *testing.T) {
	for element, want := range map[string]int64{"0:a": 0, "12:a:b": 12, "a": -1, "a:1": -1, ":a": -1, "-1:a": -1, "": -1,
		"99999999999999999999:a": -1} {
		equal(t, element, queue.ClaimNumber(element), want)
	}
}
