package ui

import (
	"net/url"

	"github.com/punctualq/punctual/queue"
)

// workersData is what the page Workers shows.
type workersData struct {
	Builds []builds // that run side by side
	Hosts  []process
}

// process is a running program, which is a worker of each queue that it serves.
type process struct {
	Host    string
	PID     int
	Workers []workerRow
}

type workerRow struct {
	queue.WorkerState
	Build string // short
	Jobs  string // address of the jobs in hand
	Stop  string // address of the question before it
}

// workers answers GET /ui/workers.
func (u *ui) workers(v *visit) error {
	all, workers, err := v.queuesAndWorkers()
	if err != nil {
		return err
	}
	d := workersData{Hosts: processesOf(workers), Builds: sideBySide(workers)}
	f := v.frame("workers", "Workers", clockOf(all), d)
	f.Live, f.Shape = true, shapeOf(all, workers)
	return v.render("workers", 200, f)
}

// processesOf puts together the workers of one process. A worker of which nothing but its id is known stands for itself.
func processesOf(workers []queue.WorkerState) []process {
	var all []process
	at := map[[2]any]int{}
	for _, w := range workers {
		row := workerRow{w, buildName(w.Build), jobsFilter{Queue: w.Queue, State: string(queue.Processing)}.URL(),
			"/ui/stop?" + url.Values{"worker": {w.ID}}.Encode()}
		name := [2]any{w.Host, w.PID}
		if i, ok := at[name]; ok && w.Host != "" {
			all[i].Workers = append(all[i].Workers, row)
			continue
		}
		at[name] = len(all)
		all = append(all, process{w.Host, w.PID, []workerRow{row}})
	}
	return all
}

// stopPage answers GET /ui/stop: the question before a process is stopped.
func (u *ui) stopPage(v *visit) error {
	all, err := v.workers()
	if err != nil {
		return err
	}
	id := v.r.URL.Query().Get("worker")
	for _, p := range processesOf(all) {
		for _, w := range p.Workers {
			if w.ID == id {
				return v.show("stop", "Stop a worker", clockOf(nil), struct {
					ID      string
					Process process
				}{id, p})
			}
		}
	}
	return queue.ErrNoWorker
}

// steerWorker answers POST /ui/worker: quiet, for a worker of one queue, or stop, for its process with all its queues.
func (u *ui) steerWorker(v *visit) error {
	id, verb := v.r.PostForm.Get("worker"), v.r.PostForm.Get("verb")
	tell := u.Queue.Quiet
	switch verb {
	case "quiet":
	case "stop":
		tell = u.Queue.Stop
	default:
		return errVerb
	}
	const here = "/ui/workers"
	all, err := u.Queue.Workers(v.ctx) // all: what the caller does not see may be touched
	if err != nil {
		return v.back(here, v.failed(err))
	}
	named, err := v.touchable(all, id, verb)
	if err != nil {
		return err
	}
	if err := tell(v.ctx, id); err != nil {
		return v.back(here, v.failed(err))
	}
	v.record(queue.Deed{Verb: verb, Queue: named.Queue, Target: id})
	return v.back(here, notice{Code: verb})
}

// touchable finds a worker, and refuses one whose order would touch a queue that the token does not name.
func (v *visit) touchable(all []queue.WorkerState, id, verb string) (named queue.WorkerState, err error) {
	err = queue.ErrNoWorker
	for _, w := range all {
		if w.ID == id {
			named, err = w, nil
		}
	}
	if err != nil {
		return named, err
	}
	for _, w := range all {
		touched := w.ID == id || verb == "stop" && w.Host == named.Host && w.PID == named.PID
		if touched && !v.caller.Sees(w.Queue) {
			return named, errQueueHidden
		}
	}
	return named, nil
}
