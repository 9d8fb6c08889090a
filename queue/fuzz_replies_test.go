package queue_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

// asks are all questions to Redis. Each looks at what it is told: an error, or a value that makes sense.
var asks = []func(t *testing.T, c *queue.Client, l *queue.Link) error{
	func(t *testing.T, c *queue.Client, _ *queue.Link) error {
		done, err := c.EnqueueMany(t.Context(), []queue.NewJob{{ID: "a"}, {ID: "b"}})
		if len(done) != 2 {
			t.Errorf("two jobs, and it tells of %d", len(done))
		}
		return err
	},
	func(t *testing.T, _ *queue.Client, l *queue.Link) error {
		x := l.Exchange(t.Context(), queue.Exchange{Worker: "w", Number: 7, Results: []queue.Result{{Element: "1:a", Outcome: "done"}, {Element: "1:b"}}})
		if x.SettleErr == nil && len(x.Settled) != 2 {
			t.Errorf("two results, and it tells of %d", len(x.Settled))
		}
		return x.SettleErr
	},
	func(t *testing.T, _ *queue.Client, l *queue.Link) error {
		x := l.Exchange(t.Context(), queue.Exchange{Worker: "w", Number: 7, Claim: 3})
		for _, c := range x.Claims.Jobs {
			if c.Element != "7:"+c.Job.ID || c.Job.Queue != "q" {
				t.Errorf("a claimed job that makes no sense: %+v", c)
			}
		}
		return x.ClaimErr
	},
	func(t *testing.T, _ *queue.Client, l *queue.Link) error {
		_, err := l.Heartbeat(t.Context(), queue.WorkerInfo{ID: "w"}, timing, false)
		return err
	},
	func(t *testing.T, c *queue.Client, _ *queue.Link) error {
		_, err := c.Observe(t.Context(), "q", timing)
		return err
	},
	func(t *testing.T, _ *queue.Client, l *queue.Link) error {
		_, err := l.Reap(t.Context(), "w")
		return err
	},
	func(t *testing.T, _ *queue.Client, l *queue.Link) error {
		_, err := l.Leave(t.Context(), "w")
		return err
	},
	func(t *testing.T, _ *queue.Client, l *queue.Link) error {
		_, err := l.Trim(t.Context(), 1, time.Hour, 1)
		return err
	},
	func(t *testing.T, c *queue.Client, _ *queue.Link) error {
		_, err := c.Get(t.Context(), "q", "a")
		return err
	},
	func(t *testing.T, _ *queue.Client, l *queue.Link) error {
		held, err := l.Held(t.Context(), []string{"1:a", "x"})
		if err == nil && len(held) != 2 {
			t.Errorf("two elements, and it tells of %d", len(held))
		}
		return err
	},
	func(t *testing.T, _ *queue.Client, l *queue.Link) error { _, err := l.Workers(t.Context()); return err },
	func(t *testing.T, c *queue.Client, _ *queue.Link) error { _, err := c.Queues(t.Context()); return err },
	func(t *testing.T, _ *queue.Client, l *queue.Link) error { return l.PassOn(t.Context()) },
	func(t *testing.T, _ *queue.Client, l *queue.Link) error {
		_, err := l.Wait(t.Context(), time.Second)
		return err
	},
	func(t *testing.T, c *queue.Client, _ *queue.Link) error { c.Health(t.Context()); return nil },
	func(t *testing.T, c *queue.Client, _ *queue.Link) error {
		_, err := c.Reschedule(t.Context(), "q", "a", queue.When{})
		return err
	},
	func(t *testing.T, c *queue.Client, _ *queue.Link) error { return c.Redrive(t.Context(), "q", "a") },
	func(t *testing.T, c *queue.Client, _ *queue.Link) error {
		_, err := c.Edit(t.Context(), "q", "a", queue.Changes{})
		return err
	},
	func(t *testing.T, c *queue.Client, _ *queue.Link) error {
		_, _ = c.List(t.Context(), "q", queue.Listing{State: queue.Processing, Limit: 2})
		page, err := c.List(t.Context(), "q", queue.Listing{Limit: 2})
		if len(page.Jobs) > 2 {
			t.Errorf("%d jobs on a page of two", len(page.Jobs))
		}
		return err
	},
	func(t *testing.T, c *queue.Client, _ *queue.Link) error {
		_, err := c.Overview(t.Context(), "q")
		return err
	},
	func(t *testing.T, c *queue.Client, _ *queue.Link) error {
		_, err := c.Limit(t.Context(), "ann", 1, 1)
		return err
	},
	func(t *testing.T, c *queue.Client, _ *queue.Link) error {
		_, err := c.PurgeAll(t.Context(), "q", queue.Filter{Limit: 2})
		return err
	},
	func(t *testing.T, c *queue.Client, _ *queue.Link) error {
		_, err := c.Cancel(t.Context(), "q", "a")
		return err
	},
	func(t *testing.T, c *queue.Client, _ *queue.Link) error {
		_, err := c.Pause(t.Context(), "q")
		return err
	},
	func(t *testing.T, c *queue.Client, _ *queue.Link) error { return c.Quiet(t.Context(), "w") },
	func(t *testing.T, c *queue.Client, _ *queue.Link) error { _, err := c.Workers(t.Context()); return err },
}

// FuzzReplies: whatever Redis answers, nothing panics and every error is one of this package's. An input is the reply as it
// stands, or, behind a #, the words of one, a line each.
func FuzzReplies(f *testing.F) {
	for ask, replies := range [][]string{ // in the order of asks
		{"#ok\n1\ncreated\nexists", "#ok\n1\nreplayed:x\nconflict", "#ok\n1\nunique:\nfull", "#layout\n2", "#ok\n1", "-OOM x\r\n"},
		{"#ok\n1\ndone\nlost", "#ok\n1\ndone\n", "*-1\r\n"},
		{"#ok\n1764000000000\n\n0\n1\na\n{\"type\":\"message\"}\n1\n1000", "#ok\n1\n\n0\n1\na\n{}\n1", "#fenced\n1", "#ok\nNaN\n+Inf\n-1e400\n0x10\na\n{\n\n",
			"*5\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n"},
		{"#ok\n1764000000000\n\n\n1:a\nx", "#ok\n1764000000000\n5\nw\nquiet\n1\na\n1:a\nx",
			"#ok\n1\n\n\nstop\n7\na", "#ok\n1\n\n\n\nx", "#fenced", "#layout", "#timing\n1\n2", "#"},
		{"#ok\n1\n2\nw", "#timing", "#layout\n2", "*0\r\n"},
		{"#reaped\n1\n2\n3\n4", "#reaped\n1\n2\n3", "#reaped", "#gone", "-NOSCRIPT x\r\n"},
		{"#left", "#kept\n1", "+OK\r\n"},
		{"#1\n1\n1", "#x\nx\nx", "#1", "#1\n1", "*1\r\n*0\r\n"},
		{"#scheduled\n{}\n1\n[{}]\n5\n\n", "#scheduled\n{\n\n[\n\n\n", "#processing\n{}\n\n\n\n1\nagain", "#processing\n{}\n\n\n\n\n7", "*0\r\n", "*1\r\n$-1\r\n"},
		{"*2\r\n$1\r\n1\r\n$1\r\n2\r\n*2\r\n$2\r\n{}\r\n$-1\r\n*2\r\n$1\r\n1\r\n$-1\r\n", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n*1\r\n$-1\r\n*1\r\n$-1\r\n",
			"*2\r\n$1\r\n1\r\n$1\r\n2\r\n*0\r\n*-1\r\n"},
		{"*1\r\n$1\r\nw\r\n$2\r\n{}\r\n", "#w"},
		{"#q", ":1\r\n", "%1\r\n+a\r\n+b\r\n"},
		{"#ok", "", "$99999\r\n"},
		{"#wake\n1", "*-1\r\n", "_\r\n"},
		{"+PONG\r\n$18\r\nrole:slave\r\nx:y:z\r\n", "-LOADING\r\n"},
		{"#ok\n1\n1764000000000", "#far", "#missing", "#dead", "#ok\n1", "#ok\n\n"},
		{"#ok\n1\nredriven", "#ok\n1\nunreadable", "#ok\n1\nlater", "#ok", "#ok\n1\ndead"},
		{"#scheduled\n{}\n1\n[{}]\n5\n\n", "#changed", "#ok\n1\n2\n3"},
		{"#ok\n1\n1\na\n5\n{}\n1", "#ok\n1\n", "#ok\n1\n1", "#ok\n1\n1\na", "#ok\n1\n1\na\nnan\n\n\n1\n-7\nb\n5\n{}\n1\n\n9\nc\n5\n{}\n1\n\n9", "#ok\n1\n1\na\n5\n{}\n1\nb\nnan\n\n"},
		{"#ok\n1\n2\n3\n4\n5\n6\n7\n8\n9\n1\nenqueued\n7\nodd", "#none", "#ok\nx\n\n\n\n\n\n\n\n\n"},
		{"#ok\n0", "#ok\n-1", "#ok\n1e300", "#ok"},
		{"#ok\n1\n1\na\n5\n{}\n1", "#ok\n1\npurged"},
		{"#scheduled", "#processing", "#again", "#missing", "#dead", "*0\r\n", "#w"},
		{"#changed", "#same", ":1\r\n", ":0\r\n", "#", "*0\r\n"},
		{"#q", "#told", "#missing", "$1\r\n5\r\n", "$-1\r\n", "*0\r\n"},
		{"*2\r\n$1\r\nw\r\n$1\r\n5\r\n", "#q", "*1\r\n$-1\r\n", "*1\r\n*2\r\n$1\r\nw\r\n,5\r\n"},
	} {
		for _, reply := range replies {
			f.Add(byte(ask), []byte(reply))
		}
	}
	server := newParrot(f)
	f.Fuzz(func(t *testing.T, ask byte, reply []byte) {
		if announced.Match(reply) {
			return // the driver makes room for what is announced before it has come
		}
		server.say(reply)
		client, err := queue.Open(context.Background(), "redis://"+server.addr, queue.Options{Timeout: 20 * time.Millisecond})
		if errors.Is(err, queue.ErrLayout) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.Close() }()
		link, err := client.Link("q")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = link.Close() }()
		err = asks[int(ask)%len(asks)](t, client, link)
		for _, known := range []error{nil, queue.ErrUnavailable, queue.ErrOutcomeUnknown, queue.ErrFull, queue.ErrExists, queue.ErrNotFound, queue.ErrNoWorker,
			queue.ErrFenced, queue.ErrLayout, queue.ErrTiming, queue.ErrInvalid, queue.ErrState, queue.ErrNoQueue} {
			if errors.Is(err, known) {
				return
			}
		}
		if !strings.Contains(err.Error(), "is not JSON") {
			t.Errorf("the error is none of ours: %v", err)
		}
	})
}

var announced = regexp.MustCompile(`[0-9]{6,}\r`)

// parrot takes any request on a connection, says its one sentence, and hangs up.
type parrot struct {
	addr     string
	sentence chan []byte // holds one
}

func newParrot(f *testing.F) *parrot {
	f.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = listener.Close() })
	p := &parrot{addr: listener.Addr().String(), sentence: make(chan []byte, 1)}
	p.sentence <- nil
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go p.answer(conn)
		}
	}()
	return p
}

func (p *parrot) answer(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	request := make([]byte, 1<<16)
	n, err := conn.Read(request)
	if err == nil && bytes.Contains(request[:n], []byte("hello")) { // of the driver, before anything of ours
		_, _ = conn.Write([]byte("-ERR unknown command\r\n"))
		_, err = conn.Read(request)
	}
	if err != nil {
		return
	}
	sentence := <-p.sentence
	p.sentence <- sentence
	_, _ = conn.Write(sentence)
}

// say sets the sentence.
func (p *parrot) say(reply []byte) {
	if words, ok := strings.CutPrefix(string(reply), "#"); ok {
		var b strings.Builder
		lines := strings.Split(words, "\n")
		b.WriteString("*" + strconv.Itoa(len(lines)) + "\r\n")
		for _, w := range lines {
			b.WriteString("$" + strconv.Itoa(len(w)) + "\r\n" + w + "\r\n")
		}
		reply = []byte(b.String())
	}
	<-p.sentence
	p.sentence <- reply
}
