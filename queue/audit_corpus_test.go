package queue_test

import (
	"strings"
	"time"

	"github.com/punctualq/punctual/queue"
)

// damaged is a state with one thing wrong, made from a queue in which all is well.
type damaged struct {
	code, name string
	damage     func(r *rig)
	id         string       // whom it is to name, if not ""
	left       string       // the code that stays although Fix was set; "" means none
	did        string       // what Fix is to say
	after      func(r *rig) // looks at what Fix did
	more       []string     // codes that Fix finds only when the others are fixed
}

// healthy fills a queue: waiting (an hour), late (due), held (on the list of w), gone (dead), kept (done), owner (waits, and holds
// keys of all kinds).
func healthy(r *rig) {
	r.Helper()
	r.register("w", "v")
	r.put(queue.NewJob{ID: "gone"}, queue.NewJob{ID: "held"}, queue.NewJob{ID: "over"}, queue.NewJob{ID: "kept"})
	r.makeDue("gone", "held", "over", "kept")
	jobs := r.take("w", 4)
	for _, c := range jobs {
		switch c.Job.ID {
		case "gone":
			r.settle("w", queue.Result{Element: c.Element, Outcome: queue.OutcomeDead, Failure: &queue.Failure{Error: "x"}})
		case "over":
			r.settle("w", queue.Result{Element: c.Element, Outcome: queue.OutcomeDone})
		case "kept":
			r.settle("w", queue.Result{Element: c.Element, Outcome: queue.OutcomeDone, Retention: time.Hour})
		}
	}
	r.put(queue.NewJob{ID: "owner", Delay: time.Hour, Unique: &queue.Unique{Key: "u", Until: queue.UntilDone},
		Idempotency: &queue.Idempotency{Key: "1"}}, queue.NewJob{ID: "owner2", Delay: time.Hour, Unique: &queue.Unique{Key: "v", For: time.Hour}})
	r.put(queue.NewJob{ID: "waiting", Delay: time.Hour}, queue.NewJob{ID: "late"})
	r.makeDue("late")
}

func (r *rig) in(key, id string, want bool) {
	r.Helper()
	equal(r, id+" is in "+key, r.raw.ZScore(r.Context(), r.key(key), id).Err() == nil, want)
}

func (r *rig) element(worker, id string) string {
	r.Helper()
	for _, e := range r.raw.LRange(r.Context(), r.key("processing:"+worker), 0, -1).Val() {
		if _, own, _ := strings.Cut(e, ":"); own == id {
			return e
		}
	}
	return ""
}

func cmd(args ...any) func(*rig) {
	return func(r *rig) { r.Helper(); r.do(append([]any{}, args...)...) }
}

func all(steps ...func(*rig)) func(*rig) {
	return func(r *rig) {
		r.Helper()
		for _, step := range steps {
			step(r)
		}
	}
}

// corpus has at least one damaged state for each code.
var corpus = []damaged{
	{code: "record-without-place", damage: cmd("ZREM", k("scheduled"), "waiting"), id: "waiting", did: "scheduled, due now",
		after: func(r *rig) {
			info := r.get("waiting")
			equal(r, "state", info.State, queue.Scheduled)
			equal(r, "is due", info.Due.UnixMilli() <= r.now(), true)
		}},
	{code: "record-without-place", name: "nothing else is due", damage: all(cmd("ZREM", k("scheduled"), "waiting", "late"),
		cmd("HDEL", k("jobs"), "late"), cmd("HINCRBY", k("stats"), "enqueued", -1), (*rig).dropToken), id: "waiting", did: "scheduled, due now",
		after: func(r *rig) { equal(r, "token", r.token(), true) }},
	{code: "record-without-place", name: "attempts used up", damage: all(cmd("ZREM", k("scheduled"), "waiting"), cmd("HSET", k("attempts"), "waiting", 11)),
		did:   "put to dead: found in no place by the audit, with its attempts used up",
		after: func(r *rig) { equal(r, "failures", len(r.get("waiting").Failures), 1); r.in("dead", "waiting", true) }},
	{code: "place-without-record", damage: cmd("HDEL", k("jobs"), "waiting"), id: "waiting", did: "taken off scheduled; put to dead: record is missing",
		after: func(r *rig) { r.in("dead", "waiting", true); equal(r, "type", r.get("waiting").Type, "unreadable") }},
	{code: "place-without-record", name: "dead", damage: cmd("HDEL", k("jobs"), "gone"), id: "gone", did: "taken off dead; put to dead: record is missing"},
	{code: "place-without-record", name: "done", damage: all(cmd("ZREM", k("scheduled"), "waiting"), cmd("HDEL", k("jobs"), "waiting"), cmd("ZADD", k("done"), 5, "waiting")),
		did: "taken off done; put to dead: record is missing"},
	{code: "place-without-record", name: "foreign member", damage: cmd("ZADD", k("scheduled"), 7, "not a job"), id: "not a job",
		did: "taken off scheduled; put to dead: record is missing", more: []string{"counters-differ"}},
	{code: "place-without-record", name: "processing", damage: cmd("HDEL", k("jobs"), "held"), id: "held", left: "place-without-record"},
	{code: "two-places", damage: cmd("ZADD", k("dead"), 5, "waiting"), id: "waiting", did: "taken off dead; left in scheduled",
		after: func(r *rig) { r.in("scheduled", "waiting", true); r.in("dead", "waiting", false) }},
	{code: "two-places", name: "processing wins", damage: cmd("ZADD", k("scheduled"), 5, "held"), id: "held", did: "taken off scheduled; left in processing:w",
		after: func(r *rig) { equal(r, "on the list", r.element("w", "held") != "", true) }},
	{code: "two-places", name: "all sets", damage: all(cmd("ZADD", k("dead"), 5, "waiting"), cmd("ZADD", k("done"), 5, "waiting")), id: "waiting",
		did: "taken off dead, done; left in scheduled"},
	{code: "two-places", name: "dead and done", damage: cmd("ZADD", k("done"), 5, "gone"), id: "gone", did: "taken off done; left in dead"},
	{code: "two-places", name: "two lists", damage: cmd("RPUSH", k("processing:v"), "1:held"), id: "held"},
	{code: "two-places", name: "twice on one list", damage: cmd("RPUSH", k("processing:w"), "99:held"), id: "held", did: "taken off processing:w; left in processing:w",
		after: func(r *rig) { equal(r, "the latest claim", r.element("w", "held"), "99:held") }},
	{code: "two-places", name: "the same element twice", damage: func(r *rig) { r.do("RPUSH", k("processing:w"), r.element("w", "held")) }, id: "held"},
	{code: "record-unreadable", damage: cmd("HSET", k("jobs"), "waiting", `{"type":`), id: "waiting", did: "taken off scheduled; put to dead: record is not JSON",
		after: func(r *rig) { equal(r, "type", r.get("waiting").Type, "unreadable") }},
	{code: "record-unreadable", name: "looks well from outside", damage: cmd("HSET", k("jobs"), "waiting", `{"type":5}`), id: "waiting"},
	{code: "record-unreadable", name: "dead", damage: cmd("HSET", k("jobs"), "gone", "junk"), id: "gone", did: "taken off dead; put to dead: record is not JSON"},
	{code: "record-unreadable", name: "processing", damage: cmd("HSET", k("jobs"), "held", "junk"), id: "held", left: "record-unreadable"},
	{code: "element-malformed", damage: cmd("RPUSH", k("processing:w"), "foreign"), id: "foreign", more: []string{"counters-differ"},
		did: "taken off processing:w; put to dead: record is missing", after: func(r *rig) { r.in("dead", "foreign", true) }},
	{code: "element-malformed", name: "of a job elsewhere", damage: cmd("RPUSH", k("processing:w"), "waiting"), id: "waiting",
		did: "taken off processing:w; left in scheduled"},
	{code: "element-malformed", name: "of a job nowhere", damage: all(cmd("ZREM", k("scheduled"), "waiting"), cmd("RPUSH", k("processing:w"), "waiting")),
		id: "waiting", did: "taken off processing:w; scheduled, due now"},
	{code: "list-unregistered", damage: cmd("ZREM", k("workers"), "w"), id: "w", more: nil,
		after: func(r *rig) {
			r.kill("w")
			equal(r, "reaped", r.reap("w").Rescheduled, 1)
		}},
	{code: "attempts-malformed", damage: cmd("HSET", k("attempts"), "waiting", "many"), id: "waiting", left: "attempts-malformed"},
	{code: "attempts-malformed", name: "negative", damage: cmd("HSET", k("attempts"), "waiting", "-1"), id: "waiting", left: "attempts-malformed"},
	{code: "attempts-malformed", name: "zero", damage: cmd("HSET", k("attempts"), "waiting", "0"), id: "waiting", left: "attempts-malformed"},
	{code: "attempts-over", damage: cmd("HSET", k("attempts"), "waiting", 12), id: "waiting", left: "attempts-over"},
	{code: "attempts-without-job", damage: cmd("HSET", k("attempts"), "nobody", 1), id: "nobody", did: "dropped what was left of it"},
	{code: "errors-without-job", damage: cmd("HSET", k("errors"), "nobody", "[]"), id: "nobody", did: "dropped what was left of it"},
	{code: "errors-malformed", damage: cmd("HSET", k("errors"), "gone", "junk"), id: "gone", left: "errors-malformed"},
	{code: "due-beyond-horizon", damage: cmd("ZADD", k("scheduled"), "inf", "waiting"), id: "waiting", left: "due-beyond-horizon"},
	{code: "due-beyond-horizon", name: "eleven years", damage: func(r *rig) {
		r.do("ZADD", k("scheduled"), r.now()+(11*365*24*time.Hour).Milliseconds(), "waiting")
	}, id: "waiting", left: "due-beyond-horizon"},
	{code: "score-malformed", damage: cmd("ZADD", k("scheduled"), "1000.5", "waiting"), id: "waiting", left: "score-malformed"},
	{code: "score-malformed", name: "-inf", damage: cmd("ZADD", k("dead"), "-inf", "gone"), id: "gone", left: "score-malformed"},
	{code: "heartbeat-without-ttl", damage: cmd("PERSIST", k("heartbeat:w")), id: "w", after: func(r *rig) {
		equal(r, "runs out", r.raw.PTTL(r.Context(), r.key("heartbeat:w")).Val() > 0, true)
	}},
	{code: "heartbeat-without-ttl", name: "TTL not known", damage: all(cmd("PERSIST", k("heartbeat:w")), cmd("HDEL", k("meta"), "ttl")), left: "heartbeat-without-ttl"},
	{code: "heartbeat-unregistered", damage: cmd("ZREM", k("workers"), "v"), id: "v", did: "deleted"},
	{code: "worker-never-overdue", damage: cmd("ZADD", k("workers"), "inf", "v"), id: "v", did: "runs out with its heartbeat",
		after: func(r *rig) {
			equal(r, "score", r.raw.ZScore(r.Context(), r.key("workers"), "v").Val() < float64(r.now()+timing.TTL.Milliseconds()+1000), true)
		}},
	{code: "worker-never-overdue", name: "without a heartbeat", damage: cmd("ZADD", k("workers"), "1e15", "u"), id: "u",
		did: "overdue: it has no heartbeat that runs out"},
	{code: "worker-not-reaped", damage: func(r *rig) {
		r.kill("v")
		hours := (2 * time.Hour).Milliseconds()
		r.do("ZADD", k("workers"), r.now()-hours, "v")
		r.do("HSET", k("meta"), "window_start", r.now()-hours)
	}, id: "v", left: "worker-not-reaped"},
	{code: "order-unregistered", damage: cmd("HSET", k("meta"), "order:u", "quiet"), id: "order:u", did: "order deleted"},
	{code: "cancelled-not-held", damage: cmd("SADD", k("cancelled"), "nobody"), id: "nobody", did: "forgotten"},
	{code: "reaping-unregistered", damage: cmd("HSET", k("meta"), "reaping:u", 1), id: "reaping:u", did: "mark deleted"},
	{code: "meta-malformed", damage: cmd("HSET", k("meta"), "interval", "soon"), id: "interval", after: func(r *rig) {
		_, err := r.beat("x", true)
		equal(r, "a worker can register", err, nil)
	}},
	{code: "layout-newer", damage: func(r *rig) { r.layout("99") }, id: "layout", left: "layout-newer"},
	{code: "wake-tokens", damage: cmd("RPUSH", k("wake"), 1, 1, 1), did: "one is left", after: func(r *rig) { equal(r, "token", r.token(), true) }},
	{code: "control-malformed", damage: cmd("RPUSH", k("control:w"), "stop"), left: "control-malformed"},
	{code: "idempotency-malformed", damage: cmd("SET", k("idempotency:a"), "", "EX", 100), left: "idempotency-malformed"},
	{code: "idempotency-malformed", name: "type", damage: cmd("RPUSH", k("idempotency:a"), "x"), left: "idempotency-malformed"},
	{code: "idempotency-no-ttl", damage: cmd("SET", k("idempotency:a"), `{"id":"x","request":""}`), left: "idempotency-no-ttl"},
	{code: "idempotency-malformed", name: "no request", damage: cmd("SET", k("idempotency:a"), `{"id":"x"}`, "EX", 100), left: "idempotency-malformed"},
	{code: "idempotency-malformed", name: "no id", damage: cmd("SET", k("idempotency:a"), `{"id":"","request":""}`, "EX", 100), left: "idempotency-malformed"},
	{code: "unique-malformed", damage: cmd("SET", k("uniquefor:a"), "not an id", "EX", 100), left: "unique-malformed"},
	{code: "unique-malformed", name: "type", damage: cmd("RPUSH", k("uniquefor:a"), "x"), left: "unique-malformed"},
	{code: "unique-no-ttl", damage: cmd("SET", k("uniquefor:a"), "id"), left: "unique-no-ttl"},
	{code: "unique-stale", damage: cmd("HSET", k("unique"), "x", "nobody"), id: "x", did: "the key is free", after: func(r *rig) {
		equal(r, "holders", r.raw.HGetAll(r.Context(), r.key("unique")).Val(), map[string]string{"u": "owner"})
	}},
	{code: "unique-stale", name: "dead", damage: cmd("HSET", k("unique"), "x", "gone"), id: "x"},
	{code: "unique-stale", name: "done", damage: cmd("HSET", k("unique"), "x", "kept"), id: "x"},
	{code: "record-unreadable", name: "of a holder", damage: cmd("HSET", k("jobs"), "owner", `{"unique":"u"`), id: "owner", more: []string{"unique-stale"}},
	{code: "record-without-place", name: "of a holder that is used up", damage: all(cmd("ZREM", k("scheduled"), "owner"), cmd("HSET", k("attempts"), "owner", 11)),
		after: func(r *rig) { equal(r, "holders", r.do("EXISTS", k("unique")), any(int64(0))) }},
	{code: "counters-differ", name: "done, kept and not counted", damage: cmd("HINCRBY", k("stats"), "done", -1), did: "adjusted is -1"},
	{code: "counter-malformed", damage: cmd("HSET", k("stats"), "lost", "many"), id: "lost", did: "deleted: it begins again at 0"},
	{code: "counter-malformed", name: "negative, and compared", damage: cmd("HSET", k("stats"), "enqueued", -3), id: "enqueued", more: []string{"counters-differ"}},
	{code: "group-malformed", damage: cmd("HSET", k("groups"), "0123456789abcdef", "junk"), id: "0123456789abcdef", did: "deleted: its jobs are in no group"},
	{code: "group-malformed", name: "not an id", damage: cmd("HSET", k("groups"), "x", `{"type":"x","error":"x","jobs":1,"first":1,"last":1}`), id: "x"},
	{code: "groups-differ", damage: cmd("HSET", k("groups"), "0123456789abcdef", `{"type":"x","error":"x","jobs":1,"first":1,"last":1}`), left: "groups-differ"},
	{code: "groups-differ", name: "nothing is dead", damage: func(r *rig) {
		equal(r, "redriven", r.client.Redrive(r.Context(), r.name, "gone"), nil)
		r.do("HSET", k("groups"), "0123456789abcdef", `{"type":"x","error":"x","jobs":1,"first":1,"last":1}`)
	}, did: "deleted: no job is dead", after: func(r *rig) { equal(r, "groups", r.do("EXISTS", k("groups")), any(int64(0))) }},
	{code: "counters-differ", damage: cmd("HINCRBY", k("stats"), "enqueued", -2), did: "adjusted is 2",
		after: func(r *rig) { equal(r, "enqueued is left alone", r.stat("enqueued"), 6) }},
	{code: "key-wrong-type", damage: all(cmd("DEL", k("errors")), cmd("SET", k("errors"), "x")), left: "key-wrong-type"},
	{code: "key-wrong-type", name: "list", damage: cmd("SET", k("processing:v"), "x"), left: "key-wrong-type"},
	{code: "key-wrong-type", name: "heartbeat", damage: all(cmd("DEL", k("heartbeat:v")), cmd("RPUSH", k("heartbeat:v"), "x")), left: "key-wrong-type"},
	{code: "key-unknown", damage: cmd("SET", k("notes"), "x"), left: "key-unknown"},
	{code: "queue-unlisted", damage: func(r *rig) { r.raw.SRem(r.Context(), "punctual:queues", r.name) }, did: "added"},
}
