package faults

import (
	"cmp"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"

	from "github.com/punctualq/punctual/integration/machine"
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
		CPU:   from.CPU(),
		Cores: runtime.NumCPU(),
		OS:    from.System(),
		Go:    strings.TrimPrefix(runtime.Version(), "go"),
		Redis: redisVersion(),
		Date:  time.Now().UTC().Format(time.DateOnly),
	}
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
