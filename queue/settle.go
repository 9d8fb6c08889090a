package queue

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

var settleScript = loadScript("settle")

// Outcome is what became of a claimed job.
type Outcome string

// What a worker reports, and what settle answers; settle also answers the last two.
const (
	OutcomeDone      Outcome = "done"      // finished: kept for Result.Retention, or forgotten
	OutcomeRetry     Outcome = "retry"     // failed: due again after Result.Delay
	OutcomeDead      Outcome = "dead"      // failed for good: kept with its failures
	OutcomeCorrupt   Outcome = "corrupt"   // its record cannot be decoded: dead, with a readable record; answered as dead
	OutcomeRelease   Outcome = "release"   // given back unrun: due now, the attempt is not counted
	OutcomeCancelled Outcome = "cancelled" // answered to all but done: it was being cancelled, and is gone
	OutcomeLost      Outcome = "lost"      // not on this worker's list: nothing was changed
)

// Result is the outcome of one claimed job.
type Result struct {
	Element string
	Outcome Outcome
	Delay   time.Duration // of a retry, by the clock of Redis
	Failure *Failure      // of a retry or a death; its At is set by the script

	Retention time.Duration // of a job that is done: how long it is kept; 0: it is gone
	Unique    string        // the key that the job may hold until it is done or dead; "" for none
}

// plain says whether the job is just done: nothing but its element need be told.
func (r *Result) plain() bool { return r.Outcome == OutcomeDone && r.Retention <= 0 && r.Unique == "" }

// wait is how long the job waits after its result: for its retry, or to be forgotten.
func (r *Result) wait() time.Duration {
	if r.Outcome == OutcomeDone {
		return max(r.Retention, 0)
	}
	return max(r.Delay, 0)
}

// settleCall reports results. claimFollows: a claim by the same worker follows in the same pipeline.
func (l *Link) settleCall(worker string, results []Result, claimFollows bool) *call {
	k := l.keys
	plain := 0
	for plain < len(results) && results[plain].plain() {
		plain++
	}
	args := make([]any, 0, 3+plain+5*(len(results)-plain))
	follows := "0"
	if claimFollows {
		follows = "1"
	}
	args = append(args, follows, worker, plain)
	for i := range results { // by pointers: a string in an interface costs an allocation
		r := &results[i]
		if args = append(args, &r.Element); i >= plain {
			args = append(args, (*string)(&r.Outcome), delayMS(r.wait()), r.Failure.encode(), &r.Unique)
		}
	}
	alone := func(args []any) { args[0] = "0" } // the claim has run already: a new head needs the token
	return &call{script: settleScript, args: args, resent: alone, keys: []string{k.processing(worker), k.jobs(), k.scheduled(), k.dead(),
		k.attempts(), k.errors(), k.wake(), k.stats(), k.done(), k.unique(), k.cancelled(), k.groups()}}
}

// settled reads the reply: what became of each result, in order.
func (l *Link) settled(x *call, n int) ([]Outcome, error) {
	words, err := x.words()
	if err != nil {
		return nil, err
	}
	if len(words) != n+2 {
		return nil, fmt.Errorf("%w: script settle answered %d words for %d results", ErrOutcomeUnknown, len(words), n)
	}
	outcomes := make([]Outcome, n)
	for i, w := range words[2:] {
		outcomes[i] = Outcome(w)
	}
	return outcomes, nil
}

// encode makes the JSON object that settle dates and keeps; "" for none.
func (f *Failure) encode() string {
	if f == nil {
		return ""
	}
	kept := *f
	kept.At = 0
	kept.Error = cut(kept.Error, MaxFailureText)
	b, err := json.Marshal(kept)
	if err != nil { // strings and numbers always marshal
		return ""
	}
	return string(b)
}

// cut shortens s to at most n bytes of valid UTF-8.
func cut(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}
