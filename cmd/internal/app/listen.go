package app

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/punctualq/punctual/api"
)

// errTaken: another process listens there.
var errTaken = errors.New("is taken by another process")

// listen opens the address that a setting names. Its error is a sentence that says which setting to change, and how.
func listen(setting, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: %s %w: stop that one, or choose another address, such as %s=%s",
			setting, addr, errTaken, setting, otherPort(addr))
	case err != nil:
		return nil, fmt.Errorf("%s: cannot listen on %s: %w", setting, addr, err)
	}
	return l, nil
}

// otherPort is an address like this one that may be free.
func otherPort(addr string) string {
	host, port, _ := net.SplitHostPort(addr)
	n, err := strconv.Atoi(port)
	if err != nil || n > 65525 {
		n = 8080
	}
	return net.JoinHostPort(host, strconv.Itoa(n+10))
}

// drainHTTP answers requests until ctx ends. Then it tells by closing that it is about to end, and goes on for SHUTDOWN_DRAIN, until
// whoever sends requests has seen that; and then ends as serveHTTP does.
func (p *process) drainHTTP(ctx context.Context, l net.Listener, h http.Handler, closing chan<- struct{}) error {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	told := context.AfterFunc(ctx, func() {
		close(closing)
		time.AfterFunc(p.settings.ShutdownDrain, stop)
	})
	defer told()
	return p.serveHTTP(serving, l, h)
}

// serveHTTP answers requests until ctx ends, and then lets those under way finish, for the grace period at most.
func (p *process) serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := api.Server(l.Addr().String(), h)
	srv.ErrorLog = stdlog.New(p.log.With().Str("level", "warn").Logger(), "", 0)
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("HTTP on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.settings.ShutdownGrace)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		p.log.Warn().Dur("grace", time.Duration(p.settings.ShutdownGrace)).Msg("cut off requests that did not end within SHUTDOWN_GRACE")
		_ = srv.Close() // what can be wrong with a listener that is closed already
	}
	return nil
}
