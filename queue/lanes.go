package queue

import (
	"context"
	"errors"
	"sync"
)

// pair is the lanes to one server: two, so that one batch is made up while Redis works on the other.
type pair [2]*lane

// leastBusy returns the lane on which the fewest jobs wait, and counts n more on it.
func (p *pair) leastBusy(n int) *lane {
	best := p[0]
	for _, l := range p[1:] {
		if l.load.Load() < best.load.Load() {
			best = l
		}
	}
	best.load.Add(int64(n))
	return best
}

// lanes are those of a client. On a Cluster each node has its own, so that one that is down holds up nobody else's jobs.
// A queue that moves to another node while its jobs wait costs them a redirect.
type lanes struct {
	client *Client
	only   *pair // where one address serves all
	mu     sync.Mutex
	to     map[string]*pair // on a Cluster, by the node's address; "" while that is not known
}

// add sends jobs and returns when all are answered or ctx ends.
func (s *lanes) add(ctx context.Context, jobs []*pending) {
	if s.only != nil {
		s.only.leastBusy(len(jobs)).add(ctx, jobs)
		return
	}
	var nodes []string
	parts := map[string][]*pending{}
	for _, part := range byQueue(jobs) {
		addr := s.client.cluster.known(slotOf(keysOf(part[0].queue).meta()))
		if parts[addr] == nil {
			nodes = append(nodes, addr)
		}
		parts[addr] = append(parts[addr], part...)
	}
	for _, addr := range nodes {
		s.pair(addr).leastBusy(len(parts[addr])).add(ctx, parts[addr])
	}
}

func (c *Client) newPair() *pair { return &pair{c.newLane(), c.newLane()} }

func (s *lanes) pair(addr string) *pair {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.to[addr]
	if p == nil {
		p = s.client.newPair()
		if s.to == nil {
			s.to = map[string]*pair{}
		}
		s.to[addr] = p
	}
	return p
}

func (s *lanes) all() (all []*lane) {
	if s.only != nil {
		return s.only[:]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.to {
		all = append(all, p[:]...)
	}
	return all
}

func (s *lanes) close() error {
	var err error
	for _, l := range s.all() {
		err = errors.Join(err, l.line.Close())
	}
	return err
}
