package queue_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

var modelSeed = flag.Uint64("model.seed", 0, "seed of TestModel; 0 takes one by the clock and tells it")

// model is what a queue should hold after any sequence of calls, kept beside it in the plainest way.
type model struct {
	*rig
	rnd     *rand.Rand
	jobs    map[string]*modelJob
	workers []string
	stats   map[string]int
	past    []string // elements that were settled or reaped
	last    int      // worker
}

type modelJob struct {
	state             queue.State
	attempts, retries int
	worker, element   string
}

// TestModel makes random calls and compares everything that can be seen with the model.
func TestModel(t *testing.T) {
	seed := *modelSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("repeat this run with -model.seed=%d", seed)
	m := &model{rig: newRig(t), rnd: rand.New(rand.NewPCG(seed, 0)), jobs: map[string]*modelJob{}, stats: map[string]int{}}
	m.hire()
	m.hire()
	moves := []func(){m.enqueue, m.enqueue, m.work, m.work, m.work, m.work, m.settleStale, m.die, m.leave, m.trim, m.forgetScripts}
	for range 250 {
		moves[m.rnd.IntN(len(moves))]()
		if m.compare(); t.Failed() {
			return
		}
	}
	for _, name := range []string{"enqueued", "claimed", "done", "retried", "dead", "released", "lost", "corrupt", "reaped", "dead_trimmed"} {
		if m.stats[name] == 0 {
			t.Errorf("nothing was ever %s: this run proves little", name)
		}
	}
	for _, w := range slices.Clone(m.workers) {
		m.bury(w)
	}
	m.compare()
	for id, j := range m.jobs {
		if info := m.get(id); info.State != j.state || info.Attempts != j.attempts || info.MaxRetry != j.retries {
			t.Errorf("%s: %s, attempts %d of %d, want %+v", id, info.State, info.Attempts, info.MaxRetry, *j)
		}
	}
}

func (m *model) hire() {
	m.last++
	w := "w" + strconv.Itoa(m.last)
	m.register(w)
	m.workers = append(m.workers, w)
}

func (m *model) anyWorker() string { return m.workers[m.rnd.IntN(len(m.workers))] }

func (m *model) in(state queue.State, worker string) (ids []string) {
	for _, id := range slices.Sorted(maps.Keys(m.jobs)) {
		if j := m.jobs[id]; j.state == state && (worker == "" || j.worker == worker) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (m *model) enqueue() {
	jobs := make([]queue.NewJob, 1+m.rnd.IntN(8))
	for i := range jobs {
		jobs[i] = queue.NewJob{MaxRetry: []int{queue.NoRetry, 1, 2, 0}[m.rnd.IntN(4)]}
	}
	for i, id := range m.put(jobs...) {
		m.jobs[id] = &modelJob{state: queue.Scheduled, retries: map[int]int{queue.NoRetry: 0, 1: 1, 2: 2, 0: 10}[jobs[i].MaxRetry]}
	}
	m.stats["enqueued"] += len(jobs)
	m.makeDue(m.in(queue.Scheduled, "")...)
}

// work is one exchange: random results of some of the jobs that a worker holds, and a claim.
func (m *model) work() {
	w := m.anyWorker()
	var results []queue.Result
	var want []queue.Outcome
	for _, id := range m.in(queue.Processing, w) {
		if m.rnd.IntN(3) == 0 {
			continue
		}
		j := m.jobs[id]
		outcome := []queue.Outcome{"done", "retry", "dead", "release", "corrupt"}[m.rnd.IntN(5)]
		if j.attempts > j.retries && outcome == queue.OutcomeRetry { // as a worker would
			outcome = queue.OutcomeDead
		}
		results = append(results, queue.Result{Element: j.element, Outcome: outcome, Delay: time.Hour, Failure: &queue.Failure{Error: "x"}})
		want = append(want, m.settled(id, outcome))
	}
	if len(results) == 0 && m.rnd.IntN(2) == 0 {
		return
	}
	equal(m.rig, "outcomes", m.settle(w, results...), want)
	m.makeDue(m.in(queue.Scheduled, "")...)

	free := m.in(queue.Scheduled, "")
	n := m.rnd.IntN(6)
	got := m.claim(w, max(n, 1)).Jobs
	if want := free[:min(len(free), max(n, 1))]; !slices.Equal(ids(got), want) {
		m.Errorf("claimed %v, want %v", ids(got), want)
	}
	for _, c := range got {
		j := m.jobs[c.Job.ID]
		j.state, j.worker, j.element = queue.Processing, w, c.Element
		j.attempts++
		equal(m.rig, "attempt", c.Attempt, j.attempts)
	}
	m.stats["claimed"] += len(got)
}

func (m *model) settled(id string, outcome queue.Outcome) queue.Outcome {
	j := m.jobs[id]
	m.past = append(m.past, j.element)
	j.worker, j.element = "", ""
	switch outcome {
	case queue.OutcomeDone:
		delete(m.jobs, id)
		m.stats["done"]++
	case queue.OutcomeRetry:
		j.state = queue.Scheduled
		m.stats["retried"]++
	case queue.OutcomeRelease:
		j.state = queue.Scheduled
		j.attempts--
		m.stats["released"]++
	default:
		j.state = queue.Dead
		m.stats["dead"]++
		if outcome == queue.OutcomeCorrupt {
			j.retries = 0 // of the record that took its place
			m.stats["corrupt"]++
		}
		return queue.OutcomeDead
	}
	return outcome
}

// settleStale reports what was settled or reaped before, and what another worker holds.
func (m *model) settleStale() {
	w := m.anyWorker()
	var results []queue.Result
	for range min(len(m.past), 3) {
		results = append(results, queue.Result{Element: m.past[m.rnd.IntN(len(m.past))], Outcome: queue.OutcomeDone})
	}
	for _, id := range m.in(queue.Processing, "") {
		if m.jobs[id].worker != w {
			results = append(results, queue.Result{Element: m.jobs[id].element, Outcome: queue.OutcomeRelease})
		}
	}
	if len(results) > 0 {
		equal(m.rig, "stale", m.settle(w, results...), slices.Repeat([]queue.Outcome{queue.OutcomeLost}, len(results)))
		m.stats["lost"] += len(results)
	}
}

func (m *model) die() { m.bury(m.anyWorker()); m.hire() }

func (m *model) bury(w string) {
	held := m.in(queue.Processing, w)
	m.kill(w)
	want := queue.Reaped{Verdict: "reaped"}
	for _, id := range held {
		j := m.jobs[id]
		m.past = append(m.past, j.element)
		j.state, j.worker, j.element = queue.Scheduled, "", ""
		want.Rescheduled++
		if j.attempts > j.retries {
			j.state = queue.Dead
			want.Rescheduled--
			want.Dead++
		}
	}
	equal(m.rig, "reaped", m.reap(w), want)
	m.stats["reaped"] += len(held)
	m.stats["dead"] += want.Dead
	m.workers = slices.DeleteFunc(m.workers, func(other string) bool { return other == w })
	m.makeDue(m.in(queue.Scheduled, "")...)
}

func (m *model) leave() {
	w := m.anyWorker()
	left, err := m.link.Leave(m.Context(), w)
	if err != nil || left != (len(m.in(queue.Processing, w)) == 0) {
		m.Errorf("leave %s: %v, %v", w, left, err)
	}
	if left {
		m.workers = slices.DeleteFunc(m.workers, func(other string) bool { return other == w })
	} else {
		m.bury(w)
	}
	m.hire()
}

// trim drops the oldest dead jobs; which these are among those of the same ms, only Redis knows.
func (m *model) trim() {
	most := m.rnd.IntN(20)
	want := max(0, len(m.in(queue.Dead, ""))-most)
	dropped, _, err := m.link.Trim(m.Context(), most, time.Hour)
	if err != nil || dropped != min(want, 100) {
		m.Errorf("dropped %d, want %d (%v)", dropped, want, err)
	}
	m.stats["dead_trimmed"] += dropped
	kept := m.raw.ZRange(m.Context(), m.key("dead"), 0, -1).Val()
	for _, id := range m.in(queue.Dead, "") {
		if !slices.Contains(kept, id) {
			delete(m.jobs, id)
		}
	}
}

// compare reads all that the model knows of; AssertConserved sees to the rest.
func (m *model) compare() {
	attempts := map[string]string{}
	states := map[queue.State][]string{}
	for _, id := range slices.Sorted(maps.Keys(m.jobs)) {
		j := m.jobs[id]
		states[j.state] = append(states[j.state], id)
		if j.attempts > 0 {
			attempts[id] = strconv.Itoa(j.attempts)
		}
	}
	ctx := m.Context()
	equal(m.rig, "attempts", m.raw.HGetAll(ctx, m.key("attempts")).Val(), attempts)
	for key, state := range map[string]queue.State{"scheduled": queue.Scheduled, "dead": queue.Dead} {
		got := m.raw.ZRange(ctx, m.key(key), 0, -1).Val()
		if slices.Sort(got); !slices.Equal(got, states[state]) {
			m.Errorf("%s: %v, want %v", key, got, states[state])
		}
	}
	equal(m.rig, "jobs", m.raw.HLen(ctx, m.key("jobs")).Val(), int64(len(m.jobs)))
	want := map[string]string{}
	for name, n := range m.stats {
		if n > 0 {
			want[name] = fmt.Sprint(n)
		}
	}
	m.expectStats(want)
}
