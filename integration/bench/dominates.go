package main

import "fmt"

// costRow says where the time of one job went, for one side of one case.
type costRow struct{ What, Side, Wall, Redis, Process, Cores, Most string }

// process names the CPU of the process that is measured, and of another one that is only needed for measuring.
var process = map[string][2]string{
	"enqueue": {producerCPU, ""},
	"drain":   {workerCPU, ""},
	"workers": {workerCPU, ""},
	"http":    {"server CPU (µs a request)", "client CPU (µs a request)"},
}

// costs compares the CPU of Redis and of the process with the time that passed, for the cases at full speed.
func costs(language string, cores int, lines []line) (rows []costRow) {
	for _, l := range lines {
		names, ok := process[l.Case]
		if !ok {
			continue
		}
		for _, side := range sides {
			rate, ok := l.rate(side)
			if !ok || rate <= 0 {
				continue
			}
			s := shares{wall: 1e6 / rate, cores: cores}
			s.redis, s.hasRedis = l.further(redisCPU, side)
			s.redis *= 10 // s per 100,000 are 10 µs each
			own, ok := l.further(names[0], side)
			if !ok {
				continue
			}
			other, _ := l.further(names[1], side)
			if l.Case != "http" {
				own *= 10
			}
			s.own, s.other = own, other
			row := costRow{What: l.Case + " " + l.Param, Side: sideName(side).in(language), Wall: grouped(s.wall), Redis: "–",
				Process: grouped(s.own), Cores: grouped(s.busy()), Most: s.most().in(language)}
			if s.hasRedis {
				row.Redis = grouped(s.redis)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// rate is jobs per second: what the case measures, or a further figure of it.
func (l line) rate(side string) (float64, bool) {
	if v, ok := l.further("jobs/s", side); ok {
		return v, true
	}
	v := map[string]*float64{us: l.Us, asynq: l.Asynq, hand: l.Hand}[side]
	if v == nil {
		return 0, false
	}
	return *v, true
}

func sideName(side string) words {
	switch side {
	case us:
		return same("Punctual")
	case asynq:
		return same("Asynq")
	}
	return words{"hand", "手書き"}
}

// shares are µs per job.
type shares struct {
	wall, redis, own, other float64
	hasRedis                bool
	cores                   int
}

// busy is the number of cores that were busy all the time.
func (s shares) busy() float64 { return (s.redis + s.own + s.other) / s.wall }

// full is the share from which on something counts as busy all the time.
const full = 0.85

func (s shares) most() words {
	switch {
	case s.redis >= full*s.wall:
		return words{"Redis: its one thread is full", "Redis（一つしかないスレッドが埋まっている）"}
	case s.cores > 0 && s.busy() >= full*float64(s.cores):
		return words{fmt.Sprintf("the machine: its cores (%d) are full", s.cores), fmt.Sprintf("マシン（%d コアが埋まっている）", s.cores)}
	case s.busy() < 0.5:
		return words{"waiting", "待ち時間"}
	case s.redis > s.own:
		return words{"CPU of Redis, which is not full", "Redis の CPU（埋まってはいない）"}
	}
	return words{"CPU of the process", "プロセスの CPU"}
}
