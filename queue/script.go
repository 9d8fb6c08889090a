package queue

import (
	"context"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"errors"
	"regexp"
	"slices"
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
	body := readLua(name)
	source := helpersFor(body) + body
	sum := sha1.Sum([]byte(source))
	s := script{name, source, hex.EncodeToString(sum[:])}
	loaded[name] = s
	return s
}

func readLua(name string) string {
	b, err := luaFiles.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // embedded at build time: it cannot be missing
	}
	return string(b)
}

var loaded = map[string]script{}

// ScriptSHAs returns the SHA1 of each script by its name: by it MONITOR and SLOWLOG name a script that runs.
func ScriptSHAs() map[string]string {
	shas := map[string]string{}
	for name, s := range loaded {
		shas[name] = s.sha
	}
	return shas
}

// helper is one block of the prologue.
type helper struct {
	text string
	name *regexp.Regexp
}

// helpers are the blocks of the prologue, in order.
var helpers = func() (all []helper) {
	named := regexp.MustCompile(`(?m)^local (?:function )?(\w+)`)
	for _, text := range strings.Split(strings.TrimSpace(readLua("prologue")), "\n\n") {
		if name := named.FindStringSubmatch(text); name != nil {
			all = append(all, helper{text, regexp.MustCompile(`\b` + name[1] + `\b`)})
		}
	}
	return all
}()

// helpersFor returns those helpers that body uses, and those that these use: each costs every call.
func helpersFor(body string) string {
	used, kept := body, ""
	for _, h := range slices.Backward(helpers) { // a helper uses only those before it
		if h.name.MatchString(used) {
			used += h.text
			kept = h.text + "\n\n" + kept
		}
	}
	return kept
}

// call is one script with its keys and arguments, and its reply.
type call struct {
	script script
	keys   []string
	args   []any
	resent func(args []any) // adapts the arguments when the call is sent again, after the others of its pipeline
	cmd    *redis.StringSliceCmd
	sent   bool       // the last time it was sent, it may have left this process
	waited *redis.Cmd // the wait that followed it then; nil: none
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
	for _, x := range calls {
		args := make([]any, 0, 3+len(x.keys)+len(x.args))
		args = append(args, command, body(x.script), len(x.keys))
		for i := range x.keys {
			args = append(args, &x.keys[i])
		}
		x.cmd = redis.NewStringSliceCmd(ctx, append(args, x.args...)...)
	}
	if l.only == nil {
		l.deliver(ctx, parcelsOf(calls))
		return
	}
	var sent bool
	waited := l.wait.command(ctx, l.client.timeout)
	if len(calls) == 1 && waited == nil {
		sent = l.only.exchange(ctx, calls[0].cmd)
	} else {
		cmds := make([]redis.Cmder, len(calls), len(calls)+1)
		for i, x := range calls {
			cmds[i] = x.cmd
		}
		if waited != nil {
			cmds = append(cmds, waited)
		}
		sent = l.only.exchange(ctx, cmds...)
	}
	for _, x := range calls { // of these alone: some may be sent again, and the node forgets
		x.sent, x.waited = sent, waited
		l.only.learn(x.cmd.Err())
	}
}

func parcelsOf(calls []*call) []*parcel {
	parcels := make([]*parcel, len(calls))
	for i, x := range calls {
		parcels[i] = &parcel{cmd: x.cmd, slot: slotOf(x.keys[0]), sent: &x.sent, waited: &x.waited, again: x.again}
	}
	return parcels
}

// again adapts the call to being sent again.
func (x *call) again() {
	if x.resent != nil {
		x.resent(x.args)
		copy(x.cmd.Args()[3+len(x.keys):], x.args)
	}
}

// words returns the reply of a call as words, or one of the errors of errors.go.
func (x *call) words() ([]string, error) {
	words, err := x.cmd.Val(), x.cmd.Err()
	// A reply that came counts: go-redis gives the error of a lost one to all of its pipeline. Of one that was cut off the
	// last word is missing, and no script that shares a pipeline has an empty one there.
	if n := len(words); err != nil && (n == 0 || words[n-1] == "") {
		return nil, classify(err, x.sent)
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
