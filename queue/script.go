package queue

import (
	"context"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/*.lua
var luaFiles embed.FS

// script is one Lua file with the prologue before it.
type script struct {
	name, source, sha string
}

func loadScript(name string) script {
	read := func(n string) string {
		b, err := luaFiles.ReadFile("lua/" + n + ".lua")
		if err != nil {
			panic(err) // embedded at build time: it cannot be missing
		}
		return string(b)
	}
	source := read("prologue") + read(name)
	sum := sha1.Sum([]byte(source))
	return script{name, source, hex.EncodeToString(sum[:])}
}

// call is one script with its keys and arguments, and its reply.
type call struct {
	script script
	keys   []string
	args   []any
	resent func(args []any) // adapts the arguments when the call is sent again, after the others of its pipeline
	cmd    *redis.Cmd
	sent   bool // the last time it was sent, it may have left this process
}

// run sends the calls in one pipeline. A script that Redis does not know is not run; just those calls are sent again with
// their source. The reply of each, or its error, is in cmd; run itself returns nothing.
func (l *line) run(ctx context.Context, calls ...*call) {
	l.send(ctx, calls, "EVALSHA", func(s script) string { return s.sha })
	var unknown []*call
	for _, x := range calls {
		if err := x.cmd.Err(); err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") {
			if x.resent != nil {
				x.resent(x.args)
			}
			unknown = append(unknown, x)
		}
	}
	if len(unknown) > 0 {
		l.send(ctx, unknown, "EVAL", func(s script) string { return s.source })
	}
}

func (l *line) send(ctx context.Context, calls []*call, command string, body func(script) string) {
	l.sent.Store(false)
	cmds := make([]*redis.Cmd, len(calls))
	for i, x := range calls {
		args := make([]any, 0, 3+len(x.keys)+len(x.args))
		args = append(args, command, body(x.script), len(x.keys))
		for _, k := range x.keys {
			args = append(args, k)
		}
		cmds[i] = redis.NewCmd(ctx, append(args, x.args...)...)
		x.cmd = cmds[i]
	}
	if len(calls) == 1 {
		_ = l.Process(ctx, cmds[0]) // the error is in the command
	} else {
		pipe := l.Pipeline()
		for _, cmd := range cmds {
			_ = pipe.Process(ctx, cmd)
		}
		_, _ = pipe.Exec(ctx)
	}
	for _, x := range calls { // of these alone: some may be sent again, and the line forgets
		x.sent = l.sent.Load()
	}
}

// words returns the reply of a call as words, or one of the errors of errors.go.
func (x *call) words() ([]string, error) {
	// A reply that came counts: go-redis gives the error of a lost one to all of its pipeline.
	values, _ := x.cmd.Val().([]any)
	if err := x.cmd.Err(); err != nil && values == nil {
		return nil, classify(err, x.sent)
	}
	if values == nil {
		return nil, fmt.Errorf("script %s: reply is %T, not a list", x.script.name, x.cmd.Val())
	}
	words := make([]string, len(values))
	for i, v := range values {
		switch w := v.(type) {
		case string:
			words[i] = w
		case int64:
			words[i] = strconv.FormatInt(w, 10)
		case nil:
		default:
			return nil, fmt.Errorf("script %s: word %d of the reply is %T", x.script.name, i, v)
		}
	}
	return words, nil
}

// millis reads a number of ms as Redis writes it; scores may come as floats. What is no number is 0, and what is too far
// away for a time.Time (a foreign score of +inf, say) stays far away: 0 would be due now, for ever.
func millis(word string) int64 {
	f, err := strconv.ParseFloat(word, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || f != f {
		return 0
	}
	return int64(max(-farthest, min(f, farthest)))
}

const farthest = 1 << 53 // ms: 285,000 years, and no whole number below is lost to a float
