package main

import (
	"fmt"
	"strconv"
	"time"
)

// job is one job of a measurement. Its payload is 31 bytes of JSON, which tell its number.
type job struct {
	seq   int
	delay time.Duration
	due   time.Time // filled in by the producer: when the queue has promised to start it
}

func (j job) payload() []byte { return fmt.Appendf(nil, `{"n":"%08d","pad":"xxxxxx"}`, j.seq) }

// seqOf reads the number of a job from its payload, as cheaply as can be: it is not what is measured.
func seqOf(payload []byte) int {
	if len(payload) < 14 {
		return -1
	}
	n, err := strconv.Atoi(string(payload[6:14]))
	if err != nil {
		return -1
	}
	return n
}
