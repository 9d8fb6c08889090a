package redistest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// raw is a connection on which a test decides what travels together, and reads line by line.
type raw struct {
	t *testing.T
	net.Conn
	lines *bufio.Reader
}

func dialRaw(t *testing.T, addr string) *raw {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &raw{t, conn, bufio.NewReader(conn)}
}

// send writes commands, given as words, in one piece.
func (r *raw) send(commands ...string) {
	r.t.Helper()
	var b strings.Builder
	for _, command := range commands {
		words := strings.Fields(command)
		fmt.Fprintf(&b, "*%d\r\n", len(words))
		for _, word := range words {
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(word), word)
		}
	}
	if _, err := r.Write([]byte(b.String())); err != nil {
		r.t.Fatal(err)
	}
}

// line is the next line, or the error that came instead of it.
func (r *raw) line(within time.Duration) string {
	_ = r.SetReadDeadline(time.Now().Add(within))
	line, err := r.lines.ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(line)
}

func (r *raw) expect(want ...string) {
	r.t.Helper()
	for _, w := range want {
		if got := r.line(5 * time.Second); got != w {
			r.t.Fatalf("received %q, want %q", got, w)
		}
	}
}

// expectSilence: an open connection on which nothing comes.
func (r *raw) expectSilence() {
	r.t.Helper()
	if got := r.line(50 * time.Millisecond); !strings.Contains(got, "i/o timeout") {
		r.t.Fatalf("received %q on a connection that should be silent", got)
	}
}

func awaitClosed(t *testing.T, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatalf("awaited in vain: %s", what)
	}
}

func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func TestProxyForwardsUntilItIsCutAndAgainWhenMended(t *testing.T) {
	s := Any(t)
	p, key := NewProxy(t, s.Addr()), Queue(t)
	options, err := redis.ParseURL(p.URL())
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(options)
	defer c.Close()
	large := strings.Repeat("x", 300<<10) // more than one read
	if err := c.Set(t.Context(), key, large, time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	if got := c.Get(t.Context(), key).Val(); got != large {
		t.Errorf("%d bytes came back of %d", len(got), len(large))
	}
	open := dialRaw(t, p.Addr())
	open.send("PING")
	open.expect("+PONG")
	p.Cut()
	if got := open.line(5 * time.Second); got != "EOF" {
		t.Errorf("an open connection gave %q after Cut", got)
	}
	if _, err := net.Dial("tcp", p.Addr()); err == nil {
		t.Error("a new connection is accepted after Cut")
	}
	p.Mend(t)
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Errorf("after Mend: %v", err)
	}
}

func TestSwallowReplyLosesTheAnswerNotTheRequest(t *testing.T) {
	s := Any(t)
	p, key := NewProxy(t, s.Addr()), Queue(t)
	c := redis.NewClient(&redis.Options{Addr: p.Addr(), MaxRetries: -1, ReadTimeout: 300 * time.Millisecond})
	defer c.Close()
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	done := p.SwallowReply([]byte("INCR"), 2)
	for want := range 2 {
		if isClosed(done) {
			t.Fatalf("closed after %d answers", want)
		}
		var timeout net.Error
		if err := c.Incr(t.Context(), key).Err(); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("incr %d gave %v, not a time-out", want, err)
		}
	}
	awaitClosed(t, done, "the second answer to be lost")
	if got := s.Client().Get(t.Context(), key).Val(); got != "2" {
		t.Errorf("the server ran %s of 2 requests", got)
	}
	if got, err := c.Incr(t.Context(), key).Result(); err != nil || got != 3 {
		t.Errorf("the third gave %d, %v", got, err)
	}
	s.Client().Del(t.Context(), key)
}

func TestSwallowedConnectionStaysSilentAndOpen(t *testing.T) {
	s := Any(t)
	p, key := NewProxy(t, s.Addr()), Queue(t)
	r := dialRaw(t, p.Addr())
	done := p.SwallowReply([]byte(key), 1)
	r.send("PING")
	r.expect("+PONG")
	r.send("incr " + strings.ToUpper(key)) // matched in any case
	awaitClosed(t, done, "the answer to be lost")
	r.send("incr "+strings.ToUpper(key), "QUIT") // forwarded too; the server closes at QUIT
	Await(t, 5*time.Second, "the later request to arrive", func() bool {
		return s.Client().Get(t.Context(), strings.ToUpper(key)).Val() == "2"
	})
	r.expectSilence()
	other := dialRaw(t, p.Addr())
	other.send("PING")
	other.expect("+PONG")
	s.Client().Del(t.Context(), strings.ToUpper(key))
}

func TestSwallowPassesWhatEarlierRequestsAreOwed(t *testing.T) {
	s := Any(t)
	p := NewProxy(t, s.Addr())
	r := dialRaw(t, p.Addr())
	blocked := Queue(t)
	r.send("ECHO first", "BLPOP "+blocked+" 0") // the second is not answered yet
	r.expect("$5", "first")
	done := p.SwallowAfter([]byte("needle"), 3)
	r.send("ECHO needle", "ECHO last") // so these belong to the same pipeline: ECHO, BLPOP, ECHO pass
	if err := s.Client().LPush(t.Context(), blocked, "x").Err(); err != nil {
		t.Fatal(err)
	}
	r.expect("*2", fmt.Sprint("$", len(blocked)), blocked, "$1", "x", "$6", "needle")
	awaitClosed(t, done, "the last answer to be lost")
	r.expectSilence()
}

func TestSwallowAfterPassesTheFirstReplies(t *testing.T) {
	s := Any(t)
	for k := range 3 {
		p := NewProxy(t, s.Addr())
		r := dialRaw(t, p.Addr())
		done := p.SwallowAfter([]byte("b"), k)
		r.send("PING", "ECHO b", "ECHO c")
		passed := []string{"+PONG", "$1", "b"}
		r.expect(passed[:[]int{0, 1, 3}[k]]...)
		awaitClosed(t, done, fmt.Sprintf("the answer after %d replies to be lost", k))
		r.expectSilence()
	}
}

func TestSwallowedPipelineOfGoRedis(t *testing.T) {
	s := Any(t)
	p, key := NewProxy(t, s.Addr()), Queue(t)
	c := redis.NewClient(&redis.Options{Addr: p.Addr(), MaxRetries: -1, ReadTimeout: 300 * time.Millisecond})
	defer c.Close()
	done := p.SwallowAfter([]byte("append"), 1)
	pipe := c.Pipeline()
	first, second := pipe.Incr(context.Background(), key+"-n"), pipe.Append(context.Background(), key, "x")
	if _, err := pipe.Exec(context.Background()); err == nil {
		t.Error("the pipeline succeeded")
	}
	awaitClosed(t, done, "the answer to be lost")
	// go-redis sets the error on both commands, the value on the one that was answered.
	if first.Val() != 1 || second.Val() != 0 || second.Err() == nil {
		t.Errorf("first %v, second %v", first, second)
	}
	if got := s.Client().Get(t.Context(), key).Val(); got != "x" {
		t.Errorf("the server's key holds %q", got)
	}
	s.Client().Del(t.Context(), key, key+"-n")
}

func TestRespSplit(t *testing.T) {
	values := []string{
		"+OK\r\n", "-ERR no\r\n", ":1\r\n", ",1.5\r\n", "#t\r\n", "_\r\n", "(123\r\n",
		"$-1\r\n", "$0\r\n\r\n", "$4\r\na\r\nb\r\n", "!5\r\nERR x\r\n", "=7\r\ntxt:abc\r\n",
		"*-1\r\n", "*0\r\n", "*2\r\n*1\r\n:1\r\n$1\r\nx\r\n", "~1\r\n+a\r\n", ">2\r\n+message\r\n+x\r\n",
		"%1\r\n+k\r\n*1\r\n:2\r\n", "|1\r\n+ttl\r\n:3\r\n$1\r\nv\r\n", "PING inline\r\n",
	}
	stream := strings.Join(values, "")
	var got []string
	var pending []byte
	for i := range len(stream) { // byte by byte: no value may be found too early or too late
		found, rest, err := respSplit(append(pending, stream[i]))
		if err != nil {
			t.Fatalf("at byte %d: %v", i, err)
		}
		for _, v := range found {
			got = append(got, string(v))
		}
		pending = append([]byte(nil), rest...)
	}
	if !slices.Equal(got, values) || len(pending) > 0 {
		t.Errorf("found %q, rest %q", got, pending)
	}
	if all, rest, err := respSplit([]byte(stream)); len(all) != len(values) || len(rest) > 0 || err != nil {
		t.Errorf("at once: %d values, rest %q, %v", len(all), rest, err)
	}
	for _, bad := range []string{"$x\r\n", "*-2\r\n", "$-7\r\n"} {
		if _, _, err := respSplit([]byte(bad)); !errors.Is(err, errNotRESP) {
			t.Errorf("%q gave %v", bad, err)
		}
	}
}
