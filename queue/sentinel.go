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

// A failover in good order leaves the old master at work, as one that is cut off with its clients: for some 8 s it takes writes, and
// loses them when it becomes a replica. So the sentinels are asked again and again.
const (
	askEvery     = time.Second
	askSeldom    = 5 * time.Second        // while none of them answers
	glanceWithin = 250 * time.Millisecond // somebody's command waits for it
)

// sentinels find the server that is the master now. They are asked whenever a connection is made, and once a second of use.
type sentinels struct {
	address *address
	options redis.Options
	first   atomic.Uint32          // whom to ask first; moves on from one that does not know
	named   atomic.Pointer[string] // the master; another pointer: it has changed, and every connection from before is left
	began   time.Time
	next    atomic.Int64 // when to ask again, in ns since began
	silent  atomic.Int64 // so many questions in a row were not answered
}

func newSentinels(a *address) *sentinels {
	s := &sentinels{address: a, began: time.Now()}
	s.options = oneQuestion(redis.Options{Username: a.watchers.user, Password: a.watchers.password, TLSConfig: a.opts.TLSConfig})
	return s
}

// oneQuestion makes options for a connection that is made to ask something, and closed.
func oneQuestion(o redis.Options) redis.Options {
	o.PoolSize, o.DialTimeout, o.ReadTimeout, o.WriteTimeout = 1, askWithin, askWithin, askWithin
	withoutOwnWill(&o)
	return o
}

// watch asks a sentinel, if it is time, who the master is: so nothing more is sent to one that is not. One caller does it, and the
// others go on with what is known. Nil is a Redis without Sentinel.
//
// A master that refuses with NOREPLICAS may be one that was cut off, or one that waits for its replicas. This question tells them
// apart, and so the refusal itself is no reason to dial anew.
func (s *sentinels) watch(ctx context.Context) {
	if s == nil {
		return
	}
	now, next := int64(time.Since(s.began)), s.next.Load()
	if now < next || ctx.Err() != nil || !s.next.CompareAndSwap(next, now+int64(askEvery)) {
		return
	}
	at := s.first.Load()
	addr, err := s.askOne(ctx, s.at(at), glanceWithin)
	if err == nil {
		s.silent.Store(0)
		s.name(addr)
		return
	}
	s.doubt(at) // the next question goes to another one
	if s.silent.Add(1) >= int64(len(s.address.hosts)) {
		s.next.Store(now + int64(askSeldom))
	}
}

// name notes who the master is, and returns it as it is compared.
func (s *sentinels) name(addr string) *string {
	for {
		old := s.named.Load()
		if old != nil && *old == addr {
			return old
		}
		if s.named.CompareAndSwap(old, &addr) {
			return &addr
		}
	}
}

// left tells whether a connection goes to a server that is not the master any more.
func (s *sentinels) left(server *string) bool { return s != nil && server != s.named.Load() }

func (s *sentinels) at(place uint32) string { return s.address.hosts[int(place)%len(s.address.hosts)] }

// master asks the sentinels in turn.
func (s *sentinels) master(ctx context.Context) (*string, error) {
	last := errors.New("the deadline came first")
	for range s.address.hosts {
		if ctx.Err() != nil {
			break
		}
		at := s.first.Load()
		host := s.at(at)
		addr, err := s.askOne(ctx, host, askWithin)
		if err == nil {
			return s.name(addr), nil
		}
		last = fmt.Errorf("%s: %w", host, err)
		s.doubt(at)
	}
	return nil, fmt.Errorf("no sentinel names the master: %w", last)
}

func (s *sentinels) askOne(ctx context.Context, host string, within time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
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
