package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/punctualq/punctual/queue"
)

// topEvery is how often the screen is drawn anew.
const topEvery = time.Second

func (d *desk) topCommand() *cobra.Command {
	var once bool
	c := &cobra.Command{
		Use:   "top",
		Short: "A live screen: queues, rates, lateness, workers, what runs now",
		Long: "A live screen in the terminal: queues, how many jobs come in and are done a second, how late the oldest is, workers, and what\n" +
			"runs now. It is drawn every second; q or Ctrl+C leaves. In a pipe it prints what is now, once, without rates.\n\n" +
			"Each second it costs Redis 2 commands, 3 a queue, 2 a worker, and 2 for each of the first three queues in which jobs run.",
		Args: cobra.NoArgs,
		RunE: d.runs(func(ctx context.Context, s *session) error {
			t := &top{session: s}
			if once || !s.out.terminal {
				return t.print(ctx)
			}
			return t.live(ctx)
		}),
	}
	c.Flags().BoolVar(&once, "once", false, "print what is now, and end")
	return c
}

// top is the screen: what was seen last, and before.
type top struct {
	*session
	now, before sight
	failed      error // of the last look; nil: it went well
}

// sight is what one look at Redis has seen.
type sight struct {
	at      time.Time
	queues  []queue.Overview
	workers []queue.WorkerState
	running []queue.Info
}

const (
	mostRunning  = 50 // jobs that are asked for in each queue
	queuesLooked = 3  // of those in which jobs run
)

// look asks Redis. What was seen last stays if it does not answer.
func (t *top) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	s := sight{at: time.Now()}
	if s.queues, t.failed = t.Overviews(ctx); t.failed != nil {
		return t.failed
	}
	if s.workers, t.failed = t.Workers(ctx); t.failed != nil {
		return t.failed
	}
	looked := 0
	for _, o := range s.queues {
		if o.Processing == 0 || looked == queuesLooked {
			continue
		}
		looked++
		page, err := t.List(ctx, o.Queue, queue.Listing{State: queue.Processing, Limit: mostRunning})
		if t.failed = err; err != nil {
			return err
		}
		s.running = append(s.running, page.Jobs...)
	}
	t.before, t.now = t.now, s
	return nil
}

// print is the screen for a pipe.
func (t *top) print(ctx context.Context) error {
	if err := t.look(ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintln(t.out, strings.Join(t.lines(t.out.columns, 0), "\n"))
	return err
}

// What a terminal is told; all of them know it.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // another screen, and no cursor
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	toBegin     = "\x1b[H"
	restOfLine  = "\x1b[K"
	restBelow   = "\x1b[J"
)

// live draws the screen until ctx ends or a key says so, and then gives the terminal back as it was.
func (t *top) live(ctx context.Context) error {
	if f, ok := t.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		before, err := term.MakeRaw(int(f.Fd()))
		if err != nil {
			return fmt.Errorf("the terminal does not give single keys: %w; try --once", err)
		}
		defer func() { _ = term.Restore(int(f.Fd()), before) }()
	}
	if _, err := io.WriteString(t.out, enterScreen); err != nil {
		return err
	}
	defer func() { _, _ = io.WriteString(t.out, leaveScreen) }()
	tick := time.NewTicker(topEvery)
	defer tick.Stop()
	leave := leaveKeys(t.in)
	for {
		_ = t.look(ctx) // the screen tells
		if err := t.draw(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil // leaving is how it ends
		case <-leave:
			return nil
		case <-tick.C:
		}
	}
}

// leaveKeys is closed when q, Ctrl+C or Ctrl+D is pressed. A key that cannot be read ends nothing.
func leaveKeys(in io.Reader) <-chan struct{} {
	pressed := make(chan struct{})
	go func() { // it waits for a key that may never come: the end of the process ends it
		key := make([]byte, 1)
		for {
			if n, err := in.Read(key); err != nil {
				return
			} else if n == 1 && strings.IndexByte("qQ\x03\x04", key[0]) >= 0 {
				close(pressed)
				return
			}
		}
	}()
	return pressed
}

// draw writes over what the screen shows, so that nothing flickers.
func (t *top) draw() error {
	columns, rows := sizeOf(t.out.Writer)
	var b strings.Builder
	b.WriteString(toBegin)
	for i, line := range t.lines(columns-1, rows) { // behind a line that is full, clearing would take its last letter
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(line + restOfLine)
	}
	b.WriteString(restBelow)
	_, err := io.WriteString(t.out, b.String())
	return err
}

// sizeOf asks each time, for a window may be drawn bigger. A test may have a terminal of its own, which says so itself.
func sizeOf(w io.Writer) (columns, rows int) {
	switch w := w.(type) {
	case interface{ Size() (columns, rows int) }:
		return w.Size()
	case *os.File:
		if columns, rows, err := term.GetSize(int(w.Fd())); err == nil && columns >= 20 && rows >= 10 {
			return columns, rows
		}
	}
	return 80, 24
}
