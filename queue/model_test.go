package queue_test

import (
	"flag"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// How to use: `go test -run TestModel ./queue -rapid.checks=2000` for a longer run. When it fails, rapid shrinks the run and says
// how to repeat it. model_state_test.go is what a queue should hold, the other model_*_test.go what is done.

// usual is how many runs there are unless -rapid.checks says otherwise, and rare what they may well never come to.
const usual = "120"

var rare = []string{"released", "dead_trimmed", "done_trimmed", "expired", "purged_dead", "redriven"}

// TestModel makes arbitrary calls, with arbitrary faults between them, and compares all that Redis holds with the model after
// each.
func TestModel(t *testing.T) {
	s := redistest.Own(t)
	checks := usual
	flag.Visit(func(f *flag.Flag) {
		if f.Name == "rapid.checks" {
			checks = f.Value.String()
		}
	})
	for name, value := range map[string]string{"rapid.checks": checks, "rapid.nofailfile": "true"} { // the seed is enough
		if err := flag.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(t, rt, s)
		defer m.end(seen)
		m.hire()
		m.hire()
		act := func(f func()) func(*rapid.T) { return func(now *rapid.T) { m.t.run = now; f() } }
		rt.Repeat(map[string]func(*rapid.T){
			"": act(m.compare), "enqueue": act(m.enqueue), "enqueue more": act(m.enqueue), "time passes": act(m.timePasses),
			"time passes further": act(m.timePasses), "exchange": act(m.exchange), "exchange more": act(m.exchange),
			"work": act(m.exchange), "work on": act(m.exchange), "stale results": act(m.stale), "heartbeat": act(m.renew),
			"lost claim": act(m.lostClaim), "die": act(m.die), "leave": act(m.leave), "trim": act(m.trim), "wake": act(m.passOn),
			"forget scripts": act(m.forget), "spoil a record": act(m.spoilRecord), "wrong kind": act(m.wrongKind), "full": act(m.fill),
			"keeper's lease ends": act(m.leaseEnds), "reschedule": act(m.rescheduleOne), "redrive": act(m.redriveOne),
			"redrive all": act(m.redriveAll), "purge": act(m.purge), "purge one": act(m.purgeOne), "edit": act(m.editOne), "list": act(m.listed),
			"cancel": act(m.cancel), "cancel more": act(m.cancel), "order": act(m.order), "listen": act(m.listen), "pause": act(m.pause),
			"a minute passes": act(m.minutePasses),
		})
	})
	for _, name := range []string{"enqueued", "claimed", "done", "retried", "dead", "released", "lost", "corrupt", "reaped", "dead_trimmed",
		"done_trimmed", "expired", "redriven", "purged_dead", "purged_scheduled", "cancelled", "unique keys freed", "requests repeated"} {
		switch {
		case seen[name] > 0:
		case slices.Contains(rare, name) && checks == usual:
			t.Logf("nothing was ever %s this time", name)
		default:
			t.Errorf("nothing was ever %s: these runs prove little", name)
		}
	}
}

// both is a testing.TB for the helpers; what they say fails the present run of rapid.
type both struct {
	testing.TB
	run *rapid.T
}

func (b *both) Helper()                           {}
func (b *both) Error(args ...any)                 { b.run.Error(args...) }
func (b *both) Errorf(format string, args ...any) { b.run.Errorf(format, args...) }
func (b *both) Fatal(args ...any)                 { b.run.Fatal(args...) }
func (b *both) Fatalf(format string, args ...any) { b.run.Fatalf(format, args...) }
func (b *both) Failed() bool                      { return b.run.Failed() }

func newModel(t *testing.T, rt *rapid.T, s *redistest.Server) *model {
	b := &both{t, rt}
	r := &rig{TB: b, server: s, raw: s.Client(), name: redistest.Queue(t)}
	var err error
	if r.client, err = queue.Open(t.Context(), s.URL(), queue.Options{Timeout: bound}); err != nil {
		t.Fatal(err)
	}
	if r.link, err = r.client.Link(r.name); err != nil {
		t.Fatal(err)
	}
	r.forgetScripts()
	return &model{rig: r, t: b, jobs: map[string]*modelJob{}, workers: map[string]*modelWorker{}, stats: map[string]int{},
		meta: map[string]string{}, groups: map[string]*modelGroup{}, minutes: map[string]string{}, known: map[string]bool{},
		holders: map[string]string{}, fixed: map[string]string{}, requests: map[string]modelRequest{}}
}

// end leaves nothing behind, for spoiled records would break the conservation rule.
func (m *model) end(seen map[string]int) {
	m.lift()
	for name, n := range m.stats {
		seen[name] += n
	}
	seen["unique keys freed"] += m.freed
	seen["requests repeated"] += m.repeated
	for _, name := range m.raw.Keys(m.Context(), m.key("*")).Val() {
		m.raw.Del(m.Context(), name)
	}
	_, _ = m.link.Close(), m.client.Close()
}

// pick draws one of a list that is not empty; without any, the action is skipped.
func pick[T any](m *model, what string, list []T) T {
	if len(list) == 0 {
		m.t.run.Skip("no", what)
	}
	return list[rapid.IntRange(0, len(list)-1).Draw(m.t.run, what)]
}

func (m *model) number(what string, least, most int) int {
	return rapid.IntRange(least, most).Draw(m.t.run, what)
}

// anyWorker draws a living worker.
func (m *model) anyWorker() string { return pick(m, "worker", m.living()) }
