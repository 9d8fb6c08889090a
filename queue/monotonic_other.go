//go:build !linux

package queue

import "time"

var began = time.Now()

// monotonic is the wall clock at the start of this process, going on monotonically.
func monotonic() int64 { return began.UnixNano() + time.Since(began).Nanoseconds() }
