// Package queue is a delayed-job queue in Redis. It owns every key and every script, starts no loops of its own, and is
// the only package of Punctual that knows that Redis exists; package worker runs jobs, package api takes them in over HTTP.
//
// The life of a job:
//
//	 enqueue            due and claimed              done
//	─────────► scheduled ──────────────► processing ──────► (forgotten)
//	               ▲                         │
//	               ├── retry, after backoff ─┤
//	               ├── release, unrun ───────┤
//	               ├── reap: worker died ────┤
//	                                         └── retries exhausted, permanent, unreadable ──► dead
//
// Every arrow is one Lua script (queue/lua/<verb>.lua) with one Go file and one test file of the same name. Due times and
// leases are reckoned by the clock of Redis and of nobody else.
//
// A job runs at least once after Enqueue returned without an error, and it may run more than once: when a worker dies or
// is cut off, another runs its jobs again. Its state changes exactly once per claim, because settle names the claim.
package queue
