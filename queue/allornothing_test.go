package queue_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// More of what scripts do than every_redis_test.go has: each place of each script that calls a command must be reached.
var rareScenarios = []scenario{
	{"enqueue into a long queue, some twice", func(r *rig) { r.at(time.Hour); r.dropToken() }, func(r *rig, _ bool) {
		jobs := make([]queue.NewJob, 40)
		for i := range jobs {
			jobs[i] = queue.NewJob{ID: fmt.Sprint("id", i%30), Queue: r.name}
		}
		for range 2 {
			_, _ = r.client.EnqueueMany(r.Context(), jobs)
		}
	}},
	{"enqueue into a bounded queue", func(r *rig) { r.bounded(1) }, func(r *rig, _ bool) {
		r.put(queue.NewJob{})
	}},
	{"settle out of order", func(r *rig) { r.register("w"); r.putNow(5); r.take("w", 5); r.dropToken() }, func(r *rig, _ bool) {
		elements := r.elements()
		r.do("HSET", k("attempts"), strings.TrimLeft(elements[1], "0123456789")[1:], "3")
		r.settle("w", queue.Result{Element: elements[4], Outcome: queue.OutcomeDone},
			queue.Result{Element: elements[3], Outcome: queue.OutcomeCorrupt},
			queue.Result{Element: elements[1], Outcome: queue.OutcomeRelease},
			queue.Result{Element: "77:x", Outcome: queue.OutcomeDone},
			queue.Result{Element: elements[2], Outcome: queue.OutcomeRetry, Failure: &queue.Failure{Error: "x"}})
	}},
	{"a timekeeper that fills its slots", func(r *rig) {
		r.register("w")
		r.at(time.Hour)
		r.claim("w", 1)
		r.putNow(1)
		r.dropToken()
	}, func(r *rig, _ bool) { r.take("w", 1) }},
	{"a timekeeper renews, leaves, is reaped", func(r *rig) { r.register("w", "v"); r.at(time.Hour); r.claim("w", 1); r.dropToken() },
		func(r *rig, _ bool) {
			_, _ = r.beat("w", false)
			_, _ = r.link.Leave(r.Context(), "w")
			r.claim("v", 1)
			r.dropToken()
			r.kill("v")
			r.reap("v")
		}},
	{"verbs for jobs that are elsewhere", func(r *rig) { scattered(r) }, func(r *rig, _ bool) {
		for _, id := range []string{"runs", "dead000", "nobody"} {
			_, _ = r.client.Reschedule(r.Context(), r.name, id, queue.When{})
			_, _ = r.client.EditOf(r.Context(), r.name, id, "{}", "{}")
		}
		_, _ = r.client.EditOf(r.Context(), r.name, "waits", "{}", "{}")
		_, _ = r.client.RedriveOf(r.Context(), r.name, "dead000", "1")
		_, _ = r.client.PurgeOf(r.Context(), r.name, queue.Dead, "dead000", "1")
	}},
	{"get of a job in no place", func(r *rig) { r.register("w"); r.do("HSET", k("jobs"), "lost", "{}") }, func(r *rig, _ bool) {
		equal(r, "worker", r.get("lost").Worker, "")
		r.do("DEL", k("jobs"))
	}},
	{"purge of one that holds a unique key", func(r *rig) { holders(r) }, func(r *rig, _ bool) {
		_, _ = r.client.PurgeAll(r.Context(), r.name, queue.Filter{State: queue.Scheduled})
		r.do("DEL", k("unique"))
	}},
	{"list of a job that is being cancelled", func(r *rig) { scattered(r); r.do("SADD", k("cancelled"), "runs") }, func(r *rig, _ bool) {
		equal(r, "cancelled", r.list(queue.Listing{State: queue.Processing}).Jobs[0].Cancelled, true)
		r.do("DEL", k("cancelled"))
	}},
	{"heartbeat with another timing", func(r *rig) { r.register("w") }, func(r *rig, _ bool) {
		_, err := r.link.Heartbeat(r.Context(), queue.WorkerInfo{ID: "v"}, queue.Timing{Interval: time.Second, TTL: time.Hour}, true)
		equal(r, "refused", errors.Is(err, queue.ErrTiming), true)
	}},
	{"heartbeat and reap after the clock stepped back", func(r *rig) {
		r.register("w", "v")
		r.do("ZADD", k("workers"), "XX", r.now()+time.Hour.Milliseconds(), "v")
		r.do("HSET", k("meta"), "window_seen", r.now()+bound.Milliseconds())
	}, func(r *rig, _ bool) {
		_, _ = r.beat("w", false)
		r.kill("v")
		r.do("SET", k("heartbeat:v"), "{}", "PX", (timing.TTL + time.Hour).Milliseconds())
		r.reap("v")
	}},
	{"cancel that nobody named every worker to", func(r *rig) { r.register("w"); r.putNow(1); r.take("w", 1); bury(r, 1) }, func(r *rig, _ bool) {
		expectCancelled(r, "nobody", "", queue.ErrNotFound)
		expectCancelled(r, "dead000", queue.Dead, queue.ErrState)
		equal(r, "again", queue.CancelKnowing(r.Context(), r.client, r.name, "nobody"), "again")
	}},
	{"cancel of jobs that hold unique keys", func(r *rig) {
		r.register("w")
		var ids []string
		for _, key := range []string{"a", "b", "c", "d"} {
			ids = append(ids, r.put(queue.NewJob{Unique: &queue.Unique{Key: key, Until: queue.UntilDone}})...)
		}
		r.makeDue(ids...)
		r.take("w", 3)
	}, func(r *rig, _ bool) {
		elements := r.elements()
		for _, element := range elements {
			expectCancelled(r, element[2:], queue.Processing, nil)
		}
		equal(r, "outcomes", r.settle("w", queue.Result{Element: elements[0], Outcome: "retry", Unique: "a"},
			queue.Result{Element: elements[1], Outcome: "done", Retention: time.Hour, Unique: "b"}), []queue.Outcome{"cancelled", "done"})
		r.kill("w")
		equal(r, "reaped", r.reap("w"), queue.Reaped{Verdict: "reaped", Cancelled: 1})
		expectCancelled(r, r.raw.ZRange(r.Context(), r.key("scheduled"), 0, 0).Val()[0], queue.Scheduled, nil)
		equal(r, "left of it", r.do("EXISTS", k("unique"), k("cancelled"), k("scheduled")), any(int64(0)))
	}},
	{"order to a worker that is not there", func(r *rig) { r.register("w") }, func(r *rig, _ bool) {
		err := r.client.OrderIn(r.Context(), r.name, "nobody", queue.OrderQuiet)
		equal(r, "error", errors.Is(err, queue.ErrNoWorker), true)
	}},
	{"leave and reap of workers that were told", func(r *rig) { r.register("v", "w"); r.putNow(2); r.take("w", 2) }, func(r *rig, _ bool) {
		for _, w := range []string{"v", "w"} {
			equal(r, "error", r.client.OrderIn(r.Context(), r.name, w, queue.OrderQuiet), nil)
		}
		for _, element := range r.elements() {
			expectCancelled(r, element[2:], queue.Processing, nil)
		}
		_, _ = r.link.Leave(r.Context(), "v")
		r.kill("w")
		equal(r, "reaped", r.reap("w"), queue.Reaped{Verdict: "reaped", Cancelled: 2})
	}},
	{"reap of attempts that are no number", func(r *rig) { r.register("w"); r.putNow(2); r.take("w", 2) }, func(r *rig, _ bool) {
		r.do("HSET", k("attempts"), strings.SplitN(r.elements()[0], ":", 2)[1], "junk")
		r.kill("w")
		r.reap("w")
		_, _ = r.beat("new", true)
		r.kill("new")
		_, _ = r.beat("other", true) // is told of one that is overdue
	}},
}

var callSite = regexp.MustCompile(`redis\.call\(`)

// instrumented is a script that tells which commands it calls, from where and on which key, or fails at the n-th of them. Its
// last argument is n; 0 lets it run.
func instrumented(source string) string {
	site := 0
	source = callSite.ReplaceAllStringFunc(source, func(string) string { site++; return fmt.Sprintf("call_at(%d, ", site) })
	return `local count, log, fail_at = 0, {}, tonumber(table.remove(ARGV))
local function call_at(site, command, ...)
  count = count + 1
  log[count] = site .. ' ' .. command .. ' ' .. tostring(... or '')
  if count == fail_at then error('injected') end
  return redis.call(command, ...)
end
local function body()
` + source + "\nend\nbody()\nreturn log"
}

// lab runs scripts with an error at each command they make, and puts everything back each time.
type lab struct {
	*rig
	flags map[string][]string        // command → its flags, as Redis tells them
	sites map[string]map[string]bool // script → places that were reached
}

func (l *lab) is(command, flag string) bool { return slices.Contains(l.flags[command], flag) }

// Redis does not roll back. So of each script: an error at any command up to and including the first that writes leaves
// everything as it was, and behind that nothing can be refused.
func (l *lab) try(name, source string, rest []any) {
	l.Helper()
	if name == "permit" {
		return // the ACL is asked, no command is called
	}
	text := instrumented(source)
	run := func(failAt int) ([]string, error) {
		if name == "limit" { // its key is of no queue: it is not put back
			defer l.raw.Del(l.Context(), rest[1].(string))
		}
		return l.raw.Do(l.Context(), slices.Concat([]any{"EVAL", text}, rest, []any{failAt})...).StringSlice()
	}
	dump := l.dump()
	before := l.everything()
	log, err := run(0)
	if err != nil {
		l.Fatalf("%s: %v", name, err)
	}
	l.restore(dump)
	first := len(log)
	read := map[string]bool{}
	for i, entry := range log {
		word := strings.Split(entry, " ")
		if l.sites[name] == nil {
			l.sites[name] = map[string]bool{}
		}
		l.sites[name][word[0]] = true
		if first == len(log) && l.is(word[1], "write") {
			first = i
			if l.is(word[1], "denyoom") != (name == "enqueue") {
				l.Errorf("%s: its first write, %s, is not what it is to be at maxmemory", name, word[1])
			}
		}
		if first == len(log) {
			read[word[2]] = true
		} else if !l.is(word[1], "write") {
			l.Errorf("%s reads (%s) after it has written: %v", name, entry, log)
		} else if !read[word[2]] && !strings.Contains(word[2], ":heartbeat:") && word[1] != "DEL" { // SET and DEL take any kind
			l.Errorf("%s: %s comes behind the first write, and nobody has read that key before", name, entry)
		}
		if word[1] != "TIME" && !l.is(word[1], "write") && !l.is(word[1], "readonly") {
			l.Errorf("%s: is %s a read?", name, word[1])
		}
	}
	for n := 1; n <= min(first+1, len(log)); n++ {
		if _, err := run(n); err == nil || !strings.Contains(err.Error(), "injected") {
			l.Errorf("%s: no error at command %d: %v", name, n, err)
		}
		if after := l.everything(); fmt.Sprint(after) != fmt.Sprint(before) {
			l.Errorf("%s, an error at command %d of %v changed\n from %v\n   to %v", name, n, log, before, after)
			l.restore(dump)
		}
	}
}

// dumped is a key as DUMP has it.
type dumped struct {
	text string
	ttl  time.Duration // 0: none
}

func (l *lab) dump() map[string]dumped {
	all := map[string]dumped{}
	for name := range l.everything() {
		all[name] = dumped{l.raw.Dump(l.Context(), l.key(name)).Val(), max(0, l.raw.PTTL(l.Context(), l.key(name)).Val())}
	}
	return all
}

func (l *lab) restore(dump map[string]dumped) {
	for name := range l.everything() {
		l.raw.Del(l.Context(), l.key(name))
	}
	for name, d := range dump {
		if err := l.raw.Restore(l.Context(), l.key(name), d.ttl, d.text).Err(); err != nil {
			l.Fatal(err)
		}
	}
}

// newLab is one on the Redis that all tests share.
func newLab(t *testing.T) (*lab, *redistest.Server) {
	t.Helper()
	s := redistest.Any(t)
	if s.Backend() == "embedded" {
		t.Skip("the embedded Redis tells no flags of commands")
	}
	return &lab{flags: commandFlags(t, s.Client()), sites: map[string]map[string]bool{}}, s
}

func TestAllOrNothing(t *testing.T) {
	l, _ := newLab(t)
	for _, scenario := range slices.Concat(scenarios, rareScenarios) {
		t.Run(scenario.name, func(t *testing.T) {
			l.rig = newRig(t)
			scenario.prepare(l.rig)
			queue.Watch(l.client, l.link, l.try)
			scenario.act(l.rig, false)
		})
	}
	l.reached(t, func(name string) bool { return !slices.Contains(forPeople, name) })
}

// The same of the scripts that mend: each damaged state is mended with an error at each command.
func TestAuditIsAllOrNothing(t *testing.T) {
	l, s := newLab(t)
	mends := func(name, source string, rest []any) {
		if name != "audit" { // which writes nothing
			l.try(name, source, rest)
		}
	}
	noNumber := damaged{code: "record-without-place", name: "attempts that are no number",
		damage: all(cmd("ZREM", k("scheduled"), "waiting"), cmd("HSET", k("attempts"), "waiting", "many"))}
	for _, d := range append(slices.Clone(corpus), noNumber) {
		t.Run(strings.TrimSuffix(d.code+"/"+d.name, "/"), func(t *testing.T) {
			l.rig = damagedRig(t, s, d)
			queue.Watch(l.client, l.link, mends)
			l.audit(true)
		})
	}
	t.Run("forget", func(t *testing.T) {
		l.rig = newRig(t)
		l.put(queue.NewJob{ID: "only", Delay: time.Hour})
		_, _ = l.client.Cancel(t.Context(), l.name, "only")
		queue.Watch(l.client, l.link, l.try)
		if err := l.client.Forget(t.Context(), l.name); err != nil {
			t.Error(err)
		}
	})
	l.reached(t, func(name string) bool { return slices.Contains(forPeople, name) && name != "audit" })
}

// reached checks that every call of these scripts was reached.
func (l *lab) reached(t *testing.T, which func(script string) bool) {
	t.Helper()
	sources := queue.ScriptSources()
	for name := range luaSources(t) {
		for site := range callSite.FindAllString(sources[name], -1) {
			if place := fmt.Sprint(site + 1); which(name) && !l.sites[name][place] {
				t.Errorf("%s: nobody reached the call %s: a scenario is missing", name, callAt(sources[name], site))
			}
		}
	}
}

// callAt is the source at the n-th call, for people.
func callAt(source string, n int) string {
	at := callSite.FindAllStringIndex(source, -1)[n][0]
	return source[at:min(len(source), at+50)]
}

func commandFlags(t testing.TB, c *redis.Client) map[string][]string {
	t.Helper()
	commands, err := c.Command(t.Context()).Result()
	if err != nil || len(commands) < 100 {
		t.Fatal(errors.Join(err, fmt.Errorf("%d commands", len(commands))))
	}
	flags := map[string][]string{}
	for name, info := range commands {
		flags[strings.ToUpper(name)] = info.Flags
	}
	return flags
}
