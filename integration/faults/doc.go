// Package faults is the fault matrix: each row breaks something for real (our own binaries as processes, real Redis, SIGKILL,
// SIGSTOP, networks that lose answers, full disks, wrong clocks) and then asks an oracle whether anything was lost, run too
// early, run twice without a reason, or left behind.
//
//	make faults                                  every row in its quick form
//	make faults ROWS="R1 R5" SCALE=full SEED=7   these two, as often as the published matrix wants it
//
// A row is a function of a *Run. It works in scenes: a scene has a Redis, an API process and workers of its own, and the
// oracle looks at it when the row has stopped its faults. What a machine cannot do is reported as not tried, with the
// reason; it is never reported as passed.
package faults
