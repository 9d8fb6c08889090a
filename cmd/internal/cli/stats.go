package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/punctualq/punctual/queue"
)

// stats is what the command line says of it.
type stats struct {
	names []string
	watch bool
	every lasting
	json  bool
}

// counted are the counters that a row of people's has; --json has all.
var counted = []string{"enqueued", "claimed", "done", "retried", "dead", "cancelled", "lost"}

func (d *desk) statsCommand() *cobra.Command {
	a := stats{every: lasting(2 * time.Second)}
	c := &cobra.Command{
		Use:   "stats",
		Short: "Count what happened in each queue, since ever or by the second",
		Long: "Count what happened in each queue since it was first used. With --watch it goes on until Ctrl+C and tells what happened in a second.\n" +
			"--json prints one JSON object a line for each queue, with all counters, and with --watch what they grew by in a second.",
		Args: cobra.NoArgs,
	}
	c.RunE = d.runs(a.run)
	c.Flags().StringArrayVar(&a.names, "queue", nil, "only this queue; may be given several times")
	c.Flags().BoolVar(&a.watch, "watch", false, "go on, and tell rates")
	c.Flags().Var(&a.every, "every", "how often --watch looks")
	c.Flags().BoolVar(&a.json, "json", false, "print one JSON object a line")
	d.completeQueue(c)
	return c
}

func (a *stats) run(ctx context.Context, s *session) error {
	before, err := s.overviews(ctx, a.names)
	if err != nil {
		return err
	}
	if !a.watch {
		return a.print(s, before, nil)
	}
	if a.every < lasting(100*time.Millisecond) {
		return usage("--every must be at least 100ms")
	}
	tick := time.NewTicker(time.Duration(a.every))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return silent{context.Canceled} // that is how it ends
		case <-tick.C:
		}
		now, err := s.overviews(ctx, a.names)
		if err != nil {
			return err
		}
		if err := a.print(s, now, before); err != nil {
			return err
		}
		before = now
	}
}

// print prints totals, or what grew since before, by the second of Redis.
func (a *stats) print(s *session, now, before []queue.Overview) error {
	columns := []column{{name: "QUEUE"}}
	for _, name := range counted {
		columns = append(columns, number(map[string]string{"enqueued": "ENQUEUED", "claimed": "CLAIMED", "done": "DONE", "retried": "RETRIED",
			"dead": "DEAD", "cancelled": "CANCELLED", "lost": "LOST"}[name]))
	}
	t := s.table(append(columns, number("LATE"))...)
	if a.watch && !a.json {
		t.title(time.Now().Format("15:04:05") + "  jobs/s")
	}
	past := map[string]queue.Overview{}
	for _, o := range before {
		past[o.Queue] = o
	}
	for _, o := range now {
		was, known := past[o.Queue]
		if a.watch && !known {
			continue // it is new
		}
		values := o.Counters
		var rates map[string]float64
		if a.watch {
			rates = ratesOf(o, was)
		}
		if a.json {
			if err := s.out.object(a.line(o, values, rates)); err != nil {
				return err
			}
			continue
		}
		row := []string{o.Queue}
		for _, name := range counted {
			if a.watch {
				row = append(row, strconv.FormatFloat(rates[name], 'f', 1, 64))
			} else {
				row = append(row, strconv.FormatInt(values[name], 10))
			}
		}
		t.add(append(row, lateness(o))...)
	}
	if a.json {
		return nil
	}
	return t.flush()
}

func (a *stats) line(o queue.Overview, values map[string]int64, rates map[string]float64) any {
	line := map[string]any{"queue": o.Queue, "at": moment(o.Now), "counters": values, "lateness_ms": o.Lateness().Milliseconds()}
	if a.watch {
		delete(line, "counters")
		line["per_second"] = rates
	}
	return line
}

// ratesOf is by how much the counters of a queue grew in a second. A counter that started anew has no rate.
func ratesOf(now, before queue.Overview) map[string]float64 {
	rates := map[string]float64{}
	seconds := now.Now.Sub(before.Now).Seconds()
	for name, n := range now.Counters {
		if grew := n - before.Counters[name]; grew >= 0 && seconds > 0 {
			rates[name] = float64(grew) / seconds
		}
	}
	return rates
}

// title is what stands above a table that is printed again and again: on a terminal in the place of the one before.
func (t *table) title(text string) {
	if t.terminal {
		fmt.Fprint(t.screen, "\x1b[H\x1b[2J")
	}
	fmt.Fprintln(t.screen, text)
}
