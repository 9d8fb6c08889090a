package redistest

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/alicebob/miniredis/v2"
)

// Embedded is a miniredis of this test's own, whose TTLs run with the clock.
// It can be stopped and started, not paused, and has no CONFIG.
func Embedded(t testing.TB) *Server {
	t.Helper()
	e, port, err := launchEmbedded()
	if err != nil {
		t.Fatalf("start miniredis: %v", err)
	}
	t.Cleanup(e.remove)
	return newServer(t, e, embedded, port, false)
}

func launchEmbedded() (engine, int, error) {
	port, err := freePort()
	if err != nil {
		return nil, 0, err
	}
	m := miniredis.NewMiniRedis()
	if err := m.StartAddr("127.0.0.1:" + strconv.Itoa(port)); err != nil {
		return nil, 0, err
	}
	m.ClockTTL(true)
	return mini{m}, port, nil
}

// mini is miniredis. Stopped, it keeps its data in memory, so kill is stop.
type mini struct{ *miniredis.Miniredis }

var errNoProcess = errors.New("the embedded Redis is not a process: use redistest.Own(t)")

func (m mini) start(context.Context) error  { return m.Restart() }
func (m mini) stop(context.Context) error   { m.Close(); return nil }
func (m mini) kill(context.Context) error   { m.Close(); return nil }
func (m mini) pause(context.Context) error  { return errNoProcess }
func (m mini) resume(context.Context) error { return errNoProcess }
func (m mini) remove()                      { m.Close() }
func (m mini) pid() int                     { return 0 }
