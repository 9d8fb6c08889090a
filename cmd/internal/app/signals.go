package app

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// stopSignal is the cause of a shutdown that a person or a service manager asked for.
type stopSignal struct{ os.Signal }

func (s stopSignal) Error() string { return "received " + s.name() }

func (s stopSignal) name() string {
	switch s.Signal {
	case os.Interrupt:
		return "SIGINT"
	case syscall.SIGTERM:
		return "SIGTERM"
	}
	return s.String()
}

// sameSignal is how soon after the first signal another one counts as the same: timeout(1) and make send one to the process
// and one to its group, and nobody who changes their mind is that fast.
const sameSignal = 100 * time.Millisecond

// untilSignal makes a context that the first SIGINT or SIGTERM ends. A second one calls exit at once: what is still running is
// left to the reaper. stop gives the signals back their usual effect.
func untilSignal(parent context.Context, exit func(code int)) (ctx context.Context, stop func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancelCause(parent)
	done := make(chan struct{})
	go obey(signals, done, cancel, exit)
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

// obey turns signals into the end of a context and, if they go on, of the process.
func obey(signals <-chan os.Signal, done <-chan struct{}, cancel context.CancelCauseFunc, exit func(code int)) {
	var first time.Time
	for {
		select {
		case s := <-signals:
			switch {
			case first.IsZero():
				first = time.Now()
				cancel(stopSignal{s})
			case time.Since(first) > sameSignal:
				exit(exitCode(s))
				return
			}
		case <-done:
			return
		}
	}
}

func exitCode(s os.Signal) int {
	if n, ok := s.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return exitFailed
}
