package app

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

func TestFirstSignalStopsSecondExits(t *testing.T) {
	for _, c := range []struct {
		signal os.Signal
		cause  string
		code   int
	}{{os.Interrupt, "received SIGINT", 130}, {syscall.SIGTERM, "received SIGTERM", 143}} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			signals, exited := make(chan os.Signal), 0
			done := make(chan struct{})
			go obey(signals, done, cancel, func(code int) { exited = code })
			signals <- c.signal
			synctest.Wait()
			if cause := context.Cause(ctx); cause == nil || cause.Error() != c.cause {
				t.Errorf("cause is %v, want %s", cause, c.cause)
			}
			time.Sleep(sameSignal) // of the bubble's clock
			signals <- c.signal
			synctest.Wait()
			if exited != 0 {
				t.Errorf("a signal within %s counted as a second one", sameSignal)
			}
			time.Sleep(time.Millisecond)
			signals <- c.signal
			synctest.Wait()
			if exited != c.code {
				t.Errorf("the second signal exits with %d, want %d", exited, c.code)
			}
			close(done)
		})
	}
}

func TestUntilSignalHearsThisProcess(t *testing.T) {
	// Caught until this binary ends: the last of the signals below may arrive when nobody waits for it any more.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	codes := make(chan int, 1)
	ctx, stop := untilSignal(context.Background(), func(code int) { codes <- code })
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("SIGTERM did not end the context")
	}
	redistest.Await(t, 5*time.Second, "the second signal to exit", func() bool {
		if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		select {
		case code := <-codes:
			return code == 130
		default:
			return false
		}
	})
}
