package devredis

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	startWithin = 5 * time.Second // until it answers
	stopWithin  = 3 * time.Second // until it is killed
)

// child is a redis-server process with a folder of its own.
type child struct {
	dir, port string
	cmd       *exec.Cmd
	ended     chan struct{}
	err       error
}

func startProcess(ctx context.Context, path string) (*Server, error) {
	dir, err := os.MkdirTemp("", "punctual-redis-")
	if err != nil {
		return nil, err
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real // as Redis will name it
	}
	c := &child{dir: dir, ended: make(chan struct{})}
	if err := c.start(path); err != nil {
		c.removeDir()
		return nil, err
	}
	if err := c.awaitReady(ctx); err != nil {
		c.stop()
		return nil, err
	}
	c.removeDir() // it keeps nothing, so it needs none: nothing is left even if this process is killed
	s := &Server{Addr: net.JoinHostPort("127.0.0.1", c.port), ended: make(chan struct{}), stop: c.stop}
	go func() {
		<-c.ended
		s.err = c.err
		close(s.ended)
	}()
	return s, nil
}

// start starts it so that it ends with this process however that ends, where the system can do so. The system means the
// thread, not the process, that started it: so one goroutine keeps its thread from the start to the end of the child.
func (c *child) start(path string) error {
	var err error
	if c.port, err = freePort(); err != nil {
		return err
	}
	output, err := os.Create(filepath.Join(c.dir, "log"))
	if err != nil {
		return err
	}
	c.cmd = exec.Command(path, "--port", c.port, "--bind", "127.0.0.1", "--dir", c.dir, "--save", "", "--appendonly", "no")
	c.cmd.Stdout, c.cmd.Stderr = output, output
	c.cmd.SysProcAttr = bound()
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer output.Close()
		err := c.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		if c.err = c.cmd.Wait(); c.err == nil {
			c.err = errors.New("by itself")
		}
		close(c.ended)
	}()
	return <-started
}

// awaitReady waits until the Redis on the port answers and is this one.
func (c *child) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := c.answers()
		if err == nil {
			return nil
		}
		select {
		case <-c.ended:
			return fmt.Errorf("it ended: %w%s", c.err, c.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("it does not answer on port %s: %w", c.port, err)
		case <-tick.C:
		}
	}
}

// answers asks for the working folder, by which a Redis that somebody else started on this port is found out.
func (c *child) answers() error {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", c.port), time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second)) // a connection that was just made takes one
	if _, err := conn.Write([]byte("CONFIG GET dir\r\n")); err != nil {
		return err
	}
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if lines.Text() == c.dir {
			return nil
		}
	}
	return errors.New("another Redis answers")
}

// lastWords is the end of what it wrote, on one line.
func (c *child) lastWords() string {
	text, err := os.ReadFile(filepath.Join(c.dir, "log"))
	words := strings.Join(strings.Fields(string(text)), " ")
	if err != nil || words == "" {
		return ""
	}
	return "; it said: " + strings.ToValidUTF8(words[max(0, len(words)-300):], "")
}

func (c *child) stop() {
	// The errors say that it has ended already.
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	patience := time.NewTimer(stopWithin)
	defer patience.Stop()
	select {
	case <-c.ended:
	case <-patience.C:
		_ = c.cmd.Process.Kill()
		<-c.ended
	}
	c.removeDir()
}

func (c *child) removeDir() { _ = os.RemoveAll(c.dir) } // a temporary folder: the system removes what cannot be
