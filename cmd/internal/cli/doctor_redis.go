package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

const (
	pings      = 20
	slowMedian = 5 * time.Millisecond
	slowPing   = 100 * time.Millisecond
	mostSkew   = time.Second
)

// latency is false if Redis does not answer.
func (x *examination) latency(ctx context.Context) bool {
	took := make([]time.Duration, 0, pings)
	for range pings {
		d, err := x.Ping(ctx, queue.DefaultQueue)
		if err != nil {
			x.bad("redis", "start it, or set REDIS_URL", "the one at %s does not answer: %s", x.settings.RedisHost, err)
			return false
		}
		took = append(took, d)
	}
	x.ok("redis", "the one at %s answers", x.settings.RedisHost)
	slices.Sort(took)
	median, longest := took[pings/2], took[pings-1]
	says := fmt.Sprintf("%s in the median, %s at most, of %d pings", inMillis(median), inMillis(longest), pings)
	if median > slowMedian || longest > slowPing {
		x.warn("latency", "put Redis near its clients, and look at its slow log and its machine", "%s", says)
	} else {
		x.ok("latency", "%s", says)
	}
	return true
}

func inMillis(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

// redis asks each server that holds queues what it is; without a Cluster that is one.
func (x *examination) redis(ctx context.Context) {
	names, err := x.Queues(ctx)
	if err != nil || len(names) == 0 {
		names = []string{queue.DefaultQueue}
	}
	slices.Sort(names)
	for _, name := range names {
		s, err := x.Server(ctx, name)
		if err != nil {
			x.bad("redis", "try again; if it stays, look at its log", "it does not say what it is: %s", err)
			break
		}
		x.version(s)
		x.persistence(s)
		x.memory(s)
		x.clock(s)
		if s.Mode != "cluster" {
			break
		}
	}
	x.health(ctx)
}

func (x *examination) version(s queue.ServerInfo) {
	numbers := strings.SplitN(s.Version, ".", 3)
	major, err := strconv.Atoi(numbers[0])
	minor := 0
	if len(numbers) > 1 {
		minor, _ = strconv.Atoi(numbers[1])
	}
	says := fmt.Sprintf("%s %s, %s, up for %s", s.Product, s.Version, s.Mode, s.Uptime.Round(time.Second))
	switch {
	case err != nil:
		x.warn("version", "permit INFO to its user", "it does not tell its version")
	case major < 6 || major == 6 && minor < 2:
		x.bad("version", "upgrade it to 7 or newer", "%s: older than 6.2, on which nothing was tested", says)
	case major < 7:
		x.warn("version", "upgrade it to 7 or newer", "%s: it cannot say what its user may do", says)
	default:
		x.ok("version", "%s", says)
	}
}

func (x *examination) persistence(s queue.ServerInfo) {
	const about = "persistence"
	if s.LastSaveFailed || s.LastAOFFailed {
		x.bad(about, "look at its disk and its log", "its last save failed: what came since is in memory alone")
	}
	switch {
	case s.Unknown["info"] != "":
		x.warn(about, "permit INFO to its user", "it does not tell how it saves")
	case !s.AOF:
		since := "all of it"
		if !s.LastSave.IsZero() && !s.Now.IsZero() {
			since = "what came in the last " + s.Now.Sub(s.LastSave).Round(time.Second).String()
		}
		x.warn(about, "CONFIG SET appendonly yes, and in its configuration file", "the append-only file is off: a crash of Redis now would lose %s", since)
	case s.Fsync == "no":
		x.warn(about, "CONFIG SET appendfsync everysec, and in its configuration file", "append-only file, synced when the kernel likes: a crash of the machine loses about 30 s")
	case s.Fsync == "always":
		x.ok(about, "append-only file, synced at each write: a crash loses nothing that was answered")
	case s.Fsync == "everysec":
		x.ok(about, "append-only file, synced every second: a crash of the machine loses about the last second")
	default:
		x.ok(about, "append-only file; how often it is synced is not told")
	}
}

func (x *examination) memory(s queue.ServerInfo) {
	switch {
	case s.Policy == "noeviction":
		x.ok("eviction", "noeviction")
	case s.Policy == "":
		x.warn("eviction", "look yourself that maxmemory-policy is noeviction", "it does not tell its policy")
	default:
		x.bad("eviction", "CONFIG SET maxmemory-policy noeviction, and in its configuration file", "maxmemory-policy is %s: Redis may delete jobs when memory is short", s.Policy)
	}
	if s.Evicted > 0 {
		x.warn("eviction", "punctual audit", "it has deleted %d keys for want of memory since its start: look whether jobs were among them", s.Evicted)
	}
	switch used := inMegabytes(s.MemoryUsed); {
	case s.MemoryMax == 0:
		x.ok("memory", "%s used; maxmemory is not set, so the machine is the limit", used)
	case s.MemoryUsed*10 > s.MemoryMax*8:
		x.warn("memory", "raise maxmemory, drain or purge a queue, or keep fewer dead jobs (DEAD_MAX)", "%s used of %s", used, inMegabytes(s.MemoryMax))
	default:
		x.ok("memory", "%s used of %s", used, inMegabytes(s.MemoryMax))
	}
}

func inMegabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

func (x *examination) clock(s queue.ServerInfo) {
	switch skew := s.Skew.Abs(); {
	case s.Now.IsZero():
		x.warn("clock", "permit TIME to its user", "it does not tell the time")
	case skew > mostSkew+s.RoundTrip/2:
		x.warn("clock", "let NTP set both clocks", "Redis' clock is %s from this machine's: jobs with a fixed time follow Redis'", skew.Round(10*time.Millisecond))
	default:
		x.ok("clock", "within %s of this machine's", max(time.Millisecond, (skew+s.RoundTrip/2).Round(time.Millisecond)))
	}
}

// health is what Redis says to a write that changes nothing, and what it permits.
func (x *examination) health(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	well := true
	for _, p := range x.Health(ctx) {
		if p.Code != "redis-evicting" { // told already
			well = false
			x.bad("writes", "see docs/en/Operations.md for "+p.Code, "%s", p.Reason)
		}
	}
	if well {
		x.ok("writes", "Redis takes them, and its user may do all that is needed")
	}
}
