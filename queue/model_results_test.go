package queue_test

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

// settled is what a settle must have done, and its answer. What it gave back may be claimed by now.
func (m *model) settled(w string, results []queue.Result, claimFollows bool, before int64, claimed []queue.Claimed) (want []queue.Outcome) {
	after := m.now()
	head, _ := m.head()
	first := 1e300
	for _, r := range results {
		list := m.workers[w].list
		i := slices.Index(list, r.Element)
		if i < 0 {
			want = append(want, queue.OutcomeLost)
			m.stats["lost"]++
			continue
		}
		m.workers[w].list = slices.Delete(slices.Clone(list), i, i+1)
		m.past = append(m.past, r.Element)
		_, id, _ := strings.Cut(r.Element, ":")
		outcome, j := r.Outcome, m.jobs[id]
		if outcome == queue.OutcomeDone || outcome == queue.OutcomeDead || outcome == queue.OutcomeCorrupt || j.ending || j.gone {
			m.freeKey(r.Unique, id)
		}
		reason := map[bool]string{true: "record is not JSON"}[outcome == queue.OutcomeCorrupt]
		if j.gone {
			reason = "record is missing"
		}
		switch {
		case outcome == queue.OutcomeDone:
			if m.stats["done"]++; r.Retention == 0 || j.gone {
				delete(m.jobs, id)
				break
			}
			kept := r.Retention.Milliseconds()
			j.state, j.element, j.ending, j.at = queue.Done, "", false, m.learn("done", id, before+kept, after+kept)
		case j.ending:
			outcome = queue.OutcomeCancelled
			delete(m.jobs, id)
			m.stats["cancelled"]++
		case reason != "":
			outcome = queue.OutcomeDead
			failure := queue.Failure{Error: "unreadable: " + reason, Worker: w}
			if r.Failure != nil {
				failure = *r.Failure
			}
			attempts := j.attempts
			m.unreadable(id, reason, failure, before, after)
			j.attempts = attempts // settle leaves them
		default:
			if r.Failure == nil && outcome == queue.OutcomeDead {
				r.Failure = &queue.Failure{Error: "no reason was told", Worker: w}
			}
			if r.Failure != nil {
				m.failed(id, *r.Failure, before, after)
			}
			m.moved(j, outcome, id, r, before, after, claimed)
			if j.state == queue.Scheduled {
				first = min(first, j.at)
			}
		}
		want = append(want, outcome)
	}
	m.push(first < head && !claimFollows)
	return want
}

// moved takes a job off the list, to where its outcome says.
func (m *model) moved(j *modelJob, outcome queue.Outcome, id string, r queue.Result, before, after int64, claimed []queue.Claimed) {
	j.element = ""
	switch outcome {
	case queue.OutcomeDead:
		j.state, j.at = queue.Dead, m.learn("dead", id, before, after)
		m.joined(id)
		m.stats["dead"]++
	case queue.OutcomeRetry:
		delay := r.Delay.Milliseconds()
		j.state, j.at = queue.Scheduled, m.learn("scheduled", id, before+delay, after+delay)
		m.stats["retried"]++
	case queue.OutcomeRelease:
		j.state, j.at = queue.Scheduled, float64(before)
		again := slices.IndexFunc(claimed, func(c queue.Claimed) bool { return c.Job.ID == id })
		if again >= 0 {
			j.at = float64(claimed[again].Due.UnixMilli())
		} else if m.raw.ZScore(m.Context(), m.key("dead"), id).Err() != nil { // else a claim found it unreadable
			j.at = m.learn("scheduled", id, before, after)
		}
		if n, err := strconv.Atoi(j.attempts); err == nil && n > 1 {
			j.attempts = strconv.Itoa(n - 1)
		} else {
			j.attempts = ""
		}
		m.stats["released"]++
	}
}

// unreadable is what claim, settle and reap do with a job that cannot be run: dead, with a readable record.
func (m *model) unreadable(id, reason string, failure queue.Failure, least, most int64) {
	j := m.jobs[id]
	if reason == "attempts are not a number" {
		j.attempts = ""
	}
	if !(reason == "attempts are not a number" && j.record != "junk") { // a record that can be read stays
		if reason == "record is missing" {
			j.record = ""
		}
		m.entombed(id, reason)
	}
	if _, err := strconv.Atoi("0" + j.attempts); err != nil {
		j.attempts = ""
	}
	m.failed(id, failure, least, most)
	j.state, j.element, j.at = queue.Dead, "", m.learn("dead", id, least, most)
	m.joined(id)
	m.stats["dead"]++
	m.stats["corrupt"]++
}

// stale reports what was settled or reaped before, what another worker holds, and what nobody ever had; and now and then
// something of its own among it, twice.
func (m *model) stale() {
	w := m.anyWorker()
	var elements []string
	for range min(len(m.past), 3) {
		elements = append(elements, pick(m, "past", m.past))
	}
	for _, other := range m.living() {
		if other != w {
			elements = append(elements, m.workers[other].list...)
		}
	}
	elements = append(elements, "999999:id1", "0:", "junk")
	if own := m.workers[w].list; len(own) > 0 && m.number("own", 0, 1) == 1 {
		elements = append(elements, own[0], own[0])
	}
	var results []queue.Result
	for _, element := range elements {
		results = append(results, m.result(element))
	}
	before := m.now()
	got := m.settle(w, results...)
	m.known["settle"] = true
	equal(m.rig, "stale", got, m.settled(w, results, false, before, nil))
}

// lostClaim claims, forgets the reply, and finds the jobs on the own list.
func (m *model) lostClaim() {
	w := m.anyWorker()
	before := len(m.workers[w].list)
	n := m.number("claim", 1, 4)
	x := m.rig.exchange(w, n)
	if x.ClaimErr != nil {
		m.Fatal(x.ClaimErr)
	}
	m.claimed(w, n, x.Claims)
	found := m.heartbeat(w, false).Own[before:]
	held, err := m.link.Held(m.Context(), found)
	if err != nil || len(held) != len(x.Claims.Jobs) {
		m.Fatalf("%+v, %v", held, err)
	}
	for i, h := range held {
		if c := x.Claims.Jobs[i]; h.Element != c.Element || h.Attempt != c.Attempt || h.Job.Type != c.Job.Type || h.Job.MaxRetry != c.Job.MaxRetry {
			m.Errorf("%+v is held, and %+v was claimed", h, c)
		}
	}
}

func (m *model) die() {
	w := m.anyWorker()
	m.aside(func() { m.kill(w) })
	m.bury(w)
	m.hire()
}

func (m *model) leave() {
	w := m.anyWorker()
	_, waits := m.head()
	left, err := m.link.Leave(m.Context(), w)
	if err != nil || left != (len(m.workers[w].list) == 0) {
		m.Fatalf("%s leaves: %v, %v", w, left, err)
	}
	m.push(waits)
	if m.meta["timekeeper"] == w {
		m.noKeeper()
	}
	delete(m.meta, "order:"+w)
	m.workers[w].told = false
	if left {
		delete(m.workers, w)
	} else {
		equal(m.rig, "heartbeat", m.do("EXISTS", k("heartbeat:"+w)), any(int64(0)))
		m.aside(func() { m.kill(w) })
		m.bury(w)
	}
	m.hire()
}

// bury reaps a worker that kill has made look dead.
func (m *model) bury(w string) {
	for _, field := range []string{"interval", "window_start", "window_seen"} {
		m.meta[field] = m.raw.HGet(m.Context(), m.key("meta"), field).Val()
	}
	head, waits := m.head()
	before := m.now()
	got := m.reap(w)
	after, first, want := m.now(), 1e300, queue.Reaped{Verdict: "reaped"}
	for _, element := range m.workers[w].list {
		m.past = append(m.past, element)
		_, id, _ := strings.Cut(element, ":")
		j := m.jobs[id]
		attempts, err := strconv.Atoi("0" + j.attempts)
		reason := map[bool]string{true: "attempts are not a number"}[err != nil]
		if j.gone {
			reason = "record is missing"
		} else if j.record == "junk" {
			reason = "record is not JSON"
		}
		failure := queue.Failure{Error: "worker lost: " + w + " stopped sending heartbeats", Worker: w, Attempt: attempts}
		m.stats["reaped"]++
		if j.ending || reason != "" || attempts > j.retries {
			m.free(id)
		}
		switch {
		case j.ending:
			delete(m.jobs, id)
			m.stats["cancelled"]++
			want.Cancelled++
			continue
		case reason != "":
			failure.Error = "unreadable: " + reason
			m.unreadable(id, reason, failure, before, after)
			want.Dead++
			continue
		case attempts > j.retries:
			j.state, j.at = queue.Dead, m.learn("dead", id, before, after)
			m.stats["dead"]++
			want.Dead++
		default:
			j.state, j.at = queue.Scheduled, m.learn("scheduled", id, before, after+time.Second.Milliseconds())
			want.Rescheduled++
			first = min(first, j.at)
		}
		j.element = ""
		if m.failed(id, failure, before, after); j.state == queue.Dead {
			m.joined(id)
		}
	}
	equal(m.rig, "reaped", got, want)
	kept := m.meta["timekeeper"] == w
	if kept {
		m.noKeeper()
	}
	m.push(first < head || kept && (waits || want.Rescheduled > 0))
	delete(m.meta, "order:"+w)
	delete(m.workers, w)
}

// trim drops the oldest of the dead and of the done.
func (m *model) trim() {
	most := m.number("most", 0, 12)
	dead := m.in(queue.Dead)
	drop := max(0, len(dead)-most)
	mostDone := m.number("most done", 0, 12)
	done := m.in(queue.Done)
	dropDone := max(0, len(done)-mostDone)
	got, err := m.link.Trim(m.Context(), most, time.Hour, mostDone)
	if want := (queue.Trimmed{Dead: drop, Done: dropDone}); err != nil || got != want {
		m.Fatalf("%+v, want %+v (%v)", got, want, err)
	}
	for _, id := range done[:dropDone] {
		delete(m.jobs, id)
	}
	m.stats["done_trimmed"] += dropDone
	for _, id := range dead[:drop] {
		m.parted(id)
		delete(m.jobs, id)
	}
	m.stats["dead_trimmed"] += drop
}
