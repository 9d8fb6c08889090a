package api

import "time"

// gate is what every request with a token passes.
type gate struct {
	tokens   *verifier
	limiter  *limiter      // nil: no limit
	maxDelay time.Duration // 0: that of the queue
}
