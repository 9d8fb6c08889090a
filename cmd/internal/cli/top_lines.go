package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/punctualq/punctual/cmd/internal/plain"
	"github.com/punctualq/punctual/queue"
)

const reverse = "\x1b[7m"

// row is a line of a section, and the color that it has where there are colors.
type row struct{ text, color string }

// section is one part of the screen.
type section struct {
	head string
	rows []row
	what string // the rows, in the plural
}

// lines is the screen: no line wider than columns, and no more of them than rows; 0: as many as there are.
func (t *top) lines(columns, rows int) []string {
	head := fmt.Sprintf("punctual top   Redis %s   %s   %s, %s", t.settings.RedisHost, t.now.at.Format("15:04:05"),
		count(len(t.now.queues), "queue"), count(len(t.now.workers), "worker"))
	if t.now.at.IsZero() {
		head = "punctual top   Redis " + t.settings.RedisHost
	}
	lines := []string{t.shown(reverse, head, columns)}
	if t.failed != nil {
		lines = append(lines, t.shown(red, "what is shown is old: "+t.advised(t.failed).Error(), columns))
	}
	sections := []section{t.queueSection(), t.workerSection(), t.runningSection()}
	for i := range sections {
		if len(sections[i].rows) == 0 {
			sections[i].rows = []row{{text: "none"}}
		}
	}
	left := rows - len(lines) - 2*len(sections) // each has an empty line and a head
	for i, part := range sections {
		show := len(part.rows)
		if rows > 0 {
			show = max(1, min(show, left/(len(sections)-i)))
			left -= show
		}
		lines = append(lines, "", t.shown(reverse, part.head, columns))
		for n, r := range part.rows[:min(show, len(part.rows))] {
			if n == show-1 && show < len(part.rows) {
				r = row{text: fmt.Sprintf("… and %d more %s", len(part.rows)-n, part.what)}
			}
			lines = append(lines, t.shown(r.color, r.text, columns))
		}
	}
	if rows > 0 {
		lines = lines[:min(len(lines), rows)]
	}
	return lines
}

// shown is a line of the screen.
func (t *top) shown(color, text string, columns int) string {
	if text = cutTo(plain.Line(text), columns); color == "" {
		return text
	}
	return t.out.colored(color, text)
}

// queueSection has those first whose jobs are late, by name.
func (t *top) queueSection() section {
	queues := slices.Clone(t.now.queues)
	slices.SortStableFunc(queues, func(a, b queue.Overview) int { return cmp.Compare(min(1, b.Due), min(1, a.Due)) })
	part := section{head: fmt.Sprintf("%-22s %9s %7s %6s %7s %9s %6s %6s", "QUEUE", "SCHEDULED", "DUE", "PROC", "DEAD", "LATE", "IN/s", "DONE/s"), what: "queues"}
	for _, o := range queues {
		name, color := o.Queue, ""
		switch {
		case o.Paused:
			name, color = o.Queue+" paused", yellow
		case o.Lateness() > lateForWorkers:
			color = red
		}
		part.rows = append(part.rows, row{fmt.Sprintf("%s %9d %7d %6d %7d %9s %6s %6s", cell(name, 22), o.Scheduled, o.Due, o.Processing, o.Dead,
			span(o.Lateness()), t.rate(o, "enqueued"), t.rate(o, "done")), color})
	}
	return part
}

// rate is by how much a counter has grown a second since the look before.
func (t *top) rate(o queue.Overview, counter string) string {
	for _, was := range t.before.queues {
		if took := o.Now.Sub(was.Now).Seconds(); was.Queue == o.Queue && took > 0 && o.Counters[counter] >= was.Counters[counter] {
			return strconv.FormatFloat(float64(o.Counters[counter]-was.Counters[counter])/took, 'f', 0, 64)
		}
	}
	return "-"
}

func (t *top) workerSection() section {
	part := section{head: fmt.Sprintf("%-34s %-16s %9s %9s %s", "WORKER host:pid:id", "QUEUE", "IN HAND", "LAST BEAT", "STATE"), what: "workers"}
	now := map[string]time.Time{} // by the clock of Redis, as heartbeats are
	for _, o := range t.now.queues {
		now[o.Queue] = o.Now
	}
	for _, w := range t.now.workers {
		beat, state := "?", w.State()
		color := map[string]string{"dead": red, "stuck": red, "stopping": yellow, "quiet": yellow}[state]
		if !w.LastBeat.IsZero() {
			beat = span(max(0, now[w.Queue].Sub(w.LastBeat)))
		}
		if state == "stuck" {
			state = fmt.Sprintf("%d stuck", w.Stuck)
		}
		hand := strconv.Itoa(w.Processing)
		if w.Concurrency > 0 {
			hand += "/" + strconv.Itoa(w.Concurrency)
		}
		part.rows = append(part.rows, row{fmt.Sprintf("%s %s %9s %9s %s", cell(w.ID, 34), cell(w.Queue, 16), hand, beat, state), color})
	}
	return part
}

// runningSection has what runs by worker, the claims of each in their order.
func (t *top) runningSection() section {
	part := section{head: fmt.Sprintf("%-36s %-12s %7s %s", "RUNS NOW", "TYPE", "ATTEMPT", "WORKER"), what: "jobs"}
	for _, i := range t.now.running {
		color := ""
		if i.Cancelled {
			color = yellow
		}
		part.rows = append(part.rows, row{fmt.Sprintf("%s %s %7d %s", cell(i.ID, 36), cell(i.Type, 12), i.Attempts, i.Worker), color})
	}
	return part
}

// cell is text as a cell of a table that is so wide.
func cell(text string, width int) string {
	text = cutTo(plain.Line(text), width)
	return text + strings.Repeat(" ", max(0, width-widthOf(text)))
}
