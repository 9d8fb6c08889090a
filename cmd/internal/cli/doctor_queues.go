package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

// lateForWorkers is how late a job may be where workers live before that is told.
const lateForWorkers = 10 * time.Second

// queues looks at each queue and its workers. That the layouts can be read was seen when the client was opened.
func (x *examination) queues(ctx context.Context) {
	overviews, err := x.Overviews(ctx)
	var workers []queue.WorkerState
	if err == nil {
		workers, err = x.Workers(ctx)
	}
	if err != nil {
		x.bad("queues", "try again; if it stays: punctual audit", "they cannot be read: %s", err)
		return
	}
	x.ok("layout", "%d queues, all of layout %d or older, which this program knows", len(overviews), queue.LayoutVersion)
	for _, o := range overviews {
		before := len(x.verdicts)
		of := slices.DeleteFunc(slices.Clone(workers), func(w queue.WorkerState) bool { return w.Queue != o.Queue })
		x.queue(o, of)
		x.workers(o.Queue, of)
		if len(x.verdicts) == before {
			x.ok("queue", "%s: %d scheduled, %d processing, %d dead, %d workers", o.Queue, o.Scheduled, o.Processing, o.Dead, len(of))
		}
	}
}

// queue looks whether somebody does the work of a queue.
func (x *examination) queue(o queue.Overview, workers []queue.WorkerState) {
	working := slices.ContainsFunc(workers, func(w queue.WorkerState) bool { return w.Living && w.Order == "" })
	late := o.Lateness().Round(time.Millisecond)
	switch {
	case o.Paused:
		x.warn("queue", "punctual queues resume "+o.Queue+", when its time has come", "%s is paused: %d jobs wait, of which %d are due", o.Queue, o.Scheduled, o.Due)
	case o.Due > 0 && !working:
		x.bad("queue", "start a worker with "+o.Queue+" in its QUEUES; punctual workers ls shows those that live",
			"%s: %d jobs are late, by %s at most, and no worker lives that would claim them", o.Queue, o.Due, late)
	case o.Scheduled > 0 && !working:
		x.warn("queue", "start a worker with "+o.Queue+" in its QUEUES before they are due", "%s: %d jobs wait, and no worker lives that would claim them", o.Queue, o.Scheduled)
	case late > lateForWorkers:
		x.warn("queue", "start more workers or raise WORKER_CONCURRENCY; punctual top shows what runs", "%s: %d jobs are late, by %s at most: its workers do not keep up", o.Queue, o.Due, late)
	}
}

func (x *examination) workers(name string, workers []queue.WorkerState) {
	var builds []string
	for _, w := range workers {
		switch {
		case !w.Living:
			x.warn("worker", "wait 20 s; if it stays, no process reaps: start server or a worker",
				"%s of %s: its heartbeat has run out, with %d jobs in hand", w.ID, name, w.Processing)
			continue
		case w.Stuck >= w.Concurrency && w.Stuck > 0:
			x.bad("worker", "restart it: punctual workers stop "+shellWord(w.ID), "%s of %s: all its %d handlers go on though their contexts have ended: it runs nothing", w.ID, name, w.Stuck)
		case w.Stuck > 0:
			x.warn("worker", "restart it: punctual workers stop "+shellWord(w.ID), "%s of %s: %d of its %d handlers go on though their contexts have ended", w.ID, name, w.Stuck, w.Concurrency)
		}
		builds = append(builds, w.Build)
	}
	slices.Sort(builds)
	if builds = slices.Compact(builds); len(builds) > 1 {
		x.warn("build", "finish the deploy, or stop the old ones: punctual workers ls shows who they are", "workers of %s are of %d builds: %s",
			name, len(builds), strings.Join(builds, ", "))
	}
}

// shellWord quotes what another process has written for use in a shell.
func shellWord(text string) string {
	for _, r := range text {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-", r) {
			return "ID (the ID of that line)"
		}
	}
	return text
}
