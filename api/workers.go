package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/punctualq/punctual/queue"
)

// workerJSON is a registered worker.
type workerJSON struct {
	Worker      string `json:"worker"`
	Queue       string `json:"queue"`
	Host        string `json:"host"`
	PID         int    `json:"pid"`
	Build       string `json:"build"`
	Started     moment `json:"started_at,omitzero"`
	Concurrency int    `json:"concurrency"`
	Processing  int    `json:"processing"`
	LastBeat    moment `json:"last_heartbeat,omitzero"`
	Living      bool   `json:"living"`
	Order       string `json:"order"` // "" if it was told nothing
	Stuck       int    `json:"stuck"`
}

func workerOf(w queue.WorkerState) workerJSON {
	return workerJSON{w.ID, w.Queue, w.Host, w.PID, w.Build, moment(w.Started), w.Concurrency, w.Processing, moment(w.LastBeat), w.Living,
		w.Order, w.Stuck}
}

// listWorkers answers GET /api/dm-jobqueue/workers.
func (s *service) listWorkers(c *call) error {
	ctx, cancel := c.context()
	defer cancel()
	all, err := s.queue.Workers(ctx)
	if err != nil {
		return err
	}
	workers := []workerJSON{}
	for _, w := range all {
		if c.caller.sees(w.Queue) {
			workers = append(workers, workerOf(w))
		}
	}
	return c.answer(http.StatusOK, map[string]any{"workers": workers})
}

// quietWorker answers POST /api/dm-jobqueue/workers/{worker}/quiet.
func (s *service) quietWorker(c *call) error {
	touched := func(w, named queue.WorkerState) bool { return w.ID == named.ID }
	return s.order(c, "quiet", s.queue.Quiet, touched)
}

// stopWorker answers POST /api/dm-jobqueue/workers/{worker}/stop. It stops a process, which may be a worker of other queues, too.
func (s *service) stopWorker(c *call) error {
	touched := func(w, named queue.WorkerState) bool { return w.Host == named.Host && w.PID == named.PID }
	return s.order(c, "stop", s.queue.Stop, touched)
}

type orderJSON struct {
	Worker string `json:"worker"`
	Order  string `json:"order"`
}

func (s *service) order(c *call, order string, tell func(context.Context, string) error, touched func(w, named queue.WorkerState) bool) error {
	id := c.pathVar("worker", 512)
	if id == "" {
		return queue.ErrNoWorker
	}
	ctx, cancel := c.context()
	defer cancel()
	named, err := s.permitWorker(ctx, c, id, touched)
	if err != nil {
		return err
	}
	c.deed = queue.Deed{Queue: named.Queue, Target: id}
	if err := tell(ctx, id); err != nil {
		return err
	}
	return c.answer(http.StatusAccepted, orderJSON{id, order})
}

// permitWorker finds a worker, and refuses one whose order would touch a queue that the token does not name. Where any queue may be
// touched it is for the audit trail alone, which must not hinder: then a worker that was not found is no error.
func (s *service) permitWorker(ctx context.Context, c *call, id string, touched func(w, named queue.WorkerState) bool) (named queue.WorkerState, err error) {
	all, err := s.queue.Workers(ctx)
	i := slices.IndexFunc(all, func(w queue.WorkerState) bool { return w.ID == id })
	switch {
	case !c.caller.limited && i < 0:
		return named, nil
	case err != nil:
		return named, err
	case i < 0:
		return named, queue.ErrNoWorker
	}
	for _, w := range all {
		if touched(w, all[i]) && !c.caller.sees(w.Queue) {
			return named, refuse(errForbidden, "this would touch a queue that the claim queues of the token does not name")
		}
	}
	return all[i], nil
}
