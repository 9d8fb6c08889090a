package ui

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

// redisData is what the page Redis shows.
type redisData struct {
	Queue    string
	Queues   []string
	Told     bool
	Problems []queue.Problem // that keep this process from its work
	Sections []section
	Slow     []queue.SlowScript
	NoSlow   bool // the slow log could not be read
	Unknown  []fact
}

type section struct {
	Title string
	Facts []redisFact
}

type redisFact struct {
	Name, Value string
	Warn        string // what is wrong with it, and what to do; ""
}

// redis answers GET /ui/redis.
func (u *ui) redis(v *visit) error {
	all, name, err := v.queues()
	if err != nil {
		return err
	}
	d := redisData{Queue: name, Queues: namesOf(all)}
	var info queue.ServerInfo
	err = together(
		func() (err error) { info, err = u.Queue.Server(v.ctx, cmp.Or(name, queue.DefaultQueue)); return err },
		func() error { d.Problems = u.Queue.Health(v.ctx); return nil },
	)
	if v.told(err) {
		d.tell(info)
		d.Slow = slices.DeleteFunc(info.Slow, func(s queue.SlowScript) bool { return !v.caller.Sees(s.Queue) })
	}
	return v.show("redis", "Redis", cmp.Or(info.Now, clockOf(all)), d)
}

// tell puts what Redis says of itself into words.
func (d *redisData) tell(info queue.ServerInfo) {
	d.Told = true
	for _, name := range slices.Sorted(maps.Keys(info.Unknown)) {
		d.Unknown = append(d.Unknown, fact{name, info.Unknown[name]})
	}
	_, d.NoSlow = info.Unknown["slowlog"]
	if _, untold := info.Unknown["info"]; untold { // nothing but zeros
		return
	}
	d.Sections = []section{
		{"Server", []redisFact{{"Version", strings.TrimSpace(info.Product + " " + info.Version), ""}, {"Mode", info.Mode, ""},
			roleFact(info), {"Up for", span(info.Uptime), ""}, {"Round trip", span(info.RoundTrip), ""}, skewFact(info)}},
		{"Memory", []redisFact{memoryFact(info), {"At its peak", byteCount(info.MemoryPeak), ""}, policyFact(info),
			{"Fragmentation", fmt.Sprintf("%.2f", info.Fragmentation), ""}, evictedFact(info)}},
		{"Persistence", append(diskFacts(info), saveFact(info))},
		{"Traffic", []redisFact{{"Commands", count(info.CommandsPerSecond) + " per second", ""}, {"Clients", count(info.Clients), ""},
			{"Replicas", count(info.Replicas), ""}}},
	}
}

func roleFact(info queue.ServerInfo) redisFact {
	f := redisFact{Name: "Role", Value: info.Role}
	if info.Role == "replica" {
		f.Warn = "A replica takes no changes: REDIS_URL must name the primary."
	}
	return f
}

func skewFact(info queue.ServerInfo) redisFact {
	f := redisFact{Name: "Its clock", Value: "as ours"}
	if skew := info.Skew.Abs(); skew > max(info.RoundTrip, 100*time.Millisecond) {
		f.Value = span(skew) + map[bool]string{true: " ahead of ours", false: " behind ours"}[info.Skew > 0]
		if skew > 2*time.Second {
			f.Warn = "Due times go by the clock of Redis: let NTP set both clocks."
		}
	}
	return f
}

func memoryFact(info queue.ServerInfo) redisFact {
	f := redisFact{Name: "Used", Value: byteCount(info.MemoryUsed)}
	if info.MemoryMax > 0 {
		part := 100 * info.MemoryUsed / info.MemoryMax
		f.Value += fmt.Sprintf(" of %s (%d %%)", byteCount(info.MemoryMax), part)
		if part >= 90 {
			f.Warn = "Almost full: at maxmemory new jobs are refused. Raise maxmemory, or purge what is dead."
		}
	}
	return f
}

func policyFact(info queue.ServerInfo) redisFact {
	f := redisFact{Name: "When full", Value: info.Policy}
	if info.Policy != "" && info.Policy != "noeviction" {
		f.Warn = "This policy drops keys, and jobs with them: set maxmemory-policy noeviction."
	}
	return f
}

func evictedFact(info queue.ServerInfo) redisFact {
	f := redisFact{Name: "Keys evicted", Value: count(int(info.Evicted))}
	if info.Evicted > 0 {
		f.Warn = "Redis has dropped keys for want of memory; jobs may be lost. punctual audit tells."
	}
	return f
}

func diskFacts(info queue.ServerInfo) []redisFact {
	if !info.AOF {
		return []redisFact{{"Append-only file", "off", "A crash of Redis loses all since the last snapshot: set appendonly yes."}}
	}
	f := redisFact{Name: "Append-only file", Value: strings.TrimSpace("on, fsync " + info.Fsync)}
	if info.Fsync == "" {
		f.Value = "on"
	}
	if info.Fsync == "no" {
		f.Warn = "The operating system decides when to write: a crash of the machine may lose half a minute of jobs."
	}
	if info.LastAOFFailed {
		f.Warn = "The last write to it failed: look at the disk of Redis."
	}
	return []redisFact{f}
}

func saveFact(info queue.ServerInfo) redisFact {
	f := redisFact{Name: "Last snapshot", Value: "none"}
	if m := when(info.LastSave, cmp.Or(info.Now, time.Now())); m != nil {
		f.Value = m.Words
	}
	if info.LastSaveFailed {
		f.Warn = "It failed: look at the disk of Redis."
	}
	return f
}
