package faults

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/punctualq/punctual/integration/programs"
	"github.com/punctualq/punctual/integration/redistest"
)

// powerLoss is a kill of Redis after which its append-only file ends where the last finished fsync had it: what the kernel
// alone had is gone, as it is when the power fails. A disk that forgets what it has confirmed is not part of it.
func powerLoss(r *Run) {
	if _, err := exec.LookPath("strace"); err != nil {
		r.NotTried("needs strace")
	}
	for _, mode := range []string{"AOF everysec", "AOF always", "AOF everysec, ENQUEUE_WAIT=aof"} {
		words := strings.Fields(strings.ReplaceAll(mode, ",", ""))
		policy, settings := words[1], words[2:]
		l, mode := &losses{}, "power loss, "+mode
		safe := policy == "always" || len(settings) > 0
		setup := Setup{Redis: []string{"--appendfsync", policy, "--auto-aof-rewrite-percentage", "0"}, Settings: settings}
		r.Scene(mode, setup, func(s *Scene) {
			if known := s.Client.Do(s.Context(), "COMMAND", "INFO", "WAITAOF").Val(); len(settings) > 0 && fmt.Sprint(known) == "[<nil>]" {
				s.NotTried("ENQUEUE_WAIT=aof: this Redis has no WAITAOF (7.2 or newer has)")
			}
			s.Rules = Rules{MayLose: policy != "always"}
			server := s.Server()
			s.Worker()
			load := s.Load(server, 2, 20*time.Millisecond, Mixed)
			for range r.Times(2, 20) {
				trace := s.traceWrites()
				parked := s.park(server)
				time.Sleep(1500*time.Millisecond + chance(r, time.Second)) // when it happens is chance
				parked.mark()
				s.Redis.Kill(s.T)
				r.Injected()
				parked.stop()
				cut := trace.cut(s)
				r.Figure("cut off the file, "+strings.TrimPrefix(mode, "power loss, "), float64(cut), "bytes", "")
				s.Redis.Start(s.T)
				l.count(s, s.Client, parked)
				r.Resumed(load.AwaitCreated(s.T, back))
			}
			load.Stop()
			s.mendHalves(r, mode)
			l.publish(r, mode)
			if safe && l.most() > 0 {
				s.Errorf("lost by each power loss: %v, want none", l.lost)
			}
			if l.window > 2500*time.Millisecond {
				s.Errorf("what was acknowledged %s before the power loss is gone, want at most about 2 s", l.window)
			}
		})
	}
}

// mendHalves has punctual audit --fix put back what Redis has torn in two. Redis 7.0 and others, when the file ends within a command of
// a transaction, cut that command off and leave its MULTI and what came before it: nothing of it is run, but the next start runs it
// with what was appended meanwhile. So half of what a script wrote is there after the second power loss: a record without its place.
func (s *Scene) mendHalves(r *Run, mode string) {
	s.Helper()
	halves := s.report("--fix")
	for _, f := range halves {
		if !f.Fixed || f.Code != "record-without-place" {
			s.Errorf("punctual audit --fix found %+v, want at most records without a place, mended", f)
		}
	}
	r.Figure("jobs that Redis brought back by half, mended by punctual audit --fix, "+mode, float64(len(halves)), "", "")
	if most := r.Times(2, 20); len(halves) > 100*most {
		s.Errorf("%d halves, want those of one script for each power loss at most", len(halves))
	}
}

// trace is strace's account of what was written to the append-only file and when that was synced.
type trace struct {
	file, log string
	cmd       *exec.Cmd
}

// traceWrites follows the writes of Redis from now on.
func (s *Scene) traceWrites() *trace {
	s.Helper()
	dir := s.Client.ConfigGet(s.Context(), "dir").Val()["dir"]
	files, _ := filepath.Glob(filepath.Join(dir, "appendonlydir", "*.incr.aof"))
	if len(files) == 0 {
		files, _ = filepath.Glob(filepath.Join(dir, "appendonly.aof")) // before Redis 7
	}
	if len(files) != 1 {
		s.Fatalf("append-only files are %v, want one", files)
	}
	t := &trace{file: files[0], log: filepath.Join(s.TempDir(), "strace")}
	t.cmd = exec.Command("strace", "-f", "-p", strconv.Itoa(s.Redis.Pid()), "-P", t.file, "-e", "trace=write,writev,fsync,fdatasync", "-e", "write=none",
		"-s", "0", "-o", t.log)
	var said programs.Output
	t.cmd.Stderr = &said
	if err := t.cmd.Start(); err != nil {
		s.Fatal(err)
	}
	gone := make(chan struct{})
	go func() { _ = t.cmd.Wait(); close(gone) }()
	s.Cleanup(func() { _ = t.cmd.Process.Signal(syscall.SIGTERM); <-gone })
	refused := false
	redistest.Await(s.T, 10*time.Second, "strace to be attached", func() bool {
		select {
		case <-gone:
			refused = true
		default:
		}
		return refused || strings.Contains(said.String(), "attached")
	})
	if refused {
		s.NotTried("strace may not look at another process here: %s", strings.TrimSpace(said.String()))
	}
	return t
}

// cut ends the file where the last finished sync had it and returns by how much. What was written while that sync ran
// does not count as synced.
func (t *trace) cut(s *Scene) (bytes int64) {
	s.Helper()
	redistest.Await(s.T, 10*time.Second, "the end of strace", func() bool { return syscall.Kill(t.cmd.Process.Pid, 0) != nil })
	f, err := os.Open(t.log)
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close()
	written, synced := int64(0), int64(-1)
	began := map[string]int64{} // by thread: what was written when its sync began
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		thread, line, _ := strings.Cut(lines.Text(), " ")
		line = strings.TrimSpace(line)
		sync := strings.HasPrefix(line, "fdatasync(") || strings.HasPrefix(line, "fsync(")
		finished := strings.Contains(line, "sync resumed>")
		result := int64(-1)
		if i := strings.LastIndex(line, "= "); i >= 0 {
			_, _ = fmt.Sscan(line[i+2:], &result)
		}
		switch {
		case sync && strings.Contains(line, "unfinished"):
			began[thread] = written
		case sync && result == 0:
			synced = written
		case finished && result == 0:
			synced = max(synced, began[thread])
		case strings.Contains(line, "write") && result > 0:
			written += result
		}
	}
	if synced < 0 {
		s.Fatalf("no sync has finished while it was looked at: %s", t.log)
	}
	info, err := os.Stat(t.file)
	if err != nil {
		s.Fatal(err)
	}
	bytes = written - synced
	if err := os.Truncate(t.file, info.Size()-bytes); err != nil {
		s.Fatal(err)
	}
	return bytes
}
