//go:build !unix

package devredis

import "syscall"

// bound is an ordinary child: this system has no process groups.
func bound() *syscall.SysProcAttr { return nil }
