package ui

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

// alert is something that somebody should know, in words.
type alert struct {
	Kind string `json:"kind"` // bad or warn
	Text string `json:"text"`
}

// lateEnough is the lateness of a queue whose workers live that is worth an alert.
const lateEnough = 10 * time.Second

// alertsOf looks at the queues and the workers of one moment. The worst come first.
func alertsOf(all []queue.Overview, workers []queue.WorkerState) []alert {
	var bad, warn []alert
	for _, o := range all {
		living, quiet := 0, 0
		for _, w := range workers {
			if w.Queue == o.Queue && w.Living {
				living++
				if w.Order != "" {
					quiet++
				}
			}
		}
		switch {
		case o.Paused && o.Due > 0:
			warn = append(warn, alert{"warn", fmt.Sprintf("The queue %s is paused, and %s, the first for %s.", o.Queue, areLate(o.Due), span(o.Lateness()))})
		case o.Paused:
			warn = append(warn, alert{"warn", fmt.Sprintf("The queue %s is paused.", o.Queue)})
		case o.Due > 0 && living == 0:
			bad = append(bad, alert{"bad", fmt.Sprintf("No worker lives for the queue %s, and %s, the first for %s.", o.Queue, areLate(o.Due), span(o.Lateness()))})
		case o.Due > 0 && living == quiet:
			bad = append(bad, alert{"bad", fmt.Sprintf("All workers of the queue %s are told to claim nothing more, and %s.", o.Queue, areLate(o.Due))})
		case o.Lateness() >= lateEnough:
			bad = append(bad, alert{"bad", fmt.Sprintf("The workers of the queue %s do not keep up: %s, the first for %s.", o.Queue, areLate(o.Due), span(o.Lateness()))})
		}
	}
	for _, w := range workers {
		switch {
		case !w.Living && w.Processing > 0:
			bad = append(bad, alert{"bad", fmt.Sprintf("The worker %s of the queue %s is dead with %s in hand: they come back by themselves within seconds.",
				short(60, w.ID), w.Queue, plural(w.Processing, "job"))})
		case w.Stuck > 0:
			warn = append(warn, alert{"warn", fmt.Sprintf("%s stuck on the worker %s of the queue %s: they go on though their time is over.",
				are(w.Stuck, "handler"), short(60, w.ID), w.Queue)})
		}
	}
	for _, side := range sideBySide(workers) {
		warn = append(warn, alert{"warn", fmt.Sprintf("%d builds of workers of the queue %s run side by side: %s.", len(side.Builds), side.Queue, strings.Join(side.Builds, ", "))})
	}
	return append(bad, warn...)
}

func areLate(n int) string {
	if n == 1 {
		return "1 job is late"
	}
	return count(n) + " jobs are late"
}

func are(n int, thing string) string {
	if n == 1 {
		return "1 " + thing + " is"
	}
	return count(n) + " " + thing + "s are"
}

// builds are those that work on one queue side by side, cut to what tells them apart.
type builds struct {
	Queue  string
	Builds []string
}

// sideBySide are the queues on which more than one build works: services with programs of their own have queues of their own.
func sideBySide(workers []queue.WorkerState) (all []builds) {
	on := map[string][]queue.WorkerState{}
	for _, w := range workers {
		on[w.Queue] = append(on[w.Queue], w)
	}
	for _, name := range slices.Sorted(maps.Keys(on)) {
		side := builds{Queue: name}
		for _, build := range queue.Builds(on[name]) {
			side.Builds = append(side.Builds, buildName(build))
		}
		if side.Builds = slices.Compact(side.Builds); len(side.Builds) > 1 {
			all = append(all, side)
		}
	}
	return all
}

func buildName(build string) string {
	if build == "" {
		return "unknown"
	}
	return short(20, build)
}
