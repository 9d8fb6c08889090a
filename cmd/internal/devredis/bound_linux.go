package devredis

import "syscall"

// bound makes a child that the kernel ends with this process, and that a Ctrl+C in the terminal does not reach: it must be
// there until the worker has given back its jobs.
func bound() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
