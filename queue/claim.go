package queue

import (
	"fmt"
	"strconv"
	"time"
)

var claimScript = loadScript("claim")

// ClaimLimit is the most jobs that one claim takes.
const ClaimLimit = 100

// Claimed is one job that this worker holds until it settles it.
type Claimed struct {
	Element string // <claim number>:<id>, the place on the processing list: settle it by this
	Job     Job
	Attempt int       // 1 is the first run
	Due     time.Time // when it was due
	At      time.Time // when it was claimed; both by the clock of Redis
	Corrupt error     // the record could not be decoded: settle it as OutcomeCorrupt
}

// Lateness is claim time minus due time.
func (c Claimed) Lateness() time.Duration { return c.At.Sub(c.Due) }

// Claims is the reply to a claim.
type Claims struct {
	Jobs    []Claimed
	Now     time.Time // by the clock of Redis
	NextDue time.Time // due time of the next job that waits; zero if none does
	Armed   bool      // this worker keeps time now: it is to claim again at NextDue
	Held    int       // length of the worker's processing list
}

// claimCall claims up to n due jobs for a worker.
func (l *Link) claimCall(worker string, number int64, n int, lease time.Duration) *call {
	k := l.keys
	return &call{script: claimScript,
		keys: []string{k.scheduled(), k.processing(worker), k.jobs(), k.attempts(), k.workers(), k.meta(), k.wake(), k.dead(),
			k.errors(), k.stats(), k.unique(), k.groups()},
		args: []any{worker, number, min(n, ClaimLimit), lease.Milliseconds()}}
}

// claims reads the reply: ErrFenced, or what was claimed. A record that is no JSON is told of in its Corrupt.
func (l *Link) claims(x *call, number int64) (Claims, error) {
	words, err := x.words()
	switch {
	case err != nil:
		return Claims{}, err
	case len(words) == 2 && words[0] == "fenced":
		return Claims{}, ErrFenced
	case len(words) < 5 || (len(words)-5)%4 != 0:
		return Claims{}, fmt.Errorf("%w: script claim answered %d words", ErrOutcomeUnknown, len(words))
	}
	c := Claims{Now: time.UnixMilli(millis(words[1])), Armed: words[3] == "1", Held: int(millis(words[4]))}
	if words[2] != "" {
		c.NextDue = time.UnixMilli(millis(words[2]))
	}
	prefix := strconv.FormatInt(number, 10) + ":"
	c.Jobs = make([]Claimed, 0, (len(words)-5)/4)
	for w := words[5:]; len(w) > 0; w = w[4:] {
		job, corrupt := decodeJob(l.queue, w[0], w[1])
		c.Jobs = append(c.Jobs, Claimed{Element: prefix + w[0], Job: job, Attempt: int(millis(w[2])),
			Due: time.UnixMilli(millis(w[3])), At: c.Now, Corrupt: corrupt})
	}
	return c, nil
}
