//go:build !linux

package devredis

import "syscall"

// bound is an ordinary child, in the process group of the first look. Only Linux can end it with a process that is killed.
func bound() *syscall.SysProcAttr { return nil }
