package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

func TestExchangeOfNothing(t *testing.T) {
	r := newRig(t)
	equal(t, "answer", r.exchange("w", 0), queue.Exchanged{})
	equal(t, "keys", r.everything(), map[string]any{})
}

// The results are settled before the claim: what is due again at once comes with the next attempt, under a new number.
func TestExchangeSettlesThenClaims(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.teach()
	id := r.putNow(1)[0]
	first := r.take("w", 1)[0]
	x := r.exchange("w", 5, queue.Result{Element: first.Element, Outcome: queue.OutcomeRetry})
	if x.SettleErr != nil || x.ClaimErr != nil || len(x.Claims.Jobs) != 1 {
		t.Fatalf("%+v", x)
	}
	equal(t, "settled", x.Settled, []queue.Outcome{queue.OutcomeRetry})
	second := x.Claims.Jobs[0]
	equal(t, "job", second.Job.ID, id)
	equal(t, "attempt", second.Attempt, 2)
	equal(t, "claimed anew", second.Element != first.Element, true)
	equal(t, "the first claim", r.settle("w", queue.Result{Element: first.Element, Outcome: queue.OutcomeDone}), []queue.Outcome{"lost"})
}

// The two parts succeed and fail apart from each other.
func TestExchangePartsAreApart(t *testing.T) {
	r := newRig(t)
	r.register("w")
	r.putNow(3)
	jobs := r.take("w", 2)
	x := r.exchange("w", 1, queue.Result{Element: jobs[0].Element, Outcome: "no such outcome"})
	if x.SettleErr == nil || x.Settled != nil || x.ClaimErr != nil || len(x.Claims.Jobs) != 1 {
		t.Errorf("settle fails: %+v", x)
	}
	r.do("RENAME", k("workers"), k("kept"))
	r.do("SET", k("workers"), "spoiled")
	x = r.exchange("w", 1, queue.Result{Element: jobs[1].Element, Outcome: queue.OutcomeDone})
	r.do("RENAME", k("kept"), k("workers"))
	expectUnavailable(t, "claim", x.ClaimErr)
	equal(t, "settled", x.Settled, []queue.Outcome{queue.OutcomeDone})
	equal(t, "error", x.SettleErr, nil)
}

func lossy(t *testing.T) (*rig, *redistest.Proxy) {
	t.Helper()
	s := redistest.Any(t)
	p := redistest.NewProxy(t, s.Addr())
	r := rigAt(t, s, p.URL(), queue.Options{Timeout: time.Second})
	r.register("w")
	r.putNow(3)
	r.teach()
	return r, p
}

// teach makes the server know settle and claim, so that a pipeline of the two goes out once and runs in its order.
func (r *rig) teach() {
	r.Helper()
	r.settle("w", queue.Result{Element: "0:nothing", Outcome: queue.OutcomeDone})
	r.exchange("nobody", 1)
}

func TestExchangeWhoseReplyIsLost(t *testing.T) {
	r, p := lossy(t)
	held := r.take("w", 1)[0]
	done := queue.Result{Element: held.Element, Outcome: queue.OutcomeDone}
	swallowed := p.SwallowReply([]byte("evalsha"), 1)
	x := r.exchange("w", 2, done)
	<-swallowed
	number := r.number
	expectUnknown(t, "settle", x.SettleErr)
	expectUnknown(t, "claim", x.ClaimErr)
	equal(t, "settled", x.Settled, nil)

	// What the worker does then: it settles again, which is harmless, and looks at its own list.
	equal(t, "settled again", r.settle("w", done), []queue.Outcome{queue.OutcomeLost})
	pulse, err := r.beat("w", false)
	if err != nil || len(pulse.Own) != 2 {
		t.Fatalf("%+v, %v", pulse, err)
	}
	lost, err := r.link.Held(t.Context(), pulse.Own)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range lost {
		equal(t, "attempt", c.Attempt, 1)
		equal(t, "number", queue.ClaimNumber(c.Element), number)
		equal(t, "released", r.settle("w", queue.Result{Element: c.Element, Outcome: queue.OutcomeRelease}), []queue.Outcome{"release"})
	}
}

func TestExchangeWhoseClaimReplyIsLost(t *testing.T) {
	r, p := lossy(t)
	held := r.take("w", 1)[0]
	swallowed := p.SwallowAfter([]byte("evalsha"), 1)
	x := r.exchange("w", 2, queue.Result{Element: held.Element, Outcome: queue.OutcomeDone})
	<-swallowed
	if x.SettleErr != nil {
		t.Errorf("the answer of settle came: %v", x.SettleErr)
	}
	equal(t, "settled", x.Settled, []queue.Outcome{queue.OutcomeDone})
	expectUnknown(t, "claim", x.ClaimErr)
	r.kill("w")
	equal(t, "on the list", r.reap("w"), queue.Reaped{Verdict: "reaped", Rescheduled: 2})
}

func TestExchangeWithoutRedis(t *testing.T) {
	r, p := lossy(t)
	held := r.take("w", 1)[0]
	p.Cut()
	before := r.everything()
	x := r.exchange("w", 2, queue.Result{Element: held.Element, Outcome: queue.OutcomeDone})
	expectUnavailable(t, "settle", x.SettleErr)
	expectUnavailable(t, "claim", x.ClaimErr)
	r.unchanged(before)
	p.Mend(t)
	redistest.Await(t, bound, "the line to come back by itself", func() bool {
		x = r.exchange("w", 2, queue.Result{Element: held.Element, Outcome: queue.OutcomeDone})
		return x.SettleErr == nil
	})
	if x.ClaimErr != nil || len(x.Claims.Jobs) != 2 {
		t.Errorf("%+v", x)
	}
}

// A reply that does not come is given up even where the caller's context has no end.
func TestExchangeGivesUpASilentRedis(t *testing.T) {
	s := redistest.Own(t)
	r := rigOn(t, s, queue.Options{Timeout: time.Second})
	r.register("w")
	r.putNow(1)
	r.claim("w", 1)
	s.Pause(t)
	x := r.link.Exchange(context.Background(), queue.Exchange{Worker: "w", Claim: 1, Number: 99})
	s.Resume(t)
	expectUnknown(t, "claim", x.ClaimErr)
}
