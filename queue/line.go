package queue

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// line is a small pool of connections for one purpose, so that one kind of traffic cannot starve another. It knows whether
// a script has left this process since the last send: where one caller at a time uses the line, that is what tells
// "nothing was sent" from "sent, not answered".
type line struct {
	*redis.Client
	sent atomic.Bool
	last atomic.Pointer[net.Conn] // the connection that was dialed last
}

// newLine makes a line of at most size connections, dialed when needed. go-redis' own retries are off: it would retry a
// command whose reply was lost, and a claim would run again and again.
func (c *Client) newLine(size int) *line {
	l := &line{}
	o := *c.opts
	dial := redis.NewDialer(&o)
	o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		l.last.Store(&conn)
		return watch(conn, &l.sent), nil
	}
	o.MaxRetries, o.DialerRetries = -1, 1
	o.PoolSize, o.PipelinePoolSize = size, -1
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = min(c.timeout, 2*time.Second), c.timeout, c.timeout
	o.ContextTimeoutEnabled = true
	o.PoolTimeout = c.timeout
	o.ConnMaxIdleTime = -1
	o.Protocol, o.DisableIdentity = 2, true // one word a reply word; no CLIENT SETINFO that an ACL would refuse
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	l.Client = redis.NewClient(&o)
	return l
}

// abort ends what is under way on a line of one connection. The next use dials anew.
func (l *line) abort() {
	if last := l.last.Load(); last != nil {
		_ = below(*last).Close() // TLS itself would say goodbye first, and wait for the other side to take it
	}
}

// below is the connection under TLS, or conn itself.
func below(conn net.Conn) net.Conn {
	if t, ok := conn.(*tls.Conn); ok {
		return t.NetConn()
	}
	return conn
}

// wire notes when a script is written to the connection.
type wire struct {
	net.Conn
	sent *atomic.Bool
}

// watch wraps a connection. It stays a syscall.Conn, by which go-redis finds out that an idle connection was closed by the
// server before it sends anything on it. Of a TLS connection that is the one below: what arrives there while it is idle
// is as good as its end, since nothing was asked.
func watch(conn net.Conn, sent *atomic.Bool) net.Conn {
	w := &wire{conn, sent}
	if sys, ok := below(conn).(syscall.Conn); ok {
		return struct {
			*wire
			syscall.Conn
		}{w, sys}
	}
	return w
}

// Write marks the line as sent before the first byte leaves. The handshake is no script; a false alarm only makes an
// answer more careful.
func (w *wire) Write(b []byte) (int, error) {
	if start := bytes.ToUpper(b[:min(len(b), 64)]); bytes.Contains(start, []byte("EVAL")) {
		w.sent.Store(true)
	}
	return w.Conn.Write(b)
}

// QuietDriver turns off go-redis' own log lines for this process: a failed dial is reported by the callers of this
// package, once, and not by its driver again and again.
func QuietDriver() { logging.Disable() }
