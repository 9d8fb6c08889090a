package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// machine is where the figures come from. What cannot be found out is empty.
type machine struct {
	CPU    string // model
	Cores  int
	Memory string
	OS     string // with its kernel
	Go     string
	Redis  string
	Asynq  string
	Client string // go-redis
	Date   string
}

func thisMachine() machine {
	return machine{
		CPU:    cpuModel(),
		Cores:  runtime.NumCPU(),
		Memory: memory(),
		OS:     system(),
		Go:     strings.TrimPrefix(runtime.Version(), "go"),
		Redis:  redisVersion(),
		Asynq:  moduleVersion("github.com/hibiken/asynq"),
		Client: moduleVersion("github.com/redis/go-redis/v9"),
		Date:   time.Now().UTC().Format(time.DateOnly),
	}
}

func cpuModel() string {
	return strings.TrimSpace(named("/proc/cpuinfo", "model name", ":") + " (" + runtime.GOARCH + ")")
}

func memory() string {
	kB, err := strconv.ParseFloat(strings.TrimSuffix(named("/proc/meminfo", "MemTotal", ":"), " kB"), 64)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%.1f GiB", kB/(1<<20))
}

func system() string {
	name := strings.Trim(named("/etc/os-release", "PRETTY_NAME", "="), `"`)
	if name == "" {
		name = runtime.GOOS
	}
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

var versionOfRedis = regexp.MustCompile(`\bv=(\S+)`)

func redisVersion() string {
	out, err := exec.Command("redis-server", "--version").Output()
	if err != nil {
		return ""
	}
	if found := versionOfRedis.FindSubmatch(out); found != nil {
		return string(found[1])
	}
	return ""
}

// moduleVersion is the version of a module that this program was built with.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return strings.TrimPrefix(m.Version, "v")
		}
	}
	return ""
}
