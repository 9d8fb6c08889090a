package devredis

import "syscall"

// bound makes a child that the kernel ends with this process. It stays in the process group of the first look, so that
// whatever ends the group ends it, too.
func bound() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
