package queue_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

// anyJob draws one that was handed in, or, now and then, nobody.
func (m *model) anyJob() (string, *modelJob) {
	var ids []string
	for id := range m.jobs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	id := pick(m, "job", append(ids, "nobody"))
	return id, m.jobs[id]
}

// refused says whether a verb for one job must be refused, and checks that it was.
func (m *model) refused(verb, id string, j *modelJob, want queue.State, err error) bool {
	var state *queue.StateError
	switch {
	case j == nil || j.gone:
		if !errors.Is(err, queue.ErrNotFound) {
			m.Errorf("%s of %s, which is not there: %v", verb, id, err)
		}
	case j.state != want:
		if !errors.As(err, &state) || state.State != j.state {
			m.Errorf("%s of %s, which is %s: %v", verb, id, j.state, err)
		}
	default:
		return false
	}
	return true
}

func (m *model) rescheduleOne() {
	m.pop()
	id, j := m.anyJob()
	head, _ := m.head()
	before := m.now()
	when := pick(m, "when", []queue.When{{}, {In: time.Hour}, {In: 2 * time.Hour}, {At: time.UnixMilli(1000)}, {At: time.UnixMilli(before).Add(time.Hour)}})
	due, err := m.client.Reschedule(m.Context(), m.name, id, when)
	if m.refused("reschedule", id, j, queue.Scheduled, err) {
		return
	}
	least := before + when.In.Milliseconds()
	if !when.At.IsZero() {
		least = max(before, when.At.UnixMilli())
	}
	now := when == (queue.When{}) || when.At.UnixMilli() == 1000
	if now && j.at <= float64(before) {
		equal(m.rig, "due as before", due.UnixMilli(), int64(j.at))
		return
	}
	if err != nil || due.UnixMilli() < least || due.UnixMilli() > least+m.now()-before+1 {
		m.Fatalf("%+v: due at %d, want %d or a little later (%v)", when, due.UnixMilli(), least, err)
	}
	j.at = float64(due.UnixMilli())
	m.push(j.at < head)
}

func (m *model) redriveOne() {
	m.pop()
	id, j := m.anyJob()
	head, waits := m.head()
	before := m.now()
	err := m.client.Redrive(m.Context(), m.name, id)
	if m.refused("redrive", id, j, queue.Dead, err) {
		return
	}
	if strings.Contains(j.record, `"unreadable"`) || j.record == "junk" {
		if !errors.Is(err, queue.ErrInvalid) {
			m.Errorf("redrive of %s: %v", j.record, err)
		}
		return
	}
	if err != nil {
		m.Fatal(err)
	}
	m.redriven(id, before)
	m.push(!waits || head > j.at)
}

func (m *model) redriven(id string, before int64) {
	m.parted(id)
	j := m.jobs[id]
	j.state, j.attempts, j.at = queue.Scheduled, "", m.learn("scheduled", id, before, m.now())
	m.stats["redriven"]++
}

// redriveAll brings back the longest dead, but for those that nothing could run.
func (m *model) redriveAll() {
	m.pop()
	limit := m.number("limit", 1, 4)
	head, waits := m.head()
	var back []string
	for _, id := range m.in(queue.Dead) {
		if record := m.jobs[id].record; len(back) < limit && !strings.Contains(record, `"unreadable"`) && record != "junk" {
			back = append(back, id)
		}
	}
	before := m.now()
	moved, err := m.client.RedriveAll(m.Context(), m.name, queue.Filter{Limit: limit})
	if err != nil || moved.Jobs != len(back) {
		m.Fatalf("redriven %+v, want %v (%v)", moved, back, err)
	}
	first := 1e300
	for _, id := range back {
		m.redriven(id, before)
		first = min(first, m.jobs[id].at)
	}
	m.push(len(back) > 0 && (!waits || first < head))
}

func (m *model) purge() {
	state := pick(m, "state", []queue.State{queue.Dead, queue.Scheduled})
	limit := m.number("limit", 1, 3)
	ids := m.in(state)
	moved, err := m.client.PurgeAll(m.Context(), m.name, queue.Filter{State: state, Limit: limit})
	if want := min(limit, len(ids)); err != nil || moved.Jobs != want || moved.Seen != want || moved.More != (len(ids) > limit) {
		m.Fatalf("purged %+v of %d, at most %d (%v)", moved, len(ids), limit, err)
	}
	for _, id := range ids[:moved.Jobs] {
		if state == queue.Dead {
			m.parted(id)
		} else {
			m.free(id)
		}
		delete(m.jobs, id)
	}
	m.stats["purged_"+string(state)] += moved.Jobs
}

func (m *model) purgeOne() {
	id, j := m.anyJob()
	err := m.client.Purge(m.Context(), m.name, id)
	state := queue.Dead
	if j != nil && j.state == queue.Done {
		state = queue.Done
	}
	if m.refused("purge", id, j, state, err) {
		return
	}
	if err != nil {
		m.Fatal(err)
	}
	if state == queue.Dead {
		m.parted(id)
	}
	delete(m.jobs, id)
	m.stats["purged_"+string(state)]++
}

func (m *model) editOne() {
	id, j := m.anyJob()
	retries := m.number("max_retry", 0, 3)
	payload := fmt.Sprint(m.number("payload", 0, 99))
	info, err := m.client.Edit(m.Context(), m.name, id, queue.Changes{MaxRetry: &retries, Payload: json.RawMessage(payload)})
	if m.refused("edit", id, j, queue.Scheduled, err) {
		return
	}
	if j.record == "junk" {
		if !errors.Is(err, queue.ErrInvalid) {
			m.Errorf("edit of junk: %v", err)
		}
		return
	}
	j.record, j.retries = m.raw.HGet(m.Context(), m.key("jobs"), id).Val(), retries
	kept, bad := queue.DecodeJob(m.name, id, j.record)
	if err != nil || bad != nil || kept.MaxRetry != retries || string(kept.Payload) != payload || info.Due.UnixMilli() != int64(j.at) {
		m.Fatalf("edited: %+v, %q (%v, %v)", info, j.record, err, bad)
	}
}

// listed compares a listing, in small pages, and the overview.
func (m *model) listed() {
	state := pick(m, "state", []queue.State{queue.Scheduled, queue.Dead, queue.Processing})
	l := queue.Listing{State: state, Limit: m.number("limit", 1, 5), Newest: m.number("newest", 0, 1) == 1}
	want := m.in(state)
	if state == queue.Processing {
		want = nil
		for _, w := range m.living() {
			list := slices.Clone(m.workers[w].list)
			slices.SortFunc(list, func(a, b string) int {
				if x, y := queue.ClaimNumber(a), queue.ClaimNumber(b); x != y {
					return int(x - y)
				}
				return strings.Compare(a, b)
			})
			for _, element := range list {
				_, id, _ := strings.Cut(element, ":")
				want = append(want, id)
			}
		}
	}
	if l.Newest {
		slices.Reverse(want)
	}
	equal(m.rig, fmt.Sprintf("%+v", l), m.pages(l, nil), want)
	if id, j := m.anyJob(); j != nil && !j.gone && j.record != "junk" {
		info := m.get(id)
		equal(m.rig, "state", info.State, j.state)
		held := j.state == queue.Processing && info.Worker != "" && slices.Contains(m.workers[info.Worker].list, j.element)
		equal(m.rig, "its worker has it", held, j.state == queue.Processing)
	}
	o := m.overview()
	for state, n := range map[queue.State]int{queue.Scheduled: o.Scheduled, queue.Dead: o.Dead} {
		equal(m.rig, string(state), n, len(m.in(state)))
	}
}
