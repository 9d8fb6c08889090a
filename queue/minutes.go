package queue

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

var minutesScript = loadScript("minutes")

// Minute is what happened in a queue in one minute by the clock of Redis.
type Minute struct {
	Start    time.Time
	Counters map[string]int64 // by how much the counters of Overview.Counters grew: enqueued, claimed, done, retried, dead, ...
	Late     []int64          // claims by lateness: Late[i] were at most LatenessBounds[i] late, and more than the bound before; the last are later than all
}

// Lateness estimates the p-quantile (0.5, 0.99) of the lateness of the minute's claims: the upper bound of its bucket, and of the last,
// which has none, the lower one; false if nothing was claimed.
func (m Minute) Lateness(p float64) (time.Duration, bool) {
	total := int64(0)
	for _, n := range m.Late {
		total += n
	}
	rank := max(1, min(int64(math.Ceil(p*float64(total))), total))
	for i, n := range m.Late {
		if rank -= n; rank <= 0 && n > 0 {
			return LatenessBounds[min(i, len(LatenessBounds)-1)], true
		}
	}
	return 0, false
}

// LatenessBounds are the upper bounds of the buckets of Minute.Late but the last, which has none.
var LatenessBounds = []time.Duration{5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute}

// latenessFields are the counters of these buckets in stats, which Overview.Counters has not.
var latenessFields = func() []string {
	fields := make([]string, 0, len(LatenessBounds)+1)
	for _, bound := range LatenessBounds {
		fields = append(fields, latenessPrefix+strconv.FormatInt(bound.Milliseconds(), 10))
	}
	return append(fields, latenessPrefix+"more")
}()

const latenessPrefix = "late_"

// mostMinutes is how many minutes are kept: those of a day.
const mostMinutes = 1440

// Minutes returns the last minutes of a queue, at most 1440, oldest first and without gaps, the present one last and unfinished.
// Heartbeats tell the minutes apart, so what is counted within one interval of the turn may be in the minute before; what was counted
// while no process sent any is in the last minute in which one did.
func (c *Client) Minutes(ctx context.Context, queue string, last int) ([]Minute, error) {
	switch {
	case !isQueueName(queue):
		return nil, errQueueName
	case last < 1 || last > mostMinutes:
		return nil, &InvalidError{"minutes", "must be between 1 and 1440"}
	}
	k := keysOf(queue)
	words, err := c.look(ctx, &call{script: minutesScript, keys: []string{k.minutes(), k.stats(), k.meta()}, args: []any{last}})
	if err != nil {
		return nil, err
	}
	if len(words) < 6 || words[0] != "ok" {
		return nil, fmt.Errorf("%w: script minutes answered %d words", ErrUnavailable, len(words))
	}
	present := millis(words[1]) / time.Minute.Milliseconds()
	all := make([]Minute, last)
	for i := range all {
		start := time.UnixMilli((present - int64(last-1-i)) * time.Minute.Milliseconds())
		all[i] = Minute{Start: start, Counters: map[string]int64{}, Late: make([]int64, len(latenessFields))}
	}
	grew := func(minute string, counters map[string]int64) {
		n, err := strconv.ParseInt(minute, 10, 64)
		if i := n - present + int64(last) - 1; err == nil && 0 <= i && i < int64(last) {
			all[i].add(counters)
		}
	}
	for _, line := range words[6:] {
		minute, counters, _ := strings.Cut(line, " ")
		grew(minute, readCounters(counters))
	}
	if words[5] == "1" { // what nobody has put into the ring yet
		grew(words[2], growth(readCounters(words[3]), readCounters(words[4])))
	}
	return all, nil
}

// add counts growth.
func (m *Minute) add(counters map[string]int64) {
	for name, n := range counters {
		if i := slices.Index(latenessFields, name); i >= 0 {
			m.Late[i] += n
		} else {
			m.Counters[name] += n
		}
	}
}

// readCounters reads name=value …; what makes no sense is left out.
func readCounters(text string) map[string]int64 {
	counters := map[string]int64{}
	for _, word := range strings.Fields(text) {
		name, value, _ := strings.Cut(word, "=")
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && n >= 0 && n <= farthest {
			counters[name] = n
		}
	}
	return counters
}

// growth is by how much each counter is bigger now.
func growth(before, now map[string]int64) map[string]int64 {
	grown := maps.Clone(now)
	for name := range grown {
		grown[name] -= before[name]
	}
	maps.DeleteFunc(grown, func(_ string, n int64) bool { return n <= 0 })
	return grown
}
