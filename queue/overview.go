package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

var overviewScript = loadScript("overview")

// Overview is one queue in figures, all of one moment.
type Overview struct {
	Queue      string
	Now        time.Time // by the clock of Redis
	Scheduled  int       // all that wait, due or not
	Due        int       // of these, due already
	Processing int       // claimed: in no set, and there
	Dead       int
	Done       int       // kept by their retention
	OldestDue  time.Time // of the jobs that are due; zero if none is
	NextDue    time.Time // of the jobs that are not due yet; zero if there is none
	Paused     bool
	Workers    int              // registered
	Counters   map[string]int64 // the counters of the hash stats, see Architecture.md
}

// Lateness is for how long the oldest due job has been due.
func (o Overview) Lateness() time.Duration {
	if o.OldestDue.IsZero() {
		return 0
	}
	return o.Now.Sub(o.OldestDue)
}

// Overview returns the figures of one queue; ErrNoQueue if nothing was ever put into it.
func (c *Client) Overview(ctx context.Context, queue string) (Overview, error) {
	if !isQueueName(queue) {
		return Overview{}, errQueueName
	}
	x := overviewCall(queue)
	words, err := c.look(ctx, x)
	if err != nil {
		return Overview{}, err
	}
	return overviewOf(queue, words)
}

// Overviews returns the figures of all queues, by name.
func (c *Client) Overviews(ctx context.Context) ([]Overview, error) {
	queues, err := c.Queues(ctx)
	if err != nil {
		return nil, err
	}
	slices.Sort(queues)
	all := make([]Overview, 0, len(queues))
	for some := range slices.Chunk(queues, 100) {
		calls := make([]*call, len(some))
		for i, q := range some {
			calls[i] = overviewCall(q)
		}
		one, cancel := context.WithTimeout(ctx, c.timeout)
		c.ask.run(one, calls...)
		cancel()
		for i, x := range calls {
			x.sent = false // reads only
			words, err := x.words()
			if err != nil {
				return nil, err
			}
			o, err := overviewOf(some[i], words)
			if err != nil && !errors.Is(err, ErrNoQueue) { // it has lost its data, and its name is known
				return nil, err
			}
			o.Queue = some[i]
			all = append(all, o)
		}
	}
	return all, nil
}

func overviewCall(queue string) *call {
	k := keysOf(queue)
	return &call{script: overviewScript, keys: []string{k.jobs(), k.scheduled(), k.dead(), k.done(), k.workers(), k.meta(), k.stats()}}
}

// overviewOf reads the reply of the script.
func overviewOf(queue string, words []string) (Overview, error) {
	switch {
	case len(words) == 1 && words[0] == "none":
		return Overview{}, ErrNoQueue
	case len(words) < 11 || words[0] != "ok":
		return Overview{}, fmt.Errorf("%w: script overview answered %d words", ErrUnavailable, len(words))
	}
	n := func(i int) int { return int(millis(words[i])) }
	o := Overview{Queue: queue, Now: time.UnixMilli(millis(words[1])), Scheduled: n(2), Due: n(3), Processing: n(4), Dead: n(5), Done: n(6),
		Workers: n(9), Paused: words[10] == "1", Counters: map[string]int64{}}
	if words[7] != "" {
		o.OldestDue = time.UnixMilli(millis(words[7]))
	}
	if words[8] != "" {
		o.NextDue = time.UnixMilli(millis(words[8]))
	}
	for i := 11; i+1 < len(words); i += 2 {
		if n, err := strconv.ParseInt(words[i+1], 10, 64); err == nil && !strings.HasPrefix(words[i], latenessPrefix) {
			o.Counters[words[i]] = n
		}
	}
	return o, nil
}
