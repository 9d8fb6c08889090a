package main

import (
	"fmt"
	"os"
	"syscall"
)

// eatMemory takes memory until there is none. So that the machine is safe, it first limits its own process to a little more
// than it has.
func eatMemory() {
	const more, piece = 256 << 20, 16 << 20
	var pages uint64
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return
	}
	if _, err := fmt.Sscan(string(text), &pages); err != nil {
		return
	}
	limit := pages*uint64(os.Getpagesize()) + more
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		return
	}
	var eaten [][]byte
	for taken := 0; taken <= 2*more; taken += piece { // the limit must have held by then
		b := make([]byte, piece)
		for i := 0; i < piece; i += 4096 {
			b[i] = 1
		}
		eaten = append(eaten, b)
	}
	fmt.Fprintln(os.Stderr, "hostile: the limit of memory did not hold after", len(eaten), "pieces")
}
