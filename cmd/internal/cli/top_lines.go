package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

const (
	reverse = "\x1b[7m"
	red     = "\x1b[31m"
	yellow  = "\x1b[33m"
	usual   = "\x1b[0m"
)

// row is a line of a table, and the color that it has where there are colors.
type row struct{ text, color string }

// table is one part of the screen.
type table struct {
	head string
	rows []row
	what string // the rows, in the plural
}

// lines is the screen: no line wider than columns, and no more of them than rows; 0: as many as there are.
func (t *top) lines(columns, rows int) []string {
	head := fmt.Sprintf("punctual top   Redis %s   %s   %d queues, %d workers", t.settings.RedisHost, t.now.at.Format("15:04:05"), len(t.now.queues), len(t.now.workers))
	if t.now.at.IsZero() {
		head = "punctual top   Redis " + t.settings.RedisHost
	}
	lines := []string{t.colored(ascii(head, columns), reverse)}
	if t.failed != nil {
		lines = append(lines, t.colored(ascii("what is shown is old: "+t.advised(t.failed).Error(), columns), red))
	}
	tables := []table{t.queueTable(), t.workerTable(), t.runningTable()}
	for i := range tables {
		if len(tables[i].rows) == 0 {
			tables[i].rows = []row{{text: "none"}}
		}
	}
	left := rows - len(lines) - 2*len(tables) // each has an empty line and a head
	for i, part := range tables {
		show := len(part.rows)
		if rows > 0 {
			show = max(1, min(show, left/(len(tables)-i)))
			left -= show
		}
		lines = append(lines, "", t.colored(ascii(part.head, columns), reverse))
		for n, r := range part.rows[:min(show, len(part.rows))] {
			if n == show-1 && show < len(part.rows) {
				r = row{text: fmt.Sprintf("... and %d more %s", len(part.rows)-n, part.what)}
			}
			lines = append(lines, t.colored(ascii(r.text, columns), r.color))
		}
	}
	if rows > 0 {
		lines = lines[:min(len(lines), rows)]
	}
	return lines
}

func (t *top) colored(text, color string) string {
	if !t.out.color || color == "" {
		return text
	}
	return color + text + usual
}

// queueTable has those first whose jobs are late, by name.
func (t *top) queueTable() table {
	queues := slices.Clone(t.now.queues)
	slices.SortStableFunc(queues, func(a, b queue.Overview) int { return cmp.Compare(min(1, b.Due), min(1, a.Due)) })
	part := table{head: fmt.Sprintf("%-22s %9s %7s %6s %7s %9s %6s %6s", "QUEUE", "SCHEDULED", "DUE", "PROC", "DEAD", "LATE", "IN/s", "DONE/s"), what: "queues"}
	for _, o := range queues {
		name, color := o.Queue, ""
		switch {
		case o.Paused:
			name, color = o.Queue+" paused", yellow
		case o.Lateness() > time.Second:
			color = red
		}
		part.rows = append(part.rows, row{fmt.Sprintf("%s %9d %7d %6d %7d %9s %6s %6s", cell(name, 22), o.Scheduled, o.Due, o.Processing, o.Dead,
			briefly(o.Lateness()), t.rate(o, "enqueued"), t.rate(o, "done")), color})
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

func (t *top) workerTable() table {
	part := table{head: fmt.Sprintf("%-34s %-16s %9s %9s %s", "WORKER host:pid:id", "QUEUE", "IN HAND", "LAST BEAT", "STATE"), what: "workers"}
	now := map[string]time.Time{} // by the clock of Redis, as heartbeats are
	for _, o := range t.now.queues {
		now[o.Queue] = o.Now
	}
	for _, w := range t.now.workers {
		beat, state, color := "?", "works", ""
		if !w.LastBeat.IsZero() {
			beat = briefly(max(0, now[w.Queue].Sub(w.LastBeat)))
		}
		switch {
		case !w.Living:
			state, color = "gone", red
		case w.Stuck > 0:
			state, color = fmt.Sprintf("%d stuck", w.Stuck), red
		case w.Order != "":
			state, color = w.Order, yellow
		}
		hand := strconv.Itoa(w.Processing)
		if w.Concurrency > 0 {
			hand += "/" + strconv.Itoa(w.Concurrency)
		}
		part.rows = append(part.rows, row{fmt.Sprintf("%s %s %9s %9s %s", cell(w.ID, 34), cell(w.Queue, 16), hand, beat, state), color})
	}
	return part
}

// runningTable has what runs by worker, the claims of each in their order.
func (t *top) runningTable() table {
	part := table{head: fmt.Sprintf("%-36s %-12s %7s %s", "RUNS NOW", "TYPE", "ATTEMPT", "WORKER"), what: "jobs"}
	for _, i := range t.now.running {
		color := ""
		if i.Cancelled {
			color = yellow
		}
		part.rows = append(part.rows, row{fmt.Sprintf("%s %s %7d %s", cell(i.ID, 36), cell(i.Type, 12), i.Attempts, i.Worker), color})
	}
	return part
}

// briefly is a duration in at most nine letters.
func briefly(d time.Duration) string {
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 100*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return strconv.Itoa(int(d.Hours()/24)) + "d"
}

// cell is text as a cell of a table that is so wide.
func cell(text string, width int) string { return fmt.Sprintf("%-*s", width, ascii(text, width)) }

// ascii is text without anything that a terminal would obey or that takes another width than it seems to, cut to so many columns.
func ascii(text string, width int) string {
	quoted := strconv.QuoteToASCII(text)
	text = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(quoted[1 : len(quoted)-1])
	if len(text) <= width {
		return text
	}
	return text[:max(0, width-1)] + "~"
}
