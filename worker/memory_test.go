package worker

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// mem makes a memory of executions by element, all running unless told otherwise.
func mem(resolved int64, phases map[string]phase) (*memory, map[string]context.Context) {
	m := &memory{held: map[string]*execution{}, resolved: resolved, number: resolved}
	ctxs := map[string]context.Context{}
	for element, p := range phases {
		ctx, cancel := context.WithCancelCause(context.Background())
		m.held[element] = &execution{phase: p, abort: cancel}
		ctxs[element] = ctx
	}
	return m, ctxs
}

// reconcileCase is a memory, a reply, and what is to come of them.
type reconcileCase struct {
	name     string
	held     map[string]phase
	resolved int64
	waiting  []string        // put up for adoption before the snapshot
	between  func(m *memory) // what happens while the heartbeat is under way
	own      []string        // the reply
	adopt    []string        // afterwards
	lost     []string        // contexts ended with ErrLost
	dropped  []string        // not in memory any more
	counts   [2]int          // unknown, gone
}

var reconcileCases = []reconcileCase{
	{name: "nothing", own: nil},
	{name: "as known", held: map[string]phase{"1:a": running}, resolved: 1, own: []string{"1:a"}},
	{name: "unknown is adopted", resolved: 3, own: []string{"3:a", "2:b"}, adopt: []string{"3:a", "2:b"}, counts: [2]int{2, 0}},
	{name: "a claim not answered yet is not judged", resolved: 3, own: []string{"4:a"}},
	{name: "a claim answered since is not judged", resolved: 3, own: []string{"4:a"}, between: func(m *memory) { m.resolved = 4 }},
	{name: "foreign element is adopted", own: []string{"rubbish"}, adopt: []string{"rubbish"}, counts: [2]int{1, 0}},
	{name: "listed twice, adopted once", resolved: 3, own: []string{"2:a", "2:a"}, adopt: []string{"2:a"}, counts: [2]int{1, 0}},
	{name: "waiting already", resolved: 3, waiting: []string{"2:a"}, own: []string{"2:a"}, adopt: []string{"2:a"}},
	{name: "adopted, run and settled since the snapshot", resolved: 3, waiting: []string{"2:a"}, own: []string{"2:a"},
		between: func(m *memory) { m.adopt = nil }},
	{name: "settled since the snapshot", held: map[string]phase{"1:a": running}, resolved: 1, own: []string{"1:a"},
		between: func(m *memory) { delete(m.held, "1:a") }, dropped: []string{"1:a"}},
	{name: "gone is lost", held: map[string]phase{"1:a": running}, resolved: 1, lost: []string{"1:a"}, counts: [2]int{0, 1}},
	{name: "settle under way at the snapshot", held: map[string]phase{"1:a": settling}, resolved: 1},
	{name: "settle under way at the snapshot, failed since", held: map[string]phase{"1:a": settling}, resolved: 1,
		between: func(m *memory) { m.held["1:a"].phase = finished }},
	{name: "settle under way now", held: map[string]phase{"1:a": running}, resolved: 1,
		between: func(m *memory) { m.held["1:a"].phase = settling }},
	{name: "finished and gone is dropped", held: map[string]phase{"1:a": finished}, resolved: 1, lost: []string{"1:a"},
		dropped: []string{"1:a"}, counts: [2]int{0, 1}},
	{name: "finished and listed is kept", held: map[string]phase{"1:a": finished}, resolved: 1, own: []string{"1:a"}},
	{name: "lost already", held: map[string]phase{"1:a": running}, resolved: 1, between: func(m *memory) { m.held["1:a"].lost = true }},
	{name: "claimed since the snapshot is not gone", resolved: 1, between: func(m *memory) {
		m.held["2:b"] = &execution{abort: func(error) { panic("judged") }}
	}},
}

func TestReconcileTable(t *testing.T) {
	for _, c := range reconcileCases {
		t.Run(c.name, func(t *testing.T) {
			m, ctxs := mem(c.resolved, c.held)
			m.adopt = slices.Clone(c.waiting)
			s := m.snapshot()
			if c.between != nil {
				c.between(m)
			}
			unknown, gone := m.reconcile(s, c.own)
			if unknown != c.counts[0] || gone != c.counts[1] || !slices.Equal(m.adopt, c.adopt) {
				t.Errorf("unknown %d, gone %d, adopt %q; want %v, %q", unknown, gone, m.adopt, c.counts, c.adopt)
			}
			for element, ctx := range ctxs {
				want := slices.Contains(c.lost, element)
				if (ctx.Err() != nil) != want || want && !errors.Is(context.Cause(ctx), ErrLost) {
					t.Errorf("context of %s: %v, cause %v; lost: %v", element, ctx.Err(), context.Cause(ctx), want)
				}
				if _, kept := m.held[element]; kept == slices.Contains(c.dropped, element) {
					t.Errorf("%s in memory: %v", element, kept)
				}
			}
		})
	}
}

func TestUnsureIsClearedOnlyIfNoDoubtAroseSince(t *testing.T) {
	m, _ := mem(0, nil)
	m.doubt()
	s := m.snapshot()
	m.doubt() // while the heartbeat was under way: its list may be older than this
	m.reconcile(s, nil)
	if !m.unsure {
		t.Error("cleared by a list that was asked for before the doubt")
	}
	m.reconcile(m.snapshot(), nil)
	if m.unsure {
		t.Error("not cleared by a list that was asked for after the doubt")
	}
}

func TestRenewTakesAnotherIDAndLosesEverything(t *testing.T) {
	m, ctxs := mem(7, map[string]phase{"1:a": running, "2:b": finished})
	m.registered, m.adopt, m.unsure = true, []string{"3:c"}, true
	m.info.Host, m.info.PID = "a:b", 9
	ids := map[string]bool{}
	for range 100 {
		m.renew()
		ids[m.info.ID] = true
	}
	if len(ids) != 100 || m.registered || m.adopt != nil || m.unsure || m.number != 7 || m.expected() != 0 {
		t.Errorf("%d ids; memory %+v", len(ids), m)
	}
	for element, ctx := range ctxs {
		if !errors.Is(context.Cause(ctx), ErrLost) {
			t.Errorf("%s: cause %v", element, context.Cause(ctx))
		}
	}
	if got := newID(m.info); len(got) != len("a-b:9:")+8 || got[:6] != "a-b:9:" {
		t.Errorf("worker id %q: a colon in the host name must not look like a separator", got)
	}
}

// The claim that would have come with the result of a job that vanished must be made up for: nobody else wakes a worker that
// has counted on it.
func TestVanishedResultMakesTheWorkerLook(t *testing.T) {
	m := memory{resolved: 1, backlog: true, held: map[string]*execution{"1:a": {phase: finished}}}
	m.reconcile(m.snapshot(), nil)
	if len(m.held) != 0 || !m.want {
		t.Errorf("held %v, look: %t", m.held, m.want)
	}
}
