// Package machine describes the computer on which figures were measured. What cannot be found out is empty.
package machine

import (
	"bufio"
	"cmp"
	"os"
	"runtime"
	"strings"
)

// CPU is the model of the processor and its architecture.
func CPU() string {
	return strings.TrimSpace(Named("/proc/cpuinfo", "model name", ":") + " (" + runtime.GOARCH + ")")
}

// System is the operating system with its kernel.
func System() string {
	name := cmp.Or(strings.Trim(Named("/etc/os-release", "PRETTY_NAME", "="), `"`), runtime.GOOS)
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		name += ", Linux " + strings.TrimSpace(string(kernel))
	}
	return name
}

// Named returns what a file says of name, "" if there is no such file or line.
func Named(file, name, separator string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), separator); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
