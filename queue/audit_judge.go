package queue

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// verdict is what is known of a finding by its code alone.
type verdict struct {
	severity string
	fixable  bool // where a finding of this code can be mended without guessing, unless it says otherwise
}

// verdicts lists the codes. Their meaning stands in docs/en/Queue-Job.md; a test checks that each is there.
var verdicts = map[string]verdict{
	"record-without-place":   {SeverityError, true},
	"place-without-record":   {SeverityError, true},
	"two-places":             {SeverityError, true},
	"record-unreadable":      {SeverityError, true},
	"element-malformed":      {SeverityError, true},
	"list-unregistered":      {SeverityError, true},
	"attempts-malformed":     {SeverityError, false},
	"attempts-over":          {SeverityError, false},
	"attempts-without-job":   {SeverityError, true},
	"errors-without-job":     {SeverityWarn, true},
	"errors-malformed":       {SeverityWarn, false},
	"due-beyond-horizon":     {SeverityError, false},
	"score-malformed":        {SeverityError, false},
	"heartbeat-without-ttl":  {SeverityError, true},
	"heartbeat-unregistered": {SeverityWarn, true},
	"worker-never-overdue":   {SeverityError, true},
	"worker-not-reaped":      {SeverityError, false},
	"reaping-unregistered":   {SeverityWarn, true},
	"order-unregistered":     {SeverityWarn, true},
	"cancelled-not-held":     {SeverityWarn, true},
	"meta-malformed":         {SeverityError, true},
	"layout-newer":           {SeverityError, false},
	"wake-tokens":            {SeverityWarn, true},
	"control-malformed":      {SeverityWarn, false},
	"idempotency-malformed":  {SeverityError, false},
	"idempotency-no-ttl":     {SeverityWarn, false},
	"unique-stale":           {SeverityError, true},
	"unique-malformed":       {SeverityError, false},
	"unique-no-ttl":          {SeverityError, false},
	"counter-malformed":      {SeverityWarn, true},
	"group-malformed":        {SeverityWarn, true},
	"groups-differ":          {SeverityWarn, true},
	"counters-differ":        {SeverityWarn, true},
	"key-wrong-type":         {SeverityError, false},
	"key-unknown":            {SeverityWarn, false},
	"queue-unlisted":         {SeverityWarn, true},
}

// find adds a finding to the report, once.
func (a *auditor) find(f Finding) {
	known, ok := verdicts[f.Code]
	if !ok {
		panic("audit: no verdict on " + f.Code)
	}
	name := [3]string{f.Code, f.Key, f.ID}
	if a.listed[name] {
		return
	}
	f.Severity, f.Fixable = known.severity, known.fixable && !f.unfixable
	a.unsettled = a.unsettled || f.unsettles()
	if len(a.report.Findings) >= a.most {
		a.report.Unlisted++
		return
	}
	a.listed[name] = true
	a.report.Findings = append(a.report.Findings, f)
}

// unsettles says whether the counters cannot be compared with the jobs while it is so.
func (f *Finding) unsettles() bool {
	switch f.Code {
	case "record-without-place", "place-without-record", "two-places", "element-malformed", "counter-malformed":
		return true
	}
	return false
}

// judgeJob judges a record and its attempts, and in which of the sorted sets it is.
func (a *auditor) judgeJob(p place) {
	if !p.recorded {
		return // finished meanwhile
	}
	switch p.count() {
	case 0:
		a.doubt(p.id)
	case 1:
	default:
		a.judgeWhole(p, true)
	}
	job, err := decodeJob(a.queue, p.id, p.record)
	if err != nil {
		a.find(Finding{Code: "record-unreadable", Key: a.keys.jobs(), ID: p.id, Detail: err.Error(), value: p.record,
			unfixable: p.count() == 0}) // its worker puts it to dead
	}
	if p.attempts == "" {
		return
	}
	n, numErr := strconv.Atoi(p.attempts[1:])
	if numErr != nil || n < 1 || strconv.Itoa(n) != p.attempts[1:] {
		a.find(Finding{Code: "attempts-malformed", Key: a.keys.attempts(), ID: p.id,
			Detail: fmt.Sprintf("%q is not a number from 1 on: with the next claim the job goes to dead", clip(p.attempts[1:]))})
	} else if _, dead := p.scores["dead"]; err == nil && n > job.MaxRetry+1 && !(dead && job.Type == "unreadable") {
		a.find(Finding{Code: "attempts-over", Key: a.keys.attempts(), ID: p.id,
			Detail: fmt.Sprintf("%d attempts, and max_retry %d allows %d", n, job.MaxRetry, job.MaxRetry+1)})
	}
}

// judgeHeld judges an id by the list on which it was seen.
func (a *auditor) judgeHeld(key string, p place) {
	for _, h := range p.held {
		if !isElement(h.element) {
			a.find(Finding{Code: "element-malformed", Key: key, ID: h.element,
				Detail: fmt.Sprintf("%q is not <claim number>:<id>", clip(h.element))})
			return
		}
	}
	switch {
	case len(p.held) == 0:
	case !p.recorded:
		a.find(Finding{Code: "place-without-record", Key: key, ID: p.id, unfixable: true,
			Detail: "the job has no record; its worker, or who reaps that, will put it to dead"})
	case p.count() > 1:
		a.doubt(p.id)
	}
}

// judgeMember judges a member of a sorted set and its score.
func (a *auditor) judgeMember(set, key string, p place, now int64) {
	score, in := p.scores[set]
	if !in {
		return // moved meanwhile
	}
	if !p.recorded {
		a.find(Finding{Code: "place-without-record", Key: key, ID: p.id, Detail: "the job has no record in jobs"})
	}
	s, err := strconv.ParseFloat(score, 64)
	switch latest := float64(now + auditHorizon); {
	case err != nil || s < 0 || s <= latest && s != math.Trunc(s):
		a.find(Finding{Code: "score-malformed", Key: key, ID: p.id, Detail: "score " + score + " is not a time in whole ms"})
	case s > latest:
		a.find(Finding{Code: "due-beyond-horizon", Key: key, ID: p.id,
			Detail: "score " + score + " is more than ten years away: no delay is that long"})
	}
}

// auditHorizon is how far in ms a score may lie ahead: the longest delay, and a day for clocks that were set back.
const auditHorizon = int64(MaxDelay/1e6) + 24*60*60*1000

// judgeLeftover judges attempts or errors: if their job is nowhere, it must be looked for in the lists as well.
func (a *auditor) judgeLeftover(p place) {
	if !p.recorded && p.count() == 0 && (p.attempts != "" || p.hasErrors) {
		a.doubt(p.id)
	}
}

func (a *auditor) judgeErrors(p place, text string) {
	a.judgeLeftover(p)
	var failures []Failure
	if err := json.Unmarshal([]byte(text), &failures); err != nil && p.recorded {
		a.find(Finding{Code: "errors-malformed", Key: a.keys.errors(), ID: p.id,
			Detail: fmt.Sprintf("%q is not a JSON array of failures", clip(text))})
	}
}

// judgeWhole judges an id that was looked for everywhere at one instant; whole is false if a list cannot be read.
func (a *auditor) judgeWhole(p place, whole bool) {
	switch {
	case p.count() > 1:
		a.find(Finding{Code: "two-places", Key: a.keys.jobs(), ID: p.id, Detail: "it is in " + p.String()})
	case p.count() == 1 || !whole:
	case p.recorded:
		a.find(Finding{Code: "record-without-place", Key: a.keys.jobs(), ID: p.id,
			Detail: "the job is in no place: it will never run"})
	default:
		if p.attempts != "" {
			a.find(Finding{Code: "attempts-without-job", Key: a.keys.attempts(), ID: p.id,
				Detail: "there is no such job; a new one of this id would begin with these attempts"})
		}
		if p.hasErrors {
			a.find(Finding{Code: "errors-without-job", Key: a.keys.errors(), ID: p.id, Detail: "there is no such job"})
		}
	}
}

// clip shortens what another hand wrote.
func clip(text string) string {
	if len(text) > 60 {
		return strings.ToValidUTF8(text[:60], "") + "…"
	}
	return text
}
