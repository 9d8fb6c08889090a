package queue

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// SlowScript is an entry of the slow log.
type SlowScript struct {
	At     time.Time // to the second
	Took   time.Duration
	Script string // its name in queue/lua; "" for another command, which may be one that a script has called
	Queue  string // "" for none
	Text   string // the command, cut to 100 bytes; of one that is not about a queue only its name, for its arguments are not ours to show
}

// mostSlowRead is how many entries of the slow log are looked at: all that Redis keeps by default. Of these mostSlow are told.
const mostSlowRead, mostSlow = 128, 20

// slowScripts takes what is about queues before the rest, the latest first.
func slowScripts(entries []redis.SlowLog) []SlowScript {
	var ours, others []SlowScript
	for _, e := range entries {
		if s := slowScript(e); s.Queue != "" {
			ours = append(ours, s)
		} else {
			others = append(others, s)
		}
	}
	ours = ours[:min(len(ours), mostSlow)]
	all := append(ours, others[:min(len(others), mostSlow-len(ours))]...)
	slices.SortStableFunc(all, func(a, b SlowScript) int { return b.At.Compare(a.At) })
	return all
}

func slowScript(e redis.SlowLog) SlowScript {
	s := SlowScript{At: e.Time, Took: e.Duration}
	if len(e.Args) == 0 {
		return s
	}
	command, rest := strings.ToUpper(e.Args[0]), e.Args[1:]
	s.Text = cut(command, 100)
	if strings.HasPrefix(command, "EVAL") && len(rest) > 2 {
		for _, known := range loaded {
			if rest[0] == known.sha || rest[0] == shortened(known.source) {
				s.Script, rest = known.name, append([]string{known.name}, rest[2:]...)
				break
			}
		}
	}
	for _, word := range rest[:min(len(rest), 2)] {
		s.Queue = cmp.Or(s.Queue, queueOf(word))
	}
	if s.Queue != "" {
		s.Text = cut(command+" "+strings.Join(rest, " "), 100)
	}
	return s
}

// shortened is a script's source as the slow log keeps it.
func shortened(source string) string {
	const kept = 128
	if len(source) <= kept {
		return source
	}
	return fmt.Sprintf("%s... (%d more bytes)", source[:kept], len(source)-kept)
}
