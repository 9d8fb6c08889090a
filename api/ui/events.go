package ui

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"time"

	"github.com/punctualq/punctual/queue"
)

const (
	// streamLife is how long one stream of events lasts. The browser asks for the next by itself, and its token is looked at again.
	streamLife = 5 * time.Minute
	// writePatience is how long a browser may take for one event.
	writePatience = 5 * time.Second
)

// event is what a browser gets: texts by the names that elements of a page carry as data-live. The script puts them there as text.
type event struct {
	Values map[string]string `json:"values,omitempty"`
	Times  map[string]string `json:"times,omitempty"` // moments that are counted down to, by name
	Alerts []alert           `json:"alerts"`
	Shape  string            `json:"shape"`         // of the page: other queues or workers need another page
	Now    int64             `json:"now,omitempty"` // the clock of Redis, Unix ms
	Lost   bool              `json:"lost,omitempty"`
}

// events answers GET /ui/events with server-sent events until the browser leaves, the process ends, or the stream is old.
func (u *ui) events(v *visit) error {
	select {
	case <-u.Closing:
		return queue.ErrUnavailable
	default:
	}
	news, leave, err := u.hub.listen()
	if err != nil {
		return err
	}
	defer leave()
	v.tell()
	// The server's limit of writing is for answers that end; this one gets a new limit with each event.
	control := http.NewResponseController(v.w)
	_ = control.SetWriteDeadline(time.Now().Add(writePatience))
	v.w.Header().Set("Content-Type", "text/event-stream")
	v.w.Header().Set("X-Accel-Buffering", "no") // nginx would keep the events back
	fmt.Fprint(v.w, "retry: 3000\n\n")
	if err := control.Flush(); err != nil {
		return nil // the writer cannot stream: the page stays as it is
	}
	life := time.NewTimer(v.streamLife())
	defer life.Stop()
	for {
		select {
		case s := <-news:
			_ = control.SetWriteDeadline(time.Now().Add(writePatience))
			text, err := json.Marshal(eventOf(s, v.caller))
			if err != nil {
				return nil
			}
			if _, err := fmt.Fprintf(v.w, "data: %s\n\n", text); err != nil {
				return nil // the browser is gone
			}
			if control.Flush() != nil {
				return nil
			}
		case <-life.C:
			return nil
		case <-v.r.Context().Done():
			return nil
		case <-u.Closing:
			return nil
		}
	}
}

// streamLife ends no later than the token.
func (v *visit) streamLife() time.Duration {
	if v.caller.Expires.IsZero() {
		return streamLife
	}
	return min(streamLife, max(time.Until(v.caller.Expires), 0))
}

// eventOf is a snapshot as one caller may see it.
func eventOf(s *snapshot, c Caller) event {
	if s.Err != nil {
		return event{Lost: true, Alerts: []alert{{"bad", "Redis does not answer this process: the figures are old."}}}
	}
	all := seen(c, s.Overviews, func(o queue.Overview) string { return o.Queue })
	workers := seen(c, s.Workers, func(w queue.WorkerState) string { return w.Queue })
	e := event{Values: map[string]string{}, Times: map[string]string{}, Alerts: alertsOf(all, workers), Shape: shapeOf(all, workers)}
	var total queueRow
	for _, o := range all {
		total.add(o)
		e.queue("q."+o.Queue, rowOf(o, workers))
		e.Values["q."+o.Queue+".rate"] = rateSince(s.before, o)
	}
	total.Living = len(living(workers))
	e.queue("all", total)
	now := clockOf(all)
	e.Now = now.UnixMilli()
	for _, w := range workers {
		name := "w." + w.ID
		e.Values[name+".processing"], e.Values[name+".stuck"] = count(w.Processing), count(w.Stuck)
		if m := when(w.LastBeat, now); m != nil {
			e.Times[name+".beat"] = m.Machine
		}
		e.Values[name+".state"] = w.State()
	}
	if e.Alerts == nil {
		e.Alerts = []alert{}
	}
	return e
}

func (e *event) queue(name string, r queueRow) {
	for field, n := range map[string]int{"scheduled": r.Scheduled, "due": r.Due, "processing": r.Processing, "dead": r.Dead, "done": r.Done, "living": r.Living} {
		e.Values[name+"."+field] = count(n)
	}
	e.Values[name+".late"] = late(r.Lateness())
	e.Times[name+".next"] = ""
	if m := when(r.NextDue, r.Now); m != nil {
		e.Times[name+".next"] = m.Machine
	}
}

// rateSince is how many jobs a second are done, from one snapshot to the next.
func rateSince(before []queue.Overview, o queue.Overview) string {
	for _, b := range before {
		took := o.Now.Sub(b.Now).Seconds()
		if b.Queue == o.Queue && took > 0 {
			return rate(max(float64(o.Counters["done"]-b.Counters["done"]), 0)/took) + "/s"
		}
	}
	return "–"
}

// stateKind is the colour of what a worker does.
func stateKind(w queue.WorkerState) string {
	switch w.State() {
	case "living":
		return "ok"
	case "dead":
		return "bad"
	}
	return "warn"
}

// shapeOf changes whenever a page must be made anew: numbers alone can be put into it.
func shapeOf(all []queue.Overview, workers []queue.WorkerState) string {
	h := fnv.New64a()
	for _, o := range all {
		fmt.Fprintf(h, "q%s %t\n", o.Queue, o.Paused)
	}
	for _, w := range workers {
		fmt.Fprintf(h, "w%s %s %s %s\n", w.Queue, w.ID, w.State(), w.Order)
	}
	return fmt.Sprintf("%x", h.Sum64())
}
