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
	x.ok("layout", "%s, of layout %d or older, which this program knows", count(len(overviews), "queue"), queue.LayoutVersion)
	for _, o := range overviews {
		before := len(x.verdicts)
		of := slices.DeleteFunc(slices.Clone(workers), func(w queue.WorkerState) bool { return w.Queue != o.Queue })
		x.queue(o, of)
		x.workers(o.Queue, of)
		if len(x.verdicts) == before {
			x.ok("queue", "%s: %d scheduled, %d processing, %d dead, %s", o.Queue, o.Scheduled, o.Processing, o.Dead, count(len(of), "worker"))
		}
	}
}

// queue looks whether somebody does the work of a queue.
func (x *examination) queue(o queue.Overview, workers []queue.WorkerState) {
	working := slices.ContainsFunc(workers, func(w queue.WorkerState) bool { return w.Living && w.Order == "" })
	late := o.Lateness()
	switch {
	case o.Paused:
		x.warn("queue", "punctual queues resume "+o.Queue+", when its time has come", "%s is paused: %s waiting, %d due", o.Queue, count(o.Scheduled, "job"), o.Due)
	case o.Due > 0 && !working:
		x.bad("queue", "start a worker with "+o.Queue+" in its QUEUES; punctual workers ls shows those that live",
			"%s: %s due, late by %s at most, and no worker lives that would claim any", o.Queue, count(o.Due, "job"), span(late))
	case o.Scheduled > 0 && !working:
		x.warn("queue", "start a worker with "+o.Queue+" in its QUEUES before they are due", "%s: %s waiting, and no worker lives that would claim any", o.Queue, count(o.Scheduled, "job"))
	case late > lateForWorkers:
		x.warn("queue", "start more workers or raise WORKER_CONCURRENCY; punctual top shows what runs", "%s: %s due, late by %s at most: its workers do not keep up", o.Queue, count(o.Due, "job"), span(late))
	}
}

func (x *examination) workers(name string, workers []queue.WorkerState) {
	for _, w := range workers {
		switch {
		case !w.Living:
			x.warn("worker", "wait 20 s; if it stays, no process reaps: start server or a worker",
				"%s of %s: its heartbeat has run out, with %s in hand", w.ID, name, count(w.Processing, "job"))
		case w.Stuck >= w.Concurrency && w.Stuck > 0:
			x.bad("worker", "restart it: punctual workers stop "+shellWord(w.ID), "%s of %s: all its handlers (%d) go on though their contexts have ended: it runs nothing", w.ID, name, w.Stuck)
		case w.Stuck > 0:
			x.warn("worker", "restart it: punctual workers stop "+shellWord(w.ID), "%s of %s: of its handlers %d of %d go on though their contexts have ended", w.ID, name, w.Stuck, w.Concurrency)
		}
	}
	if builds := queue.Builds(workers); len(builds) > 1 {
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
