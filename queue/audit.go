package queue

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

var auditScript = loadScript("audit")

// Severities of a finding.
const (
	SeverityError = "error" // a job may be lost, be run twice, never run, or be run too often
	SeverityWarn  = "warn"  // no job is harmed, but something is not as it should be
)

// Finding is one thing that is not as it should be.
type Finding struct {
	Code     string `json:"code"` // what it is; the codes are stable
	Severity string `json:"severity"`
	Key      string `json:"key"`          // of Redis
	ID       string `json:"id,omitempty"` // of the job; or the element, member, worker or field
	Detail   string `json:"detail"`       // for people
	Fixable  bool   `json:"fixable"`      // Fix can mend it without guessing
	Fixed    bool   `json:"fixed"`
	Did      string `json:"did,omitempty"` // what Fix did, or why it could not

	subject   string // what tidy is to mend: a worker, or a field
	value     string // what was found there
	unfixable bool   // although others of its code are
}

// AuditReport is what an audit found, and how many jobs there were at one instant at its end.
type AuditReport struct {
	Queue      string    `json:"queue"`
	Jobs       int       `json:"jobs"`
	Scheduled  int       `json:"scheduled"`
	Processing int       `json:"processing"`
	Dead       int       `json:"dead"`
	Done       int       `json:"done"`
	Workers    int       `json:"workers"`
	TookMS     int64     `json:"took_ms"`
	Unlisted   int       `json:"unlisted,omitempty"` // findings beyond AuditOptions.Most
	Findings   []Finding `json:"findings"`           // never nil
}

// Left is how many findings are not fixed.
func (r AuditReport) Left() int {
	left := r.Unlisted
	for _, f := range r.Findings {
		if !f.Fixed {
			left++
		}
	}
	return left
}

// AuditOptions of Audit. Zero values mean the defaults.
type AuditOptions struct {
	Fix  bool // mend each finding that can be mended without guessing, each by one script
	Most int  // findings that are listed, and with Fix mended; the others are only counted. Default 10,000
}

// auditBatch is how many ids one call of the script looks at.
const auditBatch = 100

// Audit looks whether everything in a queue is where it should be. It reads only, unless Fix is set; it walks by cursors and
// reads a bounded amount at a time, so that it is safe on a live queue of millions. What it finds was so at one instant: a
// job that moves meanwhile is never a finding. It does not find what was damaged behind it. It ends when ctx ends.
//
// Errors: ErrUnavailable if Redis did not answer to the end, ErrInvalid for a name that no queue can have.
func (c *Client) Audit(ctx context.Context, queue string, o AuditOptions) (AuditReport, error) {
	if !isQueueName(queue) {
		return AuditReport{}, &InvalidError{"queue", fmt.Sprintf("%q must match [a-z0-9_-]{1,64}", queue)}
	}
	if o.Most <= 0 {
		o.Most = 10_000
	}
	began := time.Now()
	a := newAuditor(c, queue, o)
	err := a.walk(ctx)
	if err == nil && o.Fix {
		err = a.fix(ctx)
	}
	a.report.TookMS = time.Since(began).Milliseconds()
	return a.report, err
}

// place is where one id is and what belongs to it, at one instant.
type place struct {
	id        string
	recorded  bool
	record    string            // only if it was asked for
	scores    map[string]string // scheduled, dead, done → score
	attempts  string            // with a + before it; empty if there are none
	hasErrors bool
	held      []held // in those lists that were looked at
}

type held struct{ worker, element string }

// count is in how many places it is.
func (p place) count() int { return len(p.scores) + len(p.held) }

// String tells people where it is.
func (p place) String() string {
	var names []string
	for _, set := range auditedSets {
		if _, in := p.scores[set]; in {
			names = append(names, set)
		}
	}
	for _, h := range p.held {
		names = append(names, "processing:"+h.worker)
	}
	return strings.Join(names, ", ")
}

var auditedSets = []string{"scheduled", "dead", "done"}

// view is one reply of the script.
type view struct {
	now    int64
	whole  bool     // no worker is registered but those whose lists were looked at
	lists  []string // for each list: 0 empty, 1 of a registered worker, 2 not
	places []place
	words  []string // of totals
}

// look runs the script over ids, and over the processing lists of workers.
func (a *auditor) look(ctx context.Context, mode string, workers, ids []string) (view, error) {
	x := auditCall(a.keys, mode, workers, ids)
	words, err := a.ask(ctx, x)
	if err != nil {
		return view{}, err
	}
	malformed := fmt.Errorf("%w: script audit answered %d words", ErrUnavailable, len(words))
	if len(words) < 3+len(workers) {
		return view{}, malformed
	}
	v := view{now: millis(words[1]), whole: words[2] == "1", lists: words[3 : 3+len(workers)], words: words[3+len(workers):]}
	if mode == "totals" {
		if len(v.words) != 14 {
			return view{}, malformed
		}
		return v, nil
	}
	rest := v.words
	for _, id := range ids {
		if len(rest) == 0 && mode == "records" {
			break
		}
		if len(rest) < 7 {
			return view{}, malformed
		}
		p := place{id: id, recorded: rest[0] != "", scores: map[string]string{}, attempts: rest[4], hasErrors: rest[5] != ""}
		p.record = strings.TrimPrefix(rest[0], "+")
		for i, set := range auditedSets {
			if rest[1+i] != "" {
				p.scores[set] = rest[1+i]
			}
		}
		n, err := strconv.Atoi(rest[6])
		if rest = rest[7:]; err != nil || len(rest) < 2*n {
			return view{}, malformed
		}
		for ; n > 0; n, rest = n-1, rest[2:] {
			l, err := strconv.Atoi(rest[0])
			if err != nil || l < 1 || l > len(workers) {
				return view{}, malformed
			}
			p.held = append(p.held, held{workers[l-1], rest[1]})
		}
		v.places = append(v.places, p)
	}
	return v, nil
}

func auditCall(k keys, mode string, workers, ids []string) *call {
	x := &call{script: auditScript,
		keys: []string{k.jobs(), k.scheduled(), k.dead(), k.done(), k.attempts(), k.errors(), k.workers(), k.wake(), k.stats()},
		args: make([]any, 0, 1+len(workers)+len(ids))}
	x.args = append(x.args, mode)
	for _, w := range workers {
		x.keys = append(x.keys, k.processing(w))
		x.args = append(x.args, w)
	}
	for _, id := range ids {
		x.args = append(x.args, id)
	}
	return x
}

// ask runs a script. One that only reads has no unknown outcome.
func (a *auditor) ask(ctx context.Context, x *call) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, a.client.timeout)
	defer cancel()
	a.client.ask.run(bounded, x)
	return x.cmd.Val(), a.failed(ctx, x.cmd.Err())
}
