//go:build unix && !linux

package devredis

import "syscall"

// bound makes a child that a Ctrl+C in the terminal does not reach: it must be there until the worker has given back its
// jobs. Only Linux can end it with a process that is killed.
func bound() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
