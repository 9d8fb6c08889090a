package queue_test

import (
	"fmt"
	"maps"
	"strconv"
)

// turn is what the first heartbeat of a minute keeps: what the counters are, and by how much they grew in the minute before.
func (m *model) turn(minute string) {
	before := m.meta["minute"]
	if before == minute {
		return
	}
	m.meta["minute"] = minute
	var counters []string
	grown := []string{before}
	for name, n := range m.stats {
		if n > 0 {
			counters = append(counters, fmt.Sprintf("%s=%d", name, n))
		}
		if more := n - m.counted[name]; more > 0 {
			grown = append(grown, fmt.Sprintf("%s=%d", name, more))
		}
	}
	m.minutes["last"], m.counted = sorted(counters), maps.Clone(m.stats)
	if n, err := strconv.Atoi(before); err == nil && len(grown) > 1 {
		m.minutes[strconv.Itoa(n%1440)] = sorted(grown)
	}
}

// minutePasses has another hand say that the last heartbeat was minutes ago.
func (m *model) minutePasses() {
	n, _ := strconv.Atoi(m.meta["minute"])
	m.meta["minute"] = strconv.Itoa(n - m.number("minutes", 1, 3))
	m.aside(func() { m.do("HSET", k("meta"), "minute", m.meta["minute"]) })
}
