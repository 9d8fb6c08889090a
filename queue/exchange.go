package queue

import (
	"context"
	"time"
)

// Exchange is one round trip of a worker: report results, claim for the free slots.
type Exchange struct {
	Worker  string
	Results []Result      // at most ClaimLimit
	Claim   int           // free slots; 0 claims nothing
	Number  int64         // of this claim; the process never uses it again
	Lease   time.Duration // of the timekeeper
}

// Exchanged is what came back. The two parts are known or unknown apart from each other.
type Exchanged struct {
	Settled   []Outcome // one a result, in order; nil with SettleErr
	SettleErr error     // any error but nil: send the results again, the fence makes that harmless
	Claims    Claims
	ClaimErr  error // ErrFenced; ErrOutcomeUnknown: read the own list, something may be on it; ErrUnavailable: nothing ran
}

// exchangeTimeout is after how long a reply counts as lost. It is short, for the jobs of a claim whose reply was lost wait
// until then; being wrong costs only a look at the own list. A variable for the tests: a busy machine must not upset them.
var exchangeTimeout = time.Second

// Exchange sends [settle, claim] as one pipeline. What there is nothing of is left out.
func (l *Link) Exchange(ctx context.Context, e Exchange) Exchanged {
	ctx, cancel := context.WithTimeout(ctx, min(exchangeTimeout, l.client.timeout))
	defer cancel()
	var calls []*call
	var settle, claim *call
	if len(e.Results) > 0 {
		settle = l.settleCall(e.Worker, e.Results, e.Claim > 0)
		calls = append(calls, settle)
	}
	if e.Claim > 0 {
		claim = l.claimCall(e.Worker, e.Number, e.Claim, e.Lease)
		calls = append(calls, claim)
	}
	if len(calls) == 0 {
		return Exchanged{}
	}
	l.tellSent(&e)
	l.bulk.run(ctx, calls...)
	var x Exchanged
	if settle != nil {
		x.Settled, x.SettleErr = l.settled(settle, len(e.Results))
	}
	if claim != nil {
		x.Claims, x.ClaimErr = l.claims(claim, e.Number)
	}
	l.tellExchanged(&e, &x, settle)
	return x
}
