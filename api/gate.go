package api

import "time"

// gate is what every request with a token passes, and what it leaves behind.
type gate struct {
	tokens   *verifier
	limiter  *limiter      // nil: no limit
	maxDelay time.Duration // 0: that of the queue
	trail    Queue         // keeps the audit trail
}
