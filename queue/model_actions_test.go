package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

// push is the wake token, of which there is one at most.
func (m *model) push(when bool) { m.token = m.token || when }

func (m *model) hire() {
	m.hired++
	id := "w" + strconv.Itoa(m.hired)
	m.workers[id] = &modelWorker{}
	m.meta["layout"], m.meta["interval"], m.meta["ttl"] = "1", fmt.Sprint(timing.Interval.Milliseconds()), fmt.Sprint(timing.TTL.Milliseconds())
	m.heartbeat(id, true)
}

// heartbeat is one that must succeed, and what it changes.
func (m *model) heartbeat(id string, first bool) queue.Pulse {
	pulse, err := m.beat(id, first)
	if err != nil {
		m.Fatalf("heartbeat of %s: %v", id, err)
	}
	now, w := pulse.Now.UnixMilli(), m.workers[id]
	w.until, w.info = float64(now+timing.TTL.Milliseconds()), m.raw.Get(m.Context(), m.key("heartbeat:"+id)).Val()
	if !strings.HasPrefix(w.info, `{"host":"here","pid":7,`) {
		m.Errorf("heartbeat of %s: %s", id, w.info)
	}
	if m.meta["window_start"] == "" {
		m.meta["window_start"] = strconv.FormatInt(now, 10)
	}
	m.meta["window_seen"] = strconv.FormatInt(now, 10)
	m.turn(strconv.FormatInt(now/60_000, 10))
	order := m.meta["order:"+id]
	if until, _ := strconv.ParseInt(m.meta["timekeeper_until"], 10, 64); m.meta["timekeeper"] == id && until >= now && order == "" {
		m.meta["timekeeper_until"] = strconv.FormatInt(now+timing.KeeperLease().Milliseconds(), 10)
	}
	if !slices.Equal(pulse.Own, w.list) {
		m.Errorf("own list: %v, want %v", pulse.Own, w.list)
	}
	var ending []string
	for _, element := range w.list {
		if _, held, _ := strings.Cut(element, ":"); m.jobs[held].ending {
			ending = append(ending, element)
		}
	}
	if pulse.Order != order || !slices.Equal(pulse.Cancelled, ending) {
		m.Errorf("order %q, cancelled %v, want %q, %v", pulse.Order, pulse.Cancelled, order, ending)
	}
	if due, ok := m.head(); m.meta["paused"] != "" {
		equal(m.rig, "next due while paused", pulse.NextDue.IsZero(), true)
	} else if ok != !pulse.NextDue.IsZero() || ok && pulse.NextDue.UnixMilli() != int64(due) {
		m.Errorf("next due %v, want %v", pulse.NextDue, due)
	}
	return pulse
}

func (m *model) renew() {
	if m.number("stranger", 0, 5) == 0 {
		if _, err := m.beat("stranger", false); !errors.Is(err, queue.ErrFenced) {
			m.Errorf("a stranger renews: %v", err)
		}
		return
	}
	m.heartbeat(m.anyWorker(), false)
}

func (m *model) enqueue() {
	jobs := make([]queue.NewJob, m.number("jobs", 1, 6))
	for i := range jobs {
		jobs[i] = queue.NewJob{Queue: m.name, ID: fmt.Sprint("id", m.number("id", 0, 40)), MaxRetry: m.number("max_retry", -1, 2),
			Delay: time.Duration(m.number("delay", 0, 2)) * time.Hour, Expires: time.Duration(m.number("expires", 0, 3)/3) * time.Second}
		if m.number("run_at", 0, 2) == 0 {
			jobs[i].At, jobs[i].Delay = time.UnixMilli(m.now()).Add(jobs[i].Delay), 0
		}
		m.withKeys(&jobs[i])
	}
	m.pop()
	jobs = slices.DeleteFunc(jobs, func(job queue.NewJob) bool { // it would look new, and be in two places
		return m.jobs[job.ID] != nil && m.jobs[job.ID].gone
	})
	head, _ := m.head()
	before := m.now()
	done, err := m.client.EnqueueMany(m.Context(), jobs)
	created, first := 0, 1e300
	for i, job := range jobs {
		if because, earlier := m.refusal(job); because != nil || earlier != "" {
			if !m.full {
				m.answered(job, done[i], because, earlier)
			}
			continue
		}
		if created++; m.full {
			if !errors.Is(done[i].Err, queue.ErrFull) || !errors.Is(err, queue.ErrFull) {
				m.Errorf("full, and the answer is %v", done[i].Err)
			}
			continue
		}
		due := done[i].Due.UnixMilli()
		least, most := before+job.Delay.Milliseconds(), m.now()+1+job.Delay.Milliseconds()
		if at := job.At.UnixMilli(); !job.At.IsZero() && at > before {
			least, most = at, max(at, most)
		}
		if done[i].Err != nil || due < least || due > most {
			m.Errorf("%s is due at %d, want %d or a little later (%v)", job.ID, due, least, done[i].Err)
		}
		record := m.raw.HGet(m.Context(), m.key("jobs"), job.ID).Val()
		kept, err := queue.DecodeJob(m.name, job.ID, record)
		retries := map[int]int{-1: 0, 0: queue.DefaultMaxRetry, 1: 1, 2: 2}[job.MaxRetry]
		if err != nil || kept.MaxRetry != retries || kept.Type != queue.DefaultType {
			m.Errorf("record %q, %v", record, err)
		}
		m.jobs[job.ID] = &modelJob{state: queue.Scheduled, record: record, retries: retries, at: float64(due), expires: job.Expires > 0}
		m.takeKeys(job)
		first = min(first, float64(due))
	}
	if !m.full {
		m.stats["enqueued"] += created
		m.push(first < head)
	}
}

// timePasses makes some of what waits due: a test cannot wait an hour.
func (m *model) timePasses() {
	for _, id := range m.in(queue.Scheduled) {
		if m.number("due", 0, 2) > 0 {
			m.jobs[id].at = 1000
			m.aside(func() { m.makeDue(id) })
		}
	}
}

// exchange settles some of what a worker holds and claims, in one pipeline.
func (m *model) exchange() {
	w := m.anyWorker()
	var results []queue.Result
	for _, element := range m.workers[w].list {
		if m.number("settle", 0, 3) > 0 {
			results = append(results, m.result(element))
		}
	}
	if m.number("order", 0, 1) == 1 {
		slices.Reverse(results)
	}
	n := m.number("claim", 0, 4)
	if n == 0 && len(results) == 0 {
		m.t.run.Skip("nothing to do")
	}
	m.pop()
	before := m.now()
	x := m.rig.exchange(w, n, results...)
	if x.SettleErr != nil || x.ClaimErr != nil {
		m.Fatalf("%+v", x)
	}
	// A script that Redis has forgotten is sent again: alone, behind the other, or both in their order.
	behind := n > 0 && len(results) > 0 && m.known["claim"] && !m.known["settle"]
	if behind {
		m.claimed(w, n, x.Claims)
		n = 0
	}
	if len(results) > 0 {
		want := m.settled(w, results, n > 0 && m.known["settle"], before, x.Claims.Jobs)
		equal(m.rig, "outcomes", x.Settled, want)
		m.known["settle"] = true
	}
	if n > 0 {
		m.claimed(w, n, x.Claims)
	}
}

func (m *model) result(element string) queue.Result {
	r := queue.Result{Element: element, Unique: m.keyOf(element), Outcome: pick(m, "outcome", []queue.Outcome{"done", "done", "retry", "dead", "release", "corrupt"})}
	if m.number("failure", 0, 1) == 1 && r.Outcome != queue.OutcomeRelease {
		r.Failure = &queue.Failure{Error: fmt.Sprint("failure ", m.number("text", 0, 99)), Attempt: 1, Worker: "w", TookMS: 3}
	}
	if r.Outcome == queue.OutcomeDone {
		r.Retention = time.Duration(m.number("kept", 0, 1)) * time.Hour
	}
	if r.Outcome == queue.OutcomeRetry {
		r.Delay = time.Duration(m.number("backoff", 1, 2)) * time.Hour
	}
	return r
}

// claimed is what a claim must have done, whose reply says when it was.
func (m *model) claimed(w string, n int, c queue.Claims) {
	m.known["claim"] = true
	now := float64(c.Now.UnixMilli())
	got, begun := c.Jobs, 0
	var next float64
	moved := 0
	scheduled := m.in(queue.Scheduled)
	if m.meta["paused"] != "" {
		scheduled = nil
	}
	for _, id := range scheduled {
		j := m.jobs[id]
		if next = j.at; moved == n || j.at > now {
			break
		}
		next = 0
		moved++
		attempts, err := strconv.Atoi("0" + j.attempts)
		reason := map[bool]string{true: "attempts are not a number"}[err != nil]
		if j.gone {
			reason = "record is missing"
		} else if j.record == "junk" && err == nil {
			reason = "record is not JSON"
		}
		if reason == "" && j.expires && attempts == 0 && now > j.at+1000 {
			m.failed(id, queue.Failure{Error: "expired: not started within 1 s of its due time", Worker: w}, int64(now), int64(now))
			j.state, j.at = queue.Dead, m.learn("dead", id, int64(now), int64(now))
			m.joined(id)
			m.free(id)
			m.stats["dead"]++
			m.stats["expired"]++
			continue
		}
		if reason != "" {
			m.unreadable(id, reason, queue.Failure{Error: "unreadable: " + reason, Worker: w}, int64(now), int64(now))
			continue
		}
		if j.until == queue.UntilStart {
			m.free(id)
		}
		j.state, j.element, j.attempts = queue.Processing, fmt.Sprintf("%d:%s", m.rig.number, id), strconv.Itoa(attempts+1)
		m.workers[w].list = append(m.workers[w].list, j.element)
		if begun >= len(got) || got[begun].Element != j.element || got[begun].Attempt != attempts+1 || got[begun].Due.UnixMilli() != int64(j.at) {
			m.Fatalf("claimed %+v, want %s next", got, j.element)
		}
		begun++
		m.stats[lateField(int(now-j.at))]++
	}
	m.stats["claimed"] += begun
	equal(m.rig, "claimed", len(got), begun)
	equal(m.rig, "held", c.Held, len(m.workers[w].list))
	equal(m.rig, "next due", map[bool]int64{true: 0, false: c.NextDue.UnixMilli()}[c.NextDue.IsZero()], int64(next))
	equal(m.rig, "armed", c.Armed, m.keepTime(w, begun == n, next, now))
}

// keepTime says who arms a timer for the next due time, 0 for none, and passes the token on.
func (m *model) keepTime(w string, full bool, next, now float64) (armed bool) {
	keeper := m.meta["timekeeper"]
	until, _ := strconv.ParseFloat(m.meta["timekeeper_until"], 64)
	due, _ := strconv.ParseFloat(m.meta["timekeeper_due"], 64)
	if keeper == "" || until < now {
		keeper, due = "", 1e300
	}
	switch {
	case full:
		m.push(next > 0 && (next <= now || keeper == w || due > next))
	case next > 0 && (keeper == "" || keeper == w || next < due):
		m.meta["timekeeper"], m.meta["timekeeper_due"] = w, ms(next)
		m.meta["timekeeper_until"] = ms(now + float64(timing.KeeperLease().Milliseconds()))
		return true
	case next > 0:
		return false
	}
	if keeper == w {
		m.noKeeper()
	}
	return false
}

func (m *model) noKeeper() {
	for _, field := range []string{"timekeeper", "timekeeper_due", "timekeeper_until"} {
		delete(m.meta, field)
	}
}

func (m *model) passOn() {
	if err := m.link.PassOn(m.Context()); err != nil {
		m.Fatal(err)
	}
	m.push(true)
	m.pop()
}

// pop takes the token away, sometimes: a worker that waited has got it.
func (m *model) pop() {
	if m.token && m.number("popped", 0, 2) > 0 {
		m.dropToken()
		m.token = false
	}
}
