package faults

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// Scale says how often a row injects its fault.
type Scale string

// Quick proves that the row works, in make test; Full makes the published figures.
const (
	Quick Scale = "quick"
	Full  Scale = "full"
)

// Run is one run of a row.
type Run struct {
	*testing.T
	Scale  Scale
	Rand   *rand.Rand // of the seed that is printed: where a row chooses, it chooses by this
	Result *Result
}

// Times is how often to do something, by scale.
func (r *Run) Times(quick, full int) int {
	if r.Scale == Full {
		return full
	}
	return quick
}

// For is how long to do something, by scale.
func (r *Run) For(quick, full time.Duration) time.Duration {
	if r.Scale == Full {
		return full
	}
	return quick
}

// Injected counts one more fault.
func (r *Run) Injected() {
	defer r.Result.lock()()
	r.Result.Injected++
}

// Recovered notes how long it took from a fault until what it hit ran again.
func (r *Run) Recovered(d time.Duration) {
	defer r.Result.lock()()
	r.Result.Recovery = append(r.Result.Recovery, ms(d))
}

// Refused notes how long the API took to say 503.
func (r *Run) Refused(d time.Duration) {
	defer r.Result.lock()()
	r.Result.First503 = append(r.Result.First503, ms(d))
}

// Resumed notes how long after the end of a fault the API said 201 again.
func (r *Run) Resumed(d time.Duration) {
	defer r.Result.lock()()
	r.Result.First201 = append(r.Result.First201, ms(d))
}

// Figure notes a measured number; goal says what it is held to, "" nothing.
func (r *Run) Figure(name string, value float64, unit, goal string) {
	defer r.Result.lock()()
	r.Result.Figures = append(r.Result.Figures, Figure{name, value, unit, goal})
}

// NotTried ends a row, or a scene of one, that this machine cannot do.
func (r *Run) NotTried(why string, args ...any) {
	r.Helper()
	unlock := r.Result.lock()
	r.Result.Why = append(r.Result.Why, fmt.Sprintf(why, args...))
	unlock()
	r.Skipf(why, args...)
}
