package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Producers, workers and HTTP servers run as processes of their own: this program, started again as `bench child`. The
// parent writes one word a line; each is answered by one line of JSON. The end of the input ends the child.

// task is what a child is to do.
type task struct {
	Role string `json:"role"` // produce, work, serve, post
	Side string `json:"side"`
	URL  string `json:"url"` // of Redis; for post that of the HTTP server

	Jobs      int   `json:"jobs"` // how many there are in this measurement
	Producers int   `json:"producers,omitempty"`
	Batch     int   `json:"batch,omitempty"`    // jobs a call
	DelayMS   int64 `json:"delay_ms,omitempty"` // of each job
	At        int64 `json:"at,omitempty"`       // Unix ms: all jobs are due then, in place of DelayMS
	SpreadMS  int64 `json:"spread_ms,omitempty"`
	Seed      int64 `json:"seed,omitempty"` // of the random share of SpreadMS that each job waits longer

	Workers     int    `json:"workers,omitempty"`
	Concurrency int    `json:"concurrency,omitempty"`
	HandlerMS   int64  `json:"handler_ms,omitempty"` // how long a handler takes
	Token       string `json:"token,omitempty"`
}

// reply is what a child answers.
type reply struct {
	Error string  `json:"error,omitempty"`
	Addr  string  `json:"addr,omitempty"`   // serve: where it listens
	Took  float64 `json:"took,omitempty"`   // s: produce, post
	Dues  []int64 `json:"dues,omitempty"`   // Unix µs, by number of the job: produce
	CPU   float64 `json:"cpu,omitempty"`    // s that this process has used so far
	Page  *page   `json:"ledger,omitempty"` // work, after stop
}

// role answers words until the child ends.
type role interface {
	answer(ctx context.Context, word string) (reply, error)
	close() error
}

func childMain(args []string) int {
	out := json.NewEncoder(os.Stdout)
	fail := func(err error) int {
		_ = out.Encode(reply{Error: err.Error()})
		return 1
	}
	if len(args) != 1 {
		return fail(errors.New("child takes one argument, its task"))
	}
	var t task
	if err := json.Unmarshal([]byte(args[0]), &t); err != nil {
		return fail(err)
	}
	r, first, err := newRole(t)
	if err != nil {
		return fail(err)
	}
	defer r.close()
	if err := out.Encode(first); err != nil {
		return 1
	}
	for words := bufio.NewScanner(os.Stdin); words.Scan(); {
		answer, err := r.answer(context.Background(), words.Text())
		if err != nil {
			return fail(err)
		}
		answer.CPU = cpuUsed()
		if err := out.Encode(answer); err != nil {
			return 1
		}
	}
	return 0
}

func newRole(t task) (role, reply, error) {
	switch t.Role {
	case "produce":
		r, err := newProduce(t)
		return r, reply{}, err
	case "work":
		r, err := newWork(t)
		return r, reply{}, err
	case "serve":
		return newServe(t)
	case "post":
		return &post{t}, reply{}, nil
	}
	return nil, reply{}, fmt.Errorf("no role is called %q", t.Role)
}

// child is a running child, seen by its parent.
type child struct {
	task
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *json.Decoder
	first reply
}

// startChild returns once the child is ready. It is killed when ctx ends, so that nobody waits for its answer any more.
func startChild(ctx context.Context, t task) (*child, error) {
	arg, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{task: t, cmd: exec.CommandContext(ctx, self, "child", string(arg))}
	c.cmd.Stderr, c.cmd.SysProcAttr = os.Stderr, childAttributes()
	c.cmd.Env = append(os.Environ(), childMark+"=1")
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = json.NewDecoder(bufio.NewReaderSize(out, 1<<20))
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	if c.first, err = c.read(); err != nil {
		c.end()
		return nil, err
	}
	return c, nil
}

// childMark tells a test binary that it is a child.
const childMark = "PUNCTUAL_BENCH_CHILD"

func (c *child) ask(word string) (reply, error) {
	if _, err := io.WriteString(c.in, word+"\n"); err != nil {
		return reply{}, fmt.Errorf("%s child of %s: %w", c.Role, c.Side, err)
	}
	return c.read()
}

func (c *child) read() (reply, error) {
	var r reply
	err := c.out.Decode(&r)
	if err == nil && r.Error != "" {
		err = errors.New(r.Error)
	}
	if err != nil {
		return r, fmt.Errorf("%s child of %s: %w", c.Role, c.Side, err)
	}
	return r, nil
}

// end lets the child end, and makes it after a while.
func (c *child) end() {
	_ = c.in.Close()
	overdue := time.AfterFunc(10*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer overdue.Stop()
	_ = c.cmd.Wait()
}

// family ends all children of a measurement, none of which outlives ctx.
type family struct {
	ctx context.Context
	all []*child
}

func (f *family) start(t task) (*child, error) {
	c, err := startChild(f.ctx, t)
	if err == nil {
		f.all = append(f.all, c)
	}
	return c, err
}

func (f *family) end() {
	for _, c := range f.all {
		c.end()
	}
}
