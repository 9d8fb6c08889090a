package redistest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

// process is a redis-server process. With a dir it keeps its data there, without one
// (the shared server) it writes none.
type process struct {
	port   int
	args   []string
	dir    string
	env    []string // beside that of this process, as NAME=value
	config string   // a file that says everything else: of a sentinel, which writes to it

	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has ended
	log  *os.File
}

// persistence are the arguments that make Redis keep its data, or not. The append-only file
// is written before Redis answers, so SIGKILL loses nothing; appendfsync, which is about
// losing the machine, would only make the tests slow.
func persistence(keep bool) []string {
	if !keep {
		return []string{"--save", "", "--appendonly", "no"}
	}
	return []string{"--save", "", "--appendonly", "yes", "--appendfsync", "no"}
}

func (p *process) start(ctx context.Context) error {
	if p.running() {
		return errors.New("it runs already")
	}
	args := []string{"--port", strconv.Itoa(p.port), "--bind", "127.0.0.1", "--dir", os.TempDir()}
	if p.dir != "" {
		args = append(args, "--dir", p.dir)
	}
	args = append(append(args, persistence(p.dir != "")...), p.args...)
	if p.config != "" {
		args = []string{p.config, "--sentinel"}
	}
	log, err := os.CreateTemp("", "redistest-*.log")
	if err != nil {
		return err
	}
	if p.log != nil {
		_ = p.log.Close()
	}
	p.log = log
	_ = os.Remove(log.Name()) // read through the open file; nothing to clean up
	p.cmd = exec.Command(program(), args...)
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := startBound(p.cmd); err != nil {
		return err
	}
	cmd, done := p.cmd, make(chan struct{})
	p.done = done
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	return p.awaitReady(ctx)
}

// program is the redis-server or valkey-server to start: the one of PUNCTUAL_TEST_REDIS_SERVER, else the one on the PATH.
func program() string { return cmp.Or(os.Getenv("PUNCTUAL_TEST_REDIS_SERVER"), "redis-server") }

func (p *process) awaitReady(ctx context.Context) error {
	err := poll(ctx, func() error {
		if !p.running() {
			return permanent{errors.New("redis-server ended")}
		}
		pid, err := answers(p.port)
		if err == nil && pid != strconv.Itoa(p.pid()) {
			err = fmt.Errorf("another Redis (pid %s) answers on port %d", pid, p.port)
		}
		return err
	})
	if err != nil {
		text, _ := io.ReadAll(io.NewSectionReader(p.log, 0, 1<<20))
		return fmt.Errorf("%w; its log ends:\n%s", err, tail(text))
	}
	return nil
}

func (p *process) running() bool {
	if p.done == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *process) pid() int {
	if p.cmd == nil || p.cmd.Process == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

func (p *process) signal(sig syscall.Signal) error {
	if !p.running() {
		return errors.New("it does not run")
	}
	return p.cmd.Process.Signal(sig)
}

func (p *process) end(ctx context.Context, sig syscall.Signal) error {
	if err := p.signal(sig); err != nil {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("redis-server (pid %d) did not end on %s", p.pid(), sig)
	}
}

func (p *process) stop(ctx context.Context) error { return p.end(ctx, syscall.SIGTERM) }
func (p *process) kill(ctx context.Context) error { return p.end(ctx, syscall.SIGKILL) }

func (p *process) pause(ctx context.Context) error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return poll(ctx, func() error { return stopped(p.pid()) })
}

func (p *process) resume(context.Context) error { return p.signal(syscall.SIGCONT) }

func (p *process) remove() {
	if p.running() {
		_ = p.kill(context.Background())
	}
	if p.log != nil {
		_ = p.log.Close()
	}
}
