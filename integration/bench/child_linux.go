package main

import "syscall"

// childAttributes: a child ends with the process that started it, even if that is killed.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
