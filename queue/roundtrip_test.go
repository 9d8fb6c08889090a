package queue_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// trips counts round trips.
type trips struct {
	mu                   sync.Mutex
	answered, unanswered int
	longest              time.Duration
}

func (t *trips) tell(took time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.longest = max(t.longest, took); err != nil {
		t.unanswered++
	} else {
		t.answered++
	}
}

func (t *trips) seen() (answered, unanswered int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.answered, t.unanswered
}

// TestRoundTripsAreTold: each exchange is one round trip, however many scripts it has, a refusal is an answer, and the wait for
// a token is no round trip.
func TestRoundTripsAreTold(t *testing.T) {
	var told trips
	r := rigOn(t, redistest.Any(t), queue.Options{Timeout: bound, RoundTrip: told.tell})
	if _, err := r.client.Enqueue(t.Context(), queue.NewJob{Queue: r.name}); err != nil {
		t.Fatal(err)
	}
	exchange := queue.Exchange{Worker: "w", Results: []queue.Result{{Element: "1:x", Outcome: queue.OutcomeDone}}, Claim: 1, Number: 1,
		Lease: time.Second}
	r.link.Exchange(t.Context(), exchange) // Redis may not know the scripts yet: they may be sent twice
	before, failed := told.seen()
	equal(t, "something was told", before > 0, true)
	equal(t, "unanswered", failed, 0)
	x := r.link.Exchange(t.Context(), exchange)
	equal(t, "settle", x.SettleErr, nil)
	after, failed := told.seen()
	equal(t, "round trips of an exchange", after-before, 1)
	if _, err := r.link.Wait(t.Context(), time.Second); err != nil { // the enqueue has left a token
		t.Fatal(err)
	}
	r.do("SET", k("scheduled"), "spoiled") // every script that reads it is refused
	t.Cleanup(func() { r.raw.Del(context.Background(), r.key("scheduled"), r.key("jobs")) })
	if x := r.link.Exchange(t.Context(), queue.Exchange{Worker: "w", Claim: 1, Number: 2, Lease: time.Second}); x.ClaimErr == nil {
		t.Error("a spoiled key was claimed from")
	}
	last, failed := told.seen()
	equal(t, "unanswered after a refusal", failed, 0)
	equal(t, "round trips of the rest", last-after, 1)
}

// TestUnansweredRoundTripsAreTold: a server that is gone is told of with a reason.
func TestUnansweredRoundTripsAreTold(t *testing.T) {
	var told trips
	s := redistest.Embedded(t)
	s.Stop(t)
	c, err := queue.Open(t.Context(), s.URL(), queue.Options{RoundTrip: told.tell})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answered, unanswered := told.seen()
	equal(t, "answered", answered, 0)
	equal(t, "some were not", unanswered > 0, true)
}
