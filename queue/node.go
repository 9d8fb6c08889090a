package queue

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// node is the connections of a line to one server. It knows whether a script has left this process since the last
// exchange: where one caller at a time uses it, that is what tells "nothing was sent" from "sent, not answered".
type node struct {
	*redis.Client
	owner *Client
	timed bool // its round trips are told of
	sent  atomic.Bool
	last  atomic.Pointer[dialed] // the connection that was dialed last
	era   atomic.Int64           // a connection made in an earlier one is not used again
}

// newNode makes at most as many connections as the line has, dialed when needed: to addr, or to the master that the sentinels name by then.
func (l *line) newNode(addr string) *node {
	c := l.client
	n := &node{owner: c, timed: c.roundTrip != nil && l.reply > 0} // a wait for a token is no round trip
	o := *c.address.opts
	o.Addr = addr
	dial := redis.NewDialer(&o)
	o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := c.dial(ctx, dial, network, addr)
		if err != nil {
			return unreachable(err, c.address.topology)
		}
		n.last.Store(conn)
		return n.watch(conn), nil
	}
	if c.sentinels != nil {
		o.OnConnect = c.sentinels.check
	}
	o.PoolSize, o.PoolTimeout = l.size, c.timeout
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = min(c.timeout, 2*time.Second), l.reply, c.timeout
	withoutOwnWill(&o)
	n.Client = redis.NewClient(&o)
	return n
}

// withoutOwnWill turns off what go-redis does by itself. It would retry a command whose reply was lost, and a claim would
// run again and again.
func withoutOwnWill(o *redis.Options) {
	o.MaxRetries, o.DialerRetries, o.PipelinePoolSize = -1, 1, -1
	o.ContextTimeoutEnabled, o.ConnMaxIdleTime = true, -1
	o.Protocol, o.DisableIdentity = 2, true // one word a reply word; no CLIENT SETINFO that an ACL would refuse
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

type dialer = func(ctx context.Context, network, addr string) (net.Conn, error)

// dialed is a connection and, with Sentinel, the master to which it goes, as sentinels.named has it.
type dialed struct {
	net.Conn
	master *string
}

func (c *Client) dial(ctx context.Context, dial dialer, network, addr string) (*dialed, error) {
	d := &dialed{}
	var err error
	if c.sentinels != nil {
		if d.master, err = c.sentinels.master(ctx); err != nil {
			return nil, err
		}
		addr = *d.master
	}
	d.Conn, err = dial(ctx, network, addr)
	return d, err
}

// exchange sends commands as one pipeline and says whether a script among them may have left this process.
func (n *node) exchange(ctx context.Context, cmds ...redis.Cmder) (sent bool) {
	n.owner.sentinels.watch(ctx)
	n.sent.Store(false)
	if n.timed {
		defer n.tellRoundTrip(time.Now(), cmds)
	}
	if len(cmds) == 1 {
		_ = n.Process(ctx, cmds[0]) // the error is in the command
	} else {
		pipe := n.Pipeline()
		for _, cmd := range cmds {
			_ = pipe.Process(ctx, cmd)
		}
		_, err := pipe.Exec(ctx)
		refuse(cmds, err)
	}
	return n.sent.Load()
}

// tellRoundTrip tells how long it took, and why a command was not answered. A refusal is an answer.
func (n *node) tellRoundTrip(begun time.Time, cmds []redis.Cmder) {
	var answer redis.Error
	var unanswered error
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && !errors.As(err, &answer) {
			unanswered = err
			break
		}
	}
	n.owner.roundTrip(time.Since(begun), unanswered)
}

// refuse gives the error of a pipeline to its commands if none has it: so go-redis leaves them when the server refuses the
// connection itself, with a wrong password say, and each would look as if it had been answered.
func refuse(cmds []redis.Cmder, err error) {
	for _, cmd := range cmds {
		if cmd.Err() != nil {
			return
		}
	}
	for _, cmd := range cmds {
		cmd.SetErr(err)
	}
}

// learn draws conclusions from how a command ended: whether this is still the right server.
func (n *node) learn(err error) {
	if err == nil || errors.Is(err, redis.Nil) {
		return
	}
	c, standsAlone := n.owner, n.owner.address.topology == standalone
	var answer redis.Error
	if errors.As(err, &answer) {
		switch text := answer.Error(); {
		// Redis 6 says it in the middle of its text, when a script was refused.
		case strings.Contains(text, "READONLY "), strings.HasPrefix(text, "MASTERDOWN"):
			n.leave() // where a name stands for the master, it may be another by now
		case strings.HasPrefix(text, "LOADING"), strings.HasPrefix(text, "CLUSTERDOWN"):
		default:
			return
		}
	} else if !standsAlone {
		n.leave()
	}
	if c.cluster != nil {
		c.cluster.doubt()
	}
}

// leave makes every connection the last of its kind: those in use end in peace, and the next is dialed anew.
func (n *node) leave() { n.era.Add(1) }

// abort ends what is under way on one connection.
func (n *node) abort() {
	if last := n.last.Load(); last != nil {
		_ = below(last.Conn).Close() // TLS itself would say goodbye first, and wait for the other side to take it
	}
}

// abortLeft does so if the connection goes to a master that was left.
func (n *node) abortLeft() {
	if last := n.last.Load(); last != nil && n.owner.sentinels.left(last.master) {
		_ = below(last.Conn).Close()
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
	*dialed
	node *node
	era  int64
}

// Write marks the node as sent to before the first byte leaves. The handshake is no script; a false alarm only makes an
// answer more careful.
func (w *wire) Write(b []byte) (int, error) {
	if start := bytes.ToUpper(b[:min(len(b), 64)]); bytes.Contains(start, []byte("EVAL")) {
		w.node.sent.Store(true)
	}
	n, err := w.Conn.Write(b)
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		err = w.lastWord(err)
	}
	return n, err
}

// lastWord is why the server ended a TLS connection, if it said so, else err. With TLS 1.3 it refuses a client's certificate
// when the client is through with the handshake: a write may find the connection reset while the reason lies there unread.
// Reading cannot wait any more.
func (w *wire) lastWord(err error) error {
	t, ok := w.Conn.(*tls.Conn)
	if !ok {
		return err
	}
	_, said := t.Read(make([]byte, 1))
	if alert, ok := errors.AsType[*net.OpError](said); ok && alert.Op == "remote error" {
		return said
	}
	return err
}

// checked is a syscall.Conn, by which go-redis finds out that an idle connection was closed by the server before it sends
// anything on it. Of a TLS connection that is the one below: what arrives there while it is idle is as good as its end,
// since nothing was asked. A connection to a server that was left counts as closed, too.
type checked struct {
	*wire
	sys syscall.Conn
}

var errLeft = errors.New("this server is left: the connection is of an earlier time")

// SyscallConn is called when the connection is about to be used again.
func (c checked) SyscallConn() (syscall.RawConn, error) {
	if c.era != c.node.era.Load() || c.node.owner.sentinels.left(c.master) {
		return nil, errLeft
	}
	return c.sys.SyscallConn()
}

func (n *node) watch(conn *dialed) net.Conn {
	w := &wire{conn, n, n.era.Load()}
	if sys, ok := below(conn.Conn).(syscall.Conn); ok {
		return checked{w, sys}
	}
	return w
}

// broken is a connection that could not be made: its first use fails.
type broken struct {
	net.Conn
	err error
}

func (b broken) Read([]byte) (int, error)  { return 0, b.err }
func (b broken) Write([]byte) (int, error) { return 0, b.err }

// unreachable is what a dialer returns in place of an error where another server may be dialed the next time. Of a failed
// dial go-redis would refuse everything for a second, and dial again and again in the background, even a node that is gone for
// good.
func unreachable(err error, topology string) (net.Conn, error) {
	if topology == standalone {
		return nil, err
	}
	conn, other := net.Pipe()
	_ = other.Close()
	return broken{conn, err}, nil
}

// QuietDriver turns off go-redis' own log lines for this process: a failed dial is reported by the callers of this
// package, once, and not by its driver again and again.
func QuietDriver() { logging.Disable() }
