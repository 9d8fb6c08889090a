package api

import "slices"

// The scopes of a token. None implies another.
const (
	scopeWrite   = "jobs:write"
	scopeRead    = "jobs:read"
	scopeAdmin   = "jobs:admin"
	scopeWorkers = "workers:admin"
)

// Scopes are all scopes that this API knows.
func Scopes() []string { return []string{scopeWrite, scopeRead, scopeAdmin, scopeWorkers} }

// caller is who asks, as the token says.
type caller struct {
	subject string   // "": the token names nobody
	scoped  bool     // the token has the claim scope
	scopes  []string // what that claim holds
	limited bool     // the token has the claim queues
	queues  []string // what that claim holds
}

// may tells whether the token names the scope. A token without the claim scope names none: what it may all the same (register,
// and read its own jobs) is up to the route.
func (c caller) may(scope string) bool { return slices.Contains(c.scopes, scope) }

// sees tells whether the caller may see and touch a queue.
func (c caller) sees(queue string) bool { return !c.limited || slices.Contains(c.queues, queue) }
