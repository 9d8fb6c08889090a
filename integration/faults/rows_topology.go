package faults

import "time"

// topologyRows: several servers, of which another takes over.
var topologyRows = map[string]func(*Run){"R18": sentinelFailover, "R19": staleReplica, "R20": clusterChanges}

// unavailable is the longest time without a registration that was taken, before stop.
func (p *parked) unavailable() (longest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := 1; i < len(p.at); i++ {
		longest = max(longest, p.at[i].Sub(p.at[i-1]))
	}
	return longest
}
