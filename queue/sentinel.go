package queue

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// askWithin bounds the question to one sentinel or node where the servers are; the next is asked after that.
const askWithin = 500 * time.Millisecond

// sentinels find the server that is the master now. They are asked whenever a connection is made.
type sentinels struct {
	address *address
	options redis.Options
	first   atomic.Uint32 // whom to ask first; moves on from one that does not know
}

func newSentinels(a *address) *sentinels {
	s := &sentinels{address: a}
	s.options = oneQuestion(redis.Options{Username: a.watchers.user, Password: a.watchers.password, TLSConfig: a.opts.TLSConfig})
	return s
}

// oneQuestion makes options for a connection that is made to ask something, and closed.
func oneQuestion(o redis.Options) redis.Options {
	o.PoolSize, o.DialTimeout, o.ReadTimeout, o.WriteTimeout = 1, askWithin, askWithin, askWithin
	withoutOwnWill(&o)
	return o
}

// master asks the sentinels in turn.
func (s *sentinels) master(ctx context.Context) (string, error) {
	last := errors.New("the deadline came first")
	for range s.address.hosts {
		if ctx.Err() != nil {
			break
		}
		at := s.first.Load()
		host := s.address.hosts[int(at)%len(s.address.hosts)]
		addr, err := s.askOne(ctx, host)
		if err == nil {
			return addr, nil
		}
		last = fmt.Errorf("%s: %w", host, err)
		s.doubt(at)
	}
	return "", fmt.Errorf("no sentinel names the master: %w", last)
}

func (s *sentinels) askOne(ctx context.Context, host string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	o := s.options
	o.Addr = host
	c := redis.NewSentinelClient(&o)
	defer c.Close()
	found, err := c.GetMasterAddrByName(ctx, s.address.master).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return "", errors.New("it knows no master of that name")
	case err != nil:
		return "", err
	case len(found) != 2:
		return "", fmt.Errorf("it answered %d words", len(found))
	}
	return net.JoinHostPort(found[0], found[1]), nil
}

// doubt passes over the sentinel at a place: it was not there, or what it said was wrong.
func (s *sentinels) doubt(at uint32) { s.first.CompareAndSwap(at, at+1) }

// check refuses a connection to a server that is no master: a sentinel that was cut off from the others may name the old one.
func (s *sentinels) check(ctx context.Context, conn *redis.Conn) error {
	role, err := conn.Do(ctx, "ROLE").Slice()
	if err != nil {
		return err
	}
	if len(role) == 0 || role[0] != "master" {
		s.doubt(s.first.Load())
		return errors.New("the server that a sentinel named is not the master")
	}
	return nil
}
