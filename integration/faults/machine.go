package faults

import (
	"bufio"
	"cmp"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// machine is where the results come from. What cannot be found out is empty.
type machine struct {
	CPU   string // model
	Cores int
	OS    string // with its kernel
	Go    string
	Redis string
	Date  string
}

func thisMachine() machine {
	return machine{
		CPU:   strings.TrimSpace(named("/proc/cpuinfo", "model name", ":") + " (" + runtime.GOARCH + ")"),
		Cores: runtime.NumCPU(),
		OS:    system(),
		Go:    strings.TrimPrefix(runtime.Version(), "go"),
		Redis: redisVersion(),
		Date:  time.Now().UTC().Format(time.DateOnly),
	}
}

func system() string {
	name := cmp.Or(strings.Trim(named("/etc/os-release", "PRETTY_NAME", "="), `"`), runtime.GOOS)
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		name += ", Linux " + strings.TrimSpace(string(kernel))
	}
	return name
}

// named returns what a file says of name, "" if there is no such file or line.
func named(file, name, separator string) string {
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

// redisProgram is the server that the rows start.
func redisProgram() string {
	return cmp.Or(os.Getenv("PUNCTUAL_TEST_REDIS_SERVER"), "redis-server")
}

var versionOfRedis = regexp.MustCompile(`^(\S+) .*\bv=(\S+)`)

// redisVersion is the version of redisProgram; another server than Redis is named.
func redisVersion() string {
	out, err := exec.Command(redisProgram(), "--version").Output()
	if err != nil {
		return ""
	}
	found := versionOfRedis.FindStringSubmatch(string(out))
	switch {
	case found == nil:
		return ""
	case found[1] == "Redis":
		return found[2]
	}
	return found[1] + " " + found[2]
}
