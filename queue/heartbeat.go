package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

var heartbeatScript = loadScript("heartbeat")

// WorkerInfo is what a heartbeat tells people of its worker.
type WorkerInfo struct {
	ID          string    `json:"-"`
	Host        string    `json:"host"`
	PID         int       `json:"pid"`
	Started     time.Time `json:"started"`
	Concurrency int       `json:"concurrency"`
	Build       string    `json:"build,omitempty"` // vcs revision, or a hash of the executable
	Dir         string    `json:"dir,omitempty"`   // working folder
	Stuck       int       `json:"stuck,omitempty"` // handlers that go on though their contexts ended long ago
	Quiet       bool      `json:"quiet,omitempty"` // it claims nothing more, for it was told so
}

// Pulse is the reply to a heartbeat.
type Pulse struct {
	Now       time.Time // by the clock of Redis
	NextDue   time.Time // due time of the next job that waits; zero if none does
	Order     string    // what the worker was told: OrderQuiet, OrderStop, or ""
	Cancelled []string  // elements of its own list that are being cancelled
	Overdue   string    // a worker whose heartbeat ran out and that may be reaped; "" if none
	Own       []string  // the elements of the worker's own processing list
}

// Heartbeat says that the worker lives. first registers a fresh id (ErrTiming if others live by another timing); later
// heartbeats are answered ErrFenced once the worker was reaped or is being reaped. ErrLayout: this binary is too old.
func (l *Link) Heartbeat(ctx context.Context, worker WorkerInfo, t Timing, first bool) (Pulse, error) {
	mode := "renew"
	if first {
		mode = "new"
		l.client.known.Delete(l.queue) // a Redis that has lost its workers may have lost the names of its queues
		if err := l.client.remember(ctx, l.queue, worker.ID, allNeeds()); err != nil {
			return Pulse{}, err
		}
	}
	info, err := json.Marshal(worker)
	if err != nil {
		return Pulse{}, fmt.Errorf("encode heartbeat: %w", err)
	}
	tell := l.client.telling(Event{Op: OpHeartbeat, Queue: l.queue, Worker: worker.ID, Mode: mode})
	words, err := l.ask(ctx, heartbeatCall(l.keys, mode, worker.ID, string(info), t))
	p, err := pulse(l.queue, words, err)
	tell(p.event(), err)
	return p, err
}

// Observe tells a queue that Redis could be reached just now, and asks for a worker to reap: the heartbeat of a process
// that runs no jobs.
func (c *Client) Observe(ctx context.Context, queue string, t Timing) (Pulse, error) {
	tell := c.telling(Event{Op: OpObserve, Queue: queue})
	words, err := c.askOne(ctx, heartbeatCall(keysOf(queue), "observe", "", "", t))
	p, err := pulse(queue, words, err)
	tell(p.event(), err)
	return p, err
}

func heartbeatCall(k keys, mode, worker, info string, t Timing) *call {
	return &call{script: heartbeatScript,
		keys: []string{k.heartbeat(worker), k.workers(), k.meta(), k.processing(worker), k.scheduled(), k.cancelled(), k.stats(), k.minutes()},
		args: []any{mode, worker, info, t.Interval.Milliseconds(), t.TTL.Milliseconds(), LayoutVersion}}
}

func pulse(queue string, words []string, err error) (Pulse, error) {
	switch {
	case err != nil:
		return Pulse{}, err
	case words[0] == "fenced":
		return Pulse{}, ErrFenced
	case words[0] == "layout" && len(words) > 1:
		return Pulse{}, layoutError(queue, words[1])
	case words[0] == "timing" && len(words) > 2:
		return Pulse{}, fmt.Errorf("%w: theirs are HEARTBEAT_INTERVAL=%sms HEARTBEAT_TTL=%sms on queue %s", ErrTiming, words[1], words[2], queue)
	case words[0] != "ok" || len(words) < 6 || int64(len(words)-6) < millis(words[5]) || millis(words[5]) < 0:
		return Pulse{}, fmt.Errorf("%w: script heartbeat answered %d words", ErrUnavailable, len(words))
	}
	p := Pulse{Now: time.UnixMilli(millis(words[1])), Overdue: words[3], Order: words[4]}
	n := 6 + int(millis(words[5]))
	p.Cancelled, p.Own = words[6:n:n], words[n:]
	if words[2] != "" {
		p.NextDue = time.UnixMilli(millis(words[2]))
	}
	return p, nil
}
