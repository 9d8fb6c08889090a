package redistest

import (
	"bytes"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Proxy stands between clients and a Redis and loses what it is told to lose: the connection
// (Cut) or an answer (SwallowReply, SwallowAfter).
//
// It forwards whole requests and whole replies and counts both, so it knows exactly which
// reply answers which request, however they are packed. Limits: no pub/sub under RESP2 and no
// CLIENT REPLY OFF, where requests and replies do not pair up; and of a pipeline that the client
// writes in several parts, more than 32 KiB from go-redis, each part may count as one.
type Proxy struct {
	port   int
	target string

	mu       sync.Mutex
	listener net.Listener // nil while cut
	conns    map[*proxied]struct{}
	rules    []*swallow
}

// swallow is an order to lose the answer of the next n pipelines that contain match.
type swallow struct {
	match []byte // lower case
	n     int    // pipelines still to be matched
	after int    // replies of a pipeline that are still passed
	lost  int    // answers still to be lost until done is closed
	done  chan struct{}
}

// NewProxy starts a proxy to target (host:port); it ends with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{port: port, target: target, conns: map[*proxied]struct{}{}}
	if err := p.listen(); err != nil {
		t.Fatalf("start the proxy: %v", err)
	}
	t.Cleanup(p.Cut)
	return p
}

// Addr is host:port of the proxy.
func (p *Proxy) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

// URL is what REDIS_URL takes.
func (p *Proxy) URL() string { return "redis://" + p.Addr() + "/0" }

// Cut closes all connections and refuses new ones, until Mend.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
	for c := range p.conns {
		c.close()
	}
}

// Mend ends Cut, on the same port.
func (p *Proxy) Mend(t testing.TB) {
	t.Helper()
	if err := p.listen(); err != nil {
		t.Fatalf("mend the proxy: %v", err)
	}
}

// SwallowReply loses the answer to the next n pipelines that contain match (in any case): the
// requests reach the server, its answer to them and to all that follows on that connection is
// thrown away, and the connection is held open, silent, until the client closes it. A pipeline
// is what a client sends since it last had no reply outstanding. The channel is closed when the
// n-th answer has come and been thrown away: by then the server has done what it was asked.
func (p *Proxy) SwallowReply(match []byte, n int) <-chan struct{} { return p.swallow(match, n, 0) }

// SwallowAfter is SwallowReply for one pipeline, of whose answer the first k replies are passed.
func (p *Proxy) SwallowAfter(match []byte, k int) <-chan struct{} { return p.swallow(match, 1, k) }

func (p *Proxy) swallow(match []byte, n, after int) <-chan struct{} {
	s := &swallow{match: bytes.ToLower(match), n: n, after: after, lost: n, done: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, s)
	return s.done
}

func (p *Proxy) listen() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		return nil
	}
	l, err := net.Listen("tcp", p.Addr())
	if err != nil {
		return err
	}
	p.listener = l
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(l, client)
		}
	}()
	return nil
}

func (p *Proxy) serve(l net.Listener, client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	c := &proxied{proxy: p, client: client, server: server}
	p.mu.Lock()
	if p.listener != l { // cut meanwhile
		p.mu.Unlock()
		c.close()
		return
	}
	p.conns[c] = struct{}{}
	p.mu.Unlock()
	go c.replies()
	c.requests()
	c.close()
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

// proxied is one connection. The fields below its sockets belong to proxy.mu.
type proxied struct {
	proxy          *Proxy
	client, server net.Conn

	sent, answered int      // requests sent, replies received
	pipeline       int      // the request at which the present pipeline begins
	losing         *swallow // the order that this connection serves
	passed         int      // with losing: replies from this one on are thrown away
	matched        int      // with losing: the request that contains the match
}

func (c *proxied) close() {
	_ = c.client.Close()
	_ = c.server.Close()
}

// requests forwards from client to server until the client closes.
func (c *proxied) requests() {
	pump(c.client, func(requests [][]byte) error {
		for _, request := range requests {
			c.noteRequest(request) // before the server can have answered it
		}
		_, err := c.server.Write(bytes.Join(requests, nil))
		if c.silent() {
			return nil // held open, even if the server has closed
		}
		return err
	})
}

// replies forwards from server to client until the server closes.
func (c *proxied) replies() {
	pump(c.server, func(replies [][]byte) error {
		var pass []byte
		var done chan struct{}
		for _, reply := range replies {
			passes, last := c.noteReply(reply)
			if passes {
				pass = append(pass, reply...)
			}
			if last != nil {
				done = last
			}
		}
		_, err := c.client.Write(pass)
		if done != nil { // not before: who waits for it may cut the connection at once
			close(done)
		}
		return err
	})
	if !c.silent() {
		c.close()
	}
}

func (c *proxied) silent() bool {
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	return c.losing != nil
}

func (c *proxied) noteRequest(request []byte) {
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	if c.sent == c.answered {
		c.pipeline = c.sent
	}
	c.sent++
	if c.losing != nil || len(c.proxy.rules) == 0 {
		return
	}
	request = bytes.ToLower(request)
	for _, s := range c.proxy.rules {
		if s.n > 0 && bytes.Contains(request, s.match) {
			s.n--
			c.losing, c.matched, c.passed = s, c.sent-1, c.pipeline+s.after
			return
		}
	}
}

// noteReply says whether the reply is passed on, and returns what is to be closed if it is the last one to be lost.
func (c *proxied) noteReply(reply []byte) (passes bool, done chan struct{}) {
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	number := c.answered
	if reply[0] != '>' { // a push answers nothing
		c.answered++
	}
	if c.losing == nil || number < c.passed {
		return true, nil
	}
	if reply[0] != '>' && number == max(c.matched, c.passed) {
		if c.losing.lost--; c.losing.lost == 0 {
			done = c.losing.done
		}
	}
	return false, done
}

// pump reads RESP values from conn and gives them on as they are complete.
func pump(conn net.Conn, give func(values [][]byte) error) {
	var pending []byte
	chunk := make([]byte, 64<<10)
	for {
		n, err := conn.Read(chunk)
		pending = append(pending, chunk[:n]...)
		values, rest, bad := respSplit(pending)
		if len(values) > 0 {
			if give(values) != nil {
				return
			}
		}
		if err != nil || bad != nil {
			return
		}
		pending = append([]byte(nil), rest...)
	}
}
