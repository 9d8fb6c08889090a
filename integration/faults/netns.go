package faults

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
)

// namespace is a network of its own for a process, joined to this machine by a pair of virtual interfaces with private
// addresses. What goes through can be dropped without anybody being told: nothing is refused or reset.
type namespace struct {
	t      testing.TB
	name   string
	here   string // address of this machine, seen from inside
	inside string // address of the process, seen from here
}

var namespaces atomic.Int32

// newNamespace makes one, which ends with the test; why says what this machine cannot do.
func newNamespace(t testing.TB) (n *namespace, why error) {
	t.Helper()
	number := namespaces.Add(1)
	block := (os.Getpid()*64 + int(number)) % (1 << 14) // a /30 of 10.77.0.0/16 each
	address := func(host int) string { return fmt.Sprintf("10.77.%d.%d", block>>6, block&63<<2+host) }
	n = &namespace{t, fmt.Sprintf("punctual-%d-%d", os.Getpid(), number), address(1), address(2)}
	outer, inner := fmt.Sprintf("pq%do%d", os.Getpid(), number), fmt.Sprintf("pq%di%d", os.Getpid(), number) // at most 15 characters
	if err := run("ip", "netns", "add", n.name); err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := run("ip", "netns", "del", n.name); err != nil { // and with it both interfaces
			t.Error(err)
		}
	})
	for _, command := range []string{
		"ip link add " + outer + " type veth peer name " + inner + " netns " + n.name,
		"ip addr add " + n.here + "/30 dev " + outer,
		"ip link set " + outer + " up",
		"ip -n " + n.name + " addr add " + n.inside + "/30 dev " + inner,
		"ip -n " + n.name + " link set " + inner + " up",
		"ip -n " + n.name + " link set lo up",
		"ip netns exec " + n.name + " iptables -L INPUT",
	} {
		if err := run(strings.Fields(command)...); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// wrap is a command that runs inside. The process keeps the pid that it is started with.
func (n *namespace) wrap(command ...string) []string {
	return append([]string{"ip", "netns", "exec", n.name}, command...)
}

// Drop drops every packet that comes from addr (host:port) of this machine, and with both, every one to it.
func (n *namespace) Drop(addr string, both bool) {
	n.t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		n.t.Fatal(err)
	}
	n.rule("-A", "INPUT", "-p", "tcp", "--sport", port, "-j", "DROP")
	if both {
		n.rule("-A", "OUTPUT", "-p", "tcp", "--dport", port, "-j", "DROP")
	}
}

// Mend ends Drop.
func (n *namespace) Mend() { n.t.Helper(); n.rule("-F") }

func (n *namespace) rule(args ...string) {
	n.t.Helper()
	if err := run(append(n.wrap("iptables", "-w"), args...)...); err != nil {
		n.t.Fatal(err)
	}
}

func run(command ...string) error {
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
