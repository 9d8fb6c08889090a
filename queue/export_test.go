package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// What tests outside the package look at.

// Tests say by Options.Timeout when they mean a lost reply; else a machine may take its time.
func init() { exchangeTimeout = time.Minute }

var DecodeJob = decodeJob

// Waiting is how many jobs wait for the next flush, and how many flushes are under way.
func (c *Client) Waiting() (waiting, flushing int) {
	for _, l := range c.lanes.all() {
		l.combine.mu.Lock()
		waiting += len(l.combine.waiting)
		if l.combine.flushing {
			flushing++
		}
		l.combine.mu.Unlock()
	}
	return waiting, flushing
}

// AuditCodes are the codes of all findings.
func AuditCodes() []string { return slices.Sorted(maps.Keys(verdicts)) }

// LookAt runs the script audit in each of its modes, and gives its error as it is.
func (c *Client) LookAt(ctx context.Context, queue, worker string, ids ...string) error {
	a := newAuditor(c, queue, AuditOptions{})
	var errs []error
	for _, mode := range []string{"ids", "records", "totals"} {
		_, err := a.look(ctx, mode, []string{worker}, ids)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Repair runs the script repair on one id, with the list of one worker, and returns its reply.
func (c *Client) Repair(ctx context.Context, queue, id, worker string) ([]string, error) {
	return c.askOne(ctx, repairCall(keysOf(queue), id, "", []string{worker}))
}

// Tidy runs the script tidy, and returns its reply.
func (c *Client) Tidy(ctx context.Context, queue, what, name, value string) ([]string, error) {
	return c.askOne(ctx, tidyCall(keysOf(queue), &Finding{Code: what, subject: name, value: value}))
}

// RedriveOf runs the script redrive on one job, if it died then, and returns its reply; PurgeOf purge on ids and scores; EditOf edit.
func (c *Client) RedriveOf(ctx context.Context, queue, id, score string) ([]string, error) {
	return c.askOne(ctx, redriveCall(keysOf(queue), "", []sighted{{position: position{id: id, score: score}}}))
}

// RedriveIn and PurgeIn are the same of one dead job, if it is in that group.
func (c *Client) RedriveIn(ctx context.Context, queue, group, id, score string) ([]string, error) {
	return c.askOne(ctx, redriveCall(keysOf(queue), group, []sighted{{position: position{id: id, score: score}}}))
}

func (c *Client) PurgeIn(ctx context.Context, queue, group, id, score string) ([]string, error) {
	return c.askOne(ctx, purgeCall(keysOf(queue), Dead, group, []sighted{{position: position{id: id, score: score}}}))
}

func (c *Client) PurgeOf(ctx context.Context, queue string, state State, pairs ...string) ([]string, error) {
	var jobs []sighted
	for pair := range slices.Chunk(pairs, 2) {
		jobs = append(jobs, sighted{position: position{id: pair[0], score: pair[1]}})
	}
	return c.askOne(ctx, purgeCall(keysOf(queue), state, "", jobs))
}

func (c *Client) EditOf(ctx context.Context, queue, id, was, record string) ([]string, error) {
	return c.askOne(ctx, editCall(keysOf(queue), id, was, record))
}

// CancelKnowing is the reply of the script cancel to one who knows only of these workers.
func CancelKnowing(ctx context.Context, c *Client, queue, id string, workers ...string) string {
	words, err := c.askOne(ctx, cancelCall(keysOf(queue), id, workers))
	if err != nil {
		return err.Error()
	}
	return words[0]
}

// OrderIn is Quiet or Stop of a worker whose queue is known: in tests many queues have a worker of that name.
func (c *Client) OrderIn(ctx context.Context, queue, worker, order string) error {
	return c.orderIn(ctx, queue, worker, order)
}

// Watch calls see before each script that this client and link send, with what they send; calls by pointer are resolved.
func Watch(c *Client, l *Link, see func(name, source string, keysAndArgs []any)) {
	for _, line := range []*line{c.ask, c.lanes.only[0].line, c.lanes.only[1].line, l.bulk, l.beat, l.pop, l.orders} {
		line.only.AddHook(watcher(func(cmd redis.Cmder) {
			args := cmd.Args()
			if fmt.Sprint(args[0]) != "EVALSHA" {
				return
			}
			var rest []any
			for _, arg := range args[2:] {
				if text, ok := arg.(*string); ok {
					arg = *text
				}
				rest = append(rest, arg)
			}
			for _, s := range loaded {
				if s.sha == args[1] {
					see(s.name, s.source, rest)
				}
			}
		}))
	}
}

type watcher func(redis.Cmder)

func (watcher) DialHook(next redis.DialHook) redis.DialHook { return next }

func (w watcher) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { w(cmd); return next(ctx, cmd) }
}

func (w watcher) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			w(cmd)
		}
		return next(ctx, cmds)
	}
}

// ScriptSources returns what Redis gets of each script.
func ScriptSources() map[string]string {
	all := map[string]string{}
	for name, s := range loaded {
		all[name] = s.source
	}
	return all
}

// SlowScripts reads a slow log.
var SlowScripts = slowScripts

// KeysWithoutMeaning are those keys of every queue of which KeysInUse could not say what they are.
func KeysWithoutMeaning() (unknown []string) {
	k := keysOf("q")
	for key := range k.types() {
		if name := strings.TrimPrefix(key, k.prefix); whatKeys[name] == "" {
			unknown = append(unknown, name)
		}
	}
	return unknown
}
