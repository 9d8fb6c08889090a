// Package programs is for tests that run our programs as processes: it builds them, finds them an address, and keeps what they print.
package programs

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Built are programs that are built together, without the race detector, when the first of them is asked for.
type Built struct {
	module   string
	packages []string

	once sync.Once
	dir  string
	err  error
}

// In names packages of the module whose folder this is, seen from where the tests run.
func In(module string, packages ...string) *Built { return &Built{module: module, packages: packages} }

// Path returns where a program is.
func (b *Built) Path(t testing.TB, name string) string {
	t.Helper()
	b.once.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "punctual-programs-"); b.err != nil {
			return
		}
		cmd := exec.Command("go", append([]string{"build", "-o", b.dir}, b.packages...)...)
		cmd.Dir = b.module
		if out, err := cmd.CombinedOutput(); err != nil {
			b.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return filepath.Join(b.dir, name)
}

// Remove is for the end of all tests.
func (b *Built) Remove() {
	if b.dir != "" {
		_ = os.RemoveAll(b.dir)
	}
}

// Output gathers what a process prints.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// FreeAddr is an address of this machine at which nobody listens now.
func FreeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Tail is the last lines of a text.
func Tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
