package queue_test

import (
	"errors"
	"strings"

	"github.com/punctualq/punctual/queue"
)

// fill puts Redis over its maxmemory, or makes room again. Nothing but enqueue is refused meanwhile.
func (m *model) fill() {
	if m.full {
		m.lift()
		return
	}
	m.server.Config(m.TB, "maxmemory", "1")
	m.full = true
}

func (m *model) lift() {
	m.server.Config(m.TB, "maxmemory", "0")
	m.full = false
}

// aside does something past the package, which a full Redis would refuse.
func (m *model) aside(do func()) {
	full := m.full
	m.lift()
	do()
	if full {
		m.fill()
	}
}

// forget makes Redis forget the scripts; one time in ten by killing it. It comes back with its data, and room.
func (m *model) forget() {
	clear(m.known)
	if m.number("kill", 0, 9) != 9 {
		m.forgetScripts()
		return
	}
	m.server.Kill(m.TB)
	m.server.Start(m.TB)
	m.full = false
}

func (m *model) leaseEnds() {
	if m.meta["timekeeper"] == "" {
		m.t.run.Skip("nobody keeps time")
	}
	m.aside(func() { m.do("HSET", k("meta"), "timekeeper_until", 1000) })
	m.meta["timekeeper_until"] = "1000"
}

// spoilRecord is the work of another hand on a job that waits or is processed.
func (m *model) spoilRecord() {
	candidates := m.in(queue.Scheduled)
	for _, w := range m.living() {
		for _, element := range m.workers[w].list {
			_, id, _ := strings.Cut(element, ":")
			candidates = append(candidates, id)
		}
	}
	id := pick(m, "job", candidates)
	j := m.jobs[id]
	m.aside(func() {
		switch m.number("how", 0, 2) {
		case 0:
			m.do("HSET", k("jobs"), id, "junk")
			j.record, j.gone = "junk", false
		case 1:
			m.do("HDEL", k("jobs"), id)
			j.record, j.gone = "", true
		case 2:
			m.do("HSET", k("attempts"), id, "junk")
			j.attempts = "junk"
		}
	})
}

// wrongKind makes one key one of a wrong kind. The call that needs it is refused with nothing changed, and all is repaired.
func (m *model) wrongKind() {
	w := m.anyWorker()
	calls := []struct {
		keys string
		call func() error
	}{
		{"jobs scheduled wake stats meta", func() error {
			_, err := m.client.Enqueue(m.Context(), queue.NewJob{Queue: m.name})
			return err
		}},
		{"scheduled processing workers meta wake dead errors unique", func() error { m.known["claim"] = true; return m.rig.exchange(w, 3).ClaimErr }},
		{"processing jobs scheduled dead attempts errors wake stats done unique cancelled", func() error {
			m.known["settle"] = true
			return m.rig.exchange(w, 0, queue.Result{Element: "1:x", Outcome: queue.OutcomeRetry}).SettleErr
		}},
		{"workers meta processing scheduled cancelled stats minutes", func() error { _, err := m.beat(w, false); return err }},
		{"workers meta processing scheduled wake", func() error { _, err := m.link.Leave(m.Context(), w); return err }},
		{"scheduled jobs attempts errors unique dead done cancelled stats workers processing", func() error {
			_, err := m.client.Cancel(m.Context(), m.name, "nobody")
			return err
		}},
		{"workers meta scheduled wake", func() error { return m.client.OrderIn(m.Context(), m.name, w, queue.OrderQuiet) }},
		{"meta scheduled wake", func() error { _, err := m.client.Pause(m.Context(), m.name); return err }},
		{"workers", func() error { _, err := m.link.Reap(m.Context(), w); return err }},
		{"groups dead", func() error { _, _, err := m.client.DeadGroups(m.Context(), m.name); return err }},
		{"minutes stats meta", func() error { _, err := m.client.Minutes(m.Context(), m.name, 9); return err }},
		{"dead done", func() error { _, err := m.link.Trim(m.Context(), 0, 0, 0); return err }},
		{"wake", func() error { return m.link.PassOn(m.Context()) }},
		{"jobs scheduled dead done wake", func() error {
			_, err := m.client.Reschedule(m.Context(), m.name, "nobody", queue.When{})
			return err
		}},
		{"dead scheduled done jobs attempts errors wake groups", func() error { return m.client.Redrive(m.Context(), m.name, "nobody") }},
		{"dead jobs attempts errors unique groups", func() error {
			_, err := m.client.PurgeOf(m.Context(), m.name, queue.Dead, "nobody", "1")
			return err
		}},
		{"jobs attempts cancelled errors dead", func() error { return listAll(m.rig, queue.Dead) }},
	}
	c := pick(m, "call", calls)
	key := k(pick(m, "key", strings.Fields(c.keys)))
	if key == "processing" {
		key += k(":" + w)
	}
	m.aside(func() {
		there := m.do("EXISTS", key) == any(int64(1))
		if there {
			m.do("RENAME", key, k("kept"))
		}
		m.do("SET", key, "spoiled")
		before := m.everything()
		if err := c.call(); !errors.Is(err, queue.ErrUnavailable) || !strings.Contains(err.Error(), "WRONGTYPE") {
			m.Errorf("%s is of a wrong kind, and the answer is %v", key, err)
		}
		m.unchanged(before)
		m.do("DEL", key)
		if there {
			m.do("RENAME", k("kept"), key)
		}
	})
}
