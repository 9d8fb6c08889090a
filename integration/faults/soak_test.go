package faults

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

var soakFor = flag.Duration("soak", 0, "how long TestSoak lasts; 0 skips it")

// TestSoak is random faults under load for as long as one likes. One of an hour or more is kept for the page.
func TestSoak(t *testing.T) {
	if *soakFor == 0 {
		t.Skip("make soak DURATION=1h")
	}
	redistest.NeedProcess(t)
	result := &Result{Row: "soak", Scale: string(Full), Seed: *seed}
	t.Logf("repeat this run with SEED=%d DURATION=%s", *seed, *soakFor)
	conclude(t, result, func() {
		if *docs == "" || *soakFor < time.Hour {
			return
		}
		if err := writeSoak(*docs, soakRecord{Date: thisMachine().Date, Result: result}); err != nil {
			t.Error(err)
		}
	})
	soak(&Run{T: t, Scale: Full, Rand: rand.New(rand.NewPCG(*seed, 39)), Result: result}, *soakFor)
}
