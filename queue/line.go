package queue

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// line is a small pool of connections for one purpose, so that one kind of traffic cannot starve another. On a Cluster it
// is one for each node that is used.
type line struct {
	client *Client
	size   int
	reply  time.Duration // bounds the wait for one; -1: only the context does
	wait   confirmation  // for which the scripts wait
	only   *node         // the one that serves all; nil on a Cluster

	mu     sync.Mutex
	nodes  map[string]*node // on a Cluster, by address
	closed bool
}

// newLine makes a line of at most size connections, dialed when needed.
func (c *Client) newLine(size int, reply time.Duration) *line {
	l := &line{client: c, size: size, reply: reply}
	if c.cluster == nil {
		l.only = l.newNode(c.address.hosts[0])
	}
	return l
}

// at is the part of the line that goes to one node of a Cluster.
func (l *line) at(addr string) (*node, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, redis.ErrClosed
	}
	n := l.nodes[addr]
	if n == nil {
		n = l.newNode(addr)
		if l.nodes == nil {
			l.nodes = map[string]*node{}
		}
		l.nodes[addr] = n
	}
	return n, nil
}

// nodeOf is the part that goes to the node that is thought to serve key.
func (l *line) nodeOf(ctx context.Context, key string) (*node, error) {
	if l.only != nil {
		return l.only, nil
	}
	addr, err := l.client.cluster.owner(ctx, slotOf(key))
	if err != nil {
		return nil, err
	}
	return l.at(addr)
}

// all are the parts of the line.
func (l *line) all() []*node {
	if l.only != nil {
		return []*node{l.only}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]*node, 0, len(l.nodes))
	for _, n := range l.nodes {
		all = append(all, n)
	}
	return all
}

// do sends commands to the node that serves key, as one pipeline. What became of each is in it.
func (l *line) do(ctx context.Context, key string, cmds ...redis.Cmder) {
	if l.only != nil {
		l.only.exchange(ctx, cmds...)
		for _, cmd := range cmds {
			l.only.learn(cmd.Err())
		}
		return
	}
	parcels := make([]*parcel, len(cmds))
	for i, cmd := range cmds {
		parcels[i] = &parcel{cmd: cmd, slot: slotOf(key), sent: new(bool)}
	}
	l.deliver(ctx, parcels)
}

// abort ends what is under way on a line that one caller at a time uses. The next use dials anew.
func (l *line) abort() {
	for _, n := range l.all() {
		n.abort()
	}
}

// Close ends the connections for good.
func (l *line) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	var errs []error
	for _, n := range l.all() {
		errs = append(errs, n.Close())
	}
	return errors.Join(errs...)
}
