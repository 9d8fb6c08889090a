// Package devredis starts a Redis for a first look, on a free port of this machine. It keeps nothing.
package devredis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"

	"github.com/alicebob/miniredis/v2"
)

// Server is a Redis of this process.
type Server struct {
	Addr     string // host:port
	Embedded bool   // it lives in this process: a redis-server could not be had
	Why      string // why not, as a sentence goes on after "since"

	ended chan struct{}
	err   error // why it ended, once ended is closed
	stop  func()
}

// URL is what REDIS_URL takes.
func (s *Server) URL() string { return "redis://" + s.Addr + "/0" }

// Watch returns an error when the Redis ends before ctx does, else nil.
func (s *Server) Watch(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.ended:
		return fmt.Errorf("the private redis-server on %s has ended: %w", s.Addr, s.err)
	}
}

// Stop ends it, waits until it is gone, and removes what it left behind.
func (s *Server) Stop() { s.stop() }

// Start starts the redis-server on the PATH, or, if there is none or it does not start, a Redis inside this process.
func Start(ctx context.Context) (*Server, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return startEmbedded("there is no redis-server on the PATH")
	}
	s, err := startProcess(ctx, path)
	if err == nil || ctx.Err() != nil {
		return s, err
	}
	return startEmbedded(fmt.Sprintf("%s does not start (%v)", path, err))
}

func startEmbedded(why string) (*Server, error) {
	m := miniredis.NewMiniRedis()
	if err := m.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("start the embedded Redis: %w", err)
	}
	m.ClockTTL(true) // else its TTLs stand still, and no worker would ever look dead
	return &Server{Addr: m.Addr(), Embedded: true, Why: why, ended: make(chan struct{}), stop: m.Close}, nil
}

// freePort finds a port that is free now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}
