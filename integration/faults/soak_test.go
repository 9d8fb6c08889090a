package faults

import (
	"flag"
	"math/rand/v2"
	"testing"
)

var soakFor = flag.Duration("soak", 0, "how long TestSoak lasts; 0 skips it")

// TestSoak is random faults under load for as long as one likes.
func TestSoak(t *testing.T) {
	if *soakFor == 0 {
		t.Skip("make soak DURATION=1h")
	}
	result := &Result{Row: "soak", Scale: string(Full), Seed: *seed}
	t.Logf("repeat this run with SEED=%d DURATION=%s", *seed, *soakFor)
	t.Cleanup(func() { t.Log(result.Line()) })
	soak(&Run{T: t, Scale: Full, Rand: rand.New(rand.NewPCG(*seed, 39)), Result: result}, *soakFor)
}
