package ui

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/punctualq/punctual/queue"
)

// Ten browsers cost what one costs: one poll every 2 s for all, and none once the last has left.
func TestBrowsersShareOnePoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := busy()
		q.overviews, q.workers = q.overviews[:1], q.workers[:1]
		h := newHub(q, time.Second, nil)
		var leave []func()
		var news []<-chan *snapshot
		for range 10 {
			n, l, err := h.listen()
			if err != nil {
				t.Fatal(err)
			}
			leave, news = append(leave, l), append(news, n)
		}
		synctest.Wait()
		for i, n := range news {
			if s := <-n; s.Err != nil || len(s.Overviews) != 1 {
				t.Errorf("browser %d got %+v", i, s)
			}
		}
		time.Sleep(20*time.Second + 100*time.Millisecond)
		if o, w := q.count("overviews"), q.count("workers"); o != 11 || w != 11 {
			t.Errorf("%d and %d polls in 20 s for ten browsers, want 11", o, w)
		}
		for _, l := range leave {
			l()
		}
		time.Sleep(3 * time.Second) // the one that is under way
		before := q.count("overviews")
		time.Sleep(time.Minute)
		if n := q.count("overviews") - before; n != 0 {
			t.Errorf("%d polls when nobody listens", n)
		}
		n, l, _ := h.listen()
		if s := <-n; s.Err != nil || s.before != nil {
			t.Errorf("who comes then gets %+v", s)
		}
		l()
		time.Sleep(3 * time.Second)
	})
}

// Where there are many queues and workers the polls come less often, so that their cost stays in its budget; yet often enough to be news.
func TestPaceOfPolls(t *testing.T) {
	for _, n := range [][2]int{{0, 0}, {1, 1}, {3, 4}, {10, 20}} {
		commands := 2 + 16*n[0] + 2*n[1]
		if p := pace(n[0], n[1]); p < pollEvery || float64(commands)/p.Seconds() > pollBudget+0.01 {
			t.Errorf("%d queues and %d workers: every %s", n[0], n[1], p)
		}
	}
	if one, many := pace(1, 5), pace(1000, 1000); one != 2*time.Second || many != pollAtLeast {
		t.Errorf("one queue is polled every %s, a thousand every %s", one, many)
	}
}

func TestListenersAreBounded(t *testing.T) {
	h := newHub(busy(), time.Second, nil)
	h.running = true // no polls
	for range maxListeners {
		if _, _, err := h.listen(); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := h.listen(); !errors.Is(err, errFull) {
		t.Errorf("one more: %v", err)
	}
}

// stream opens the events of a server whose limits are shorter than the test.
func stream(t *testing.T, q Queue, closing <-chan struct{}, token string) *bufio.Scanner {
	t.Helper()
	srv := httptest.NewUnstartedServer(New(Config{Queue: q, Admit: admit, Timeout: time.Second, Closing: closing}))
	srv.Config.WriteTimeout, srv.Config.ReadTimeout = 300*time.Millisecond, 300*time.Millisecond
	srv.Start()
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/ui/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := srv.Client().Do(signed(r, token))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", answer.StatusCode, answer.Header)
	}
	return bufio.NewScanner(answer.Body)
}

func nextEvent(t *testing.T, lines *bufio.Scanner) (e event, ok bool) {
	t.Helper()
	for lines.Scan() {
		if data, found := strings.CutPrefix(lines.Text(), "data: "); found {
			if err := json.Unmarshal([]byte(data), &e); err != nil {
				t.Fatal(err)
			}
			return e, true
		}
	}
	return e, false
}

// Events go on beyond the limits that the server has for other requests, and end when the process does.
func TestEventsOutliveTheServersLimits(t *testing.T) {
	closing := make(chan struct{})
	lines := stream(t, busy(), closing, tokenAll)
	for range 2 { // the second comes after some seconds, when both limits are long past
		e, ok := nextEvent(t, lines)
		if !ok {
			t.Fatalf("the stream has ended: %v", lines.Err())
		}
		if e.Values["q.default.scheduled"] != "12,345" || e.Values["all.living"] != "3" || e.Values["w.other:2:ef.stuck"] != "2" || e.Now != testNow.UnixMilli() ||
			e.Times["q.default.next"] != "2027-01-31T12:01:00.000Z" || len(e.Alerts) == 0 || e.Shape == "" {
			t.Errorf("%+v", e)
		}
	}
	close(closing)
	if e, ok := nextEvent(t, lines); ok {
		t.Errorf("after the end of the process: %+v", e)
	}
	closed := newDashboard(t, busy(), func(c *Config) { c.Closing = closing })
	if w := closed.get("/ui/events", tokenAll); w.Code != http.StatusServiceUnavailable {
		t.Errorf("a stream of a process that ends: %d", w.Code)
	}
}

func TestEventsShowOnlyOwnQueues(t *testing.T) {
	e, _ := nextEvent(t, stream(t, busy(), nil, tokenLimited))
	for name := range e.Values {
		if strings.Contains(name, "default") || strings.Contains(name, "other:2:ef") {
			t.Errorf("the event tells of %s", name)
		}
	}
	if e.Values["q.low.scheduled"] != "0" || e.Values["all.scheduled"] != "0" {
		t.Errorf("%+v", e)
	}
	for _, a := range e.Alerts {
		if strings.Contains(a.Text, "default") {
			t.Errorf("an alert: %s", a.Text)
		}
	}
}

// A Redis that is away is told of, and rates start anew when it is back.
func TestEventsOfARedisThatIsAway(t *testing.T) {
	caller, _ := admit(nil, tokenAll)
	e := eventOf(&snapshot{Err: queue.ErrUnavailable}, caller)
	if !e.Lost || len(e.Alerts) != 1 || len(e.Values) != 0 {
		t.Errorf("%+v", e)
	}
	now := busy().overviews
	before := []queue.Overview{now[0]}
	before[0].Now, before[0].Counters = testNow.Add(-2*time.Second), map[string]int64{"done": 80}
	if e := eventOf(&snapshot{Overviews: now, before: before}, caller); e.Values["q.default.rate"] != "10/s" || e.Values["q.low.rate"] != "–" {
		t.Errorf("%+v", e.Values)
	}
	q := busy()
	q.err = queue.ErrUnavailable
	h := newHub(q, time.Second, nil)
	if s := h.look(&snapshot{Overviews: now}); s.Err == nil || s.before != nil {
		t.Errorf("%+v", s)
	}
}

// A stream ends no later than the token of who listens.
func TestStreamEndsWithTheToken(t *testing.T) {
	for left, want := range map[time.Duration]time.Duration{time.Hour: streamLife, time.Minute: time.Minute, -time.Second: 0} {
		v := &visit{caller: Caller{Expires: time.Now().Add(left)}}
		if got := v.streamLife(); got > want || got < want-time.Second {
			t.Errorf("a token that is good for %s: %s", left, got)
		}
	}
}

// Whatever needs another page changes the shape; figures alone do not.
func TestShape(t *testing.T) {
	q := busy()
	was := shapeOf(q.overviews, q.workers)
	q.overviews[0].Scheduled++
	q.workers[0].Processing++
	if shapeOf(q.overviews, q.workers) != was {
		t.Error("figures change the shape")
	}
	q.overviews[0].Paused = true
	if shapeOf(q.overviews, q.workers) == was || shapeOf(q.overviews, q.workers[1:]) == shapeOf(q.overviews, q.workers) {
		t.Error("a paused queue, or a worker that is gone, does not change the shape")
	}
}
