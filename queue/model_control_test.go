package queue_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/punctualq/punctual/queue"
)

// cancel takes out any job, or one that is not there.
func (m *model) cancel() {
	id := fmt.Sprint("id", m.number("id", 0, 40))
	if held := m.in(queue.Processing); len(held) > 0 && m.number("held", 0, 1) == 1 {
		id = pick(m, "job", held)
	}
	m.pop()
	j := m.jobs[id]
	state, err := m.client.Cancel(m.Context(), m.name, id)
	switch {
	case j == nil:
		equal(m.rig, "not there", errors.Is(err, queue.ErrNotFound), true)
		return
	case j.state == queue.Dead || j.state == queue.Done:
		equal(m.rig, "finished", errors.Is(err, queue.ErrState), true)
	case err != nil:
		m.Fatalf("cancel of %s, which is %s: %v", id, j.state, err)
	case j.state == queue.Scheduled:
		m.free(id)
		delete(m.jobs, id)
		m.stats["cancelled"]++
	default:
		j.ending = true
		for _, w := range m.workers {
			for _, element := range w.list {
				w.told = w.told || strings.HasSuffix(element, ":"+id)
			}
		}
	}
	equal(m.rig, "state", state, j.state)
}

// order tells a worker to be quiet or to stop. This model has it go on all the same: nothing in Redis prevents that.
func (m *model) order() {
	w, order := m.anyWorker(), pick(m, "order", []string{queue.OrderQuiet, queue.OrderStop})
	_, waits := m.head()
	if err := m.client.OrderIn(m.Context(), m.name, w, order); err != nil {
		m.Fatalf("%s to %s: %v", order, w, err)
	}
	if field := "order:" + w; m.meta[field] != queue.OrderStop {
		m.meta[field] = order
	}
	m.workers[w].told = true
	if m.meta["timekeeper"] == w {
		m.noKeeper()
		m.push(waits)
	}
}

// listen pops the token from a control list.
func (m *model) listen() {
	w := m.anyWorker()
	if !m.workers[w].told {
		m.t.run.Skip("nothing was said")
	}
	if token, err := m.link.WaitControl(m.Context(), w, bound); err != nil || !token {
		m.Fatalf("%v, %v", token, err)
	}
	m.workers[w].told = false
}

// pause pauses the queue, or resumes it.
func (m *model) pause() {
	_, waits := m.head()
	paused, resume := m.meta["paused"] != "", m.number("resume", 0, 2) > 0
	verb := m.client.Pause
	if resume {
		verb = m.client.Resume
	}
	changed, err := verb(m.Context(), m.name)
	if err != nil {
		m.Fatal(err)
	}
	equal(m.rig, "changed", changed, resume == paused)
	if delete(m.meta, "paused"); !resume {
		m.meta["paused"] = "1"
	}
	m.push(changed && resume && waits)
}
