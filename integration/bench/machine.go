package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	from "github.com/punctualq/punctual/integration/machine"
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
		CPU:    from.CPU(),
		Cores:  runtime.NumCPU(),
		Memory: memory(),
		OS:     from.System(),
		Go:     strings.TrimPrefix(runtime.Version(), "go"),
		Redis:  redisVersion(),
		Asynq:  moduleVersion("github.com/hibiken/asynq"),
		Client: moduleVersion("github.com/redis/go-redis/v9"),
		Date:   time.Now().UTC().Format(time.DateOnly),
	}
}

func memory() string {
	kB, err := strconv.ParseFloat(strings.TrimSuffix(from.Named("/proc/meminfo", "MemTotal", ":"), " kB"), 64)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%.1f GiB", kB/(1<<20))
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
