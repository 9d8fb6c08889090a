package faults

import (
	"time"

	"github.com/punctualq/punctual/integration/redistest"
)

// damage is one thing that another hand does to what is in Redis.
type damage struct {
	name   string
	job    Job                               // to whom it is done; none: to an id that nobody has handed in
	do     func(s *Scene, id, worker string) // worker is registered, and alive
	code   string                            // what the audit calls it; empty where a worker may have mended it before anybody looks
	worker string                            // how the job ends if a worker comes upon it: dead with this text, or done
	fixed  string                            // how it ends if `punctual audit --fix` comes first
}

// The ends of a damaged job, beside the text with which it is dead.
const (
	done    = "done" // nothing is left of it
	neither = ""     // not tried this way
)

// waiting is a job that is due when the scene has it so.
var waiting = Job{Message: "damaged", Delay: 3600}

func waitingFail() Job {
	return Job{Type: "fail", Payload: map[string]bool{"permanent": true}, Delay: 3600}.Retries(0)
}

// raw is a damage by one command.
func raw(command, key string, args ...any) func(*Scene, string, string) {
	return func(s *Scene, id, worker string) {
		s.Helper()
		all := []any{command, Key(key)}
		for _, arg := range args {
			switch arg {
			case theID:
				arg = id
			case theWorker:
				arg = worker
			}
			all = append(all, arg)
		}
		s.raw(all...)
	}
}

type stand string

const (
	theID     = stand("id")
	theWorker = stand("worker")
)

// both does two damages.
func both(one, two func(*Scene, string, string)) func(*Scene, string, string) {
	return func(s *Scene, id, worker string) { s.Helper(); one(s, id, worker); two(s, id, worker) }
}

// onList puts an element for the id on the list of a living worker.
func onList(prefix string) func(*Scene, string, string) {
	return func(s *Scene, id, worker string) { s.Helper(); s.raw("RPUSH", Key("processing:"+worker), prefix+id) }
}

// afterDeath does it when the job is dead.
func afterDeath(do func(*Scene, string, string)) func(*Scene, string, string) {
	return func(s *Scene, id, worker string) {
		s.Helper()
		s.dueNow(id)
		redistest.Await(s.T, 10*time.Second, "a job to be dead", func() bool { return s.Client.ZScore(s.Context(), Key("dead"), id).Err() == nil })
		do(s, id, worker)
	}
}

// damages is every key with what can be wrong in it.
var damages = []damage{
	{"no record", waiting, raw("HDEL", "jobs", theID), "place-without-record", "record is missing", "record is missing"},
	{"record is no JSON", waiting, raw("HSET", "jobs", theID, "junk"), "record-unreadable", "record is not JSON", "record is not JSON"},
	{"record is empty", waiting, raw("HSET", "jobs", theID, ""), "record-unreadable", "record is not JSON", "record is not JSON"},
	{"record is cut off", waiting, raw("HSET", "jobs", theID, `{"type":"message","payl`), "record-unreadable", "record is not JSON", "record is not JSON"},
	{"record is broken inside", waiting, raw("HSET", "jobs", theID, `{"type":}`), "record-unreadable", "is not JSON", "record is not JSON"},
	{"record has a wrong type inside", waiting, raw("HSET", "jobs", theID, `{"type":5}`), "record-unreadable", "is not JSON", "record is not JSON"},
	{"record has no payload", waiting, raw("HSET", "jobs", theID, `{"type":"message"}`), "", done, done},
	{"record has no type", waiting, raw("HSET", "jobs", theID, `{}`), "", "no handler", neither},
	{"record is gone, job is dead", waitingFail(), afterDeath(raw("HDEL", "jobs", theID)), "place-without-record", neither, "record is missing"},
	{"record is no JSON, job is dead", waitingFail(), afterDeath(raw("HSET", "jobs", theID, "junk")), "record-unreadable", neither, "record is not JSON"},

	{"attempts are no number", waiting, raw("HSET", "attempts", theID, "many"), "attempts-malformed", "attempts are not a number", "attempts are not a number"},
	{"attempts are negative", waiting, raw("HSET", "attempts", theID, "-1"), "attempts-malformed", "attempts are not a number", "attempts are not a number"},
	{"attempts are nan", waiting, raw("HSET", "attempts", theID, "nan"), "attempts-malformed", "attempts are not a number", "attempts are not a number"},
	{"attempts of nobody", Job{}, raw("HSET", "attempts", theID, "1"), "attempts-without-job", neither, done},

	{"errors are no JSON", waitingFail(), raw("HSET", "errors", theID, "junk"), "errors-malformed", "fail", "fail"},
	{"errors of nobody", Job{}, raw("HSET", "errors", theID, "[]"), "errors-without-job", neither, done},

	{"a foreign member of scheduled", Job{}, raw("ZADD", "scheduled", 4e12, theID), "place-without-record", "record is missing", "record is missing"},
	{"due at inf", waiting, raw("ZADD", "scheduled", "inf", theID), "due-beyond-horizon", done, done},
	{"in no place", waiting, raw("ZREM", "scheduled", theID), "record-without-place", neither, done},
	{"scheduled and dead", waiting, raw("ZADD", "dead", 5, theID), "two-places", neither, done},
	{"scheduled and done", waiting, raw("ZADD", "done", 5, theID), "two-places", neither, done},
	{"a foreign member of dead", Job{}, raw("ZADD", "dead", 5, theID), "place-without-record", neither, "record is missing"},
	{"a foreign member of done", Job{}, raw("ZADD", "done", 5, theID), "place-without-record", neither, "record is missing"},
	{"dead at -inf", waitingFail(), afterDeath(raw("ZADD", "dead", "-inf", theID)), "score-malformed", "fail", "fail"},

	{"an element without a record", Job{}, onList("0:"), "", "is missing", "is missing"},
	{"an element that is none", Job{}, onList(""), "", "is missing", "is missing"},
	{"on the list of a worker that is not registered", waiting, both(raw("ZREM", "scheduled", theID), func(s *Scene, id, _ string) { s.raw("RPUSH", Key("processing:nobody"), "1:"+id) }),
		"list-unregistered", neither, done},

	{"a registration without end", Job{}, raw("ZADD", "workers", "inf", theID), "worker-never-overdue", neither, done},
	{"a heartbeat without end, of nobody", Job{}, func(s *Scene, id, _ string) { s.raw("SET", Key("heartbeat:"+id), "{}") },
		"heartbeat-unregistered", neither, done},
	{"a heartbeat without end", Job{}, func(s *Scene, _, worker string) { s.raw("PERSIST", Key("heartbeat:"+worker)) }, "", done, done},
	{"a mark of a reap of nobody", Job{}, func(s *Scene, id, _ string) { s.raw("HSET", Key("meta"), "reaping:"+id, 1) },
		"reaping-unregistered", neither, done},
	{"the window is no number", Job{}, raw("HSET", "meta", "window_start", "junk", "window_seen", "nan"), "", done, done},
	{"the timekeeper is nobody", Job{}, raw("HSET", "meta", "timekeeper", "x", "timekeeper_due", "nan", "timekeeper_until", "inf"), "", done, done},
	{"a counter is no number", Job{}, raw("HSET", "stats", "lost", "many"), "counter-malformed", neither, done},
	{"the counters differ", Job{}, raw("HINCRBY", "stats", "enqueued", -7), "", done, done},
	{"many wake tokens", Job{}, raw("RPUSH", "wake", 1, 1, 1, 1, 1), "", done, done},
}
