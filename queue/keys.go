package queue

import "strings"

// keyQueues is the SET of the names of known queues. It lies in a Cluster slot of its own and is written outside the scripts.
const keyQueues = "punctual:queues"

// keyLimit is a STRING with a TTL: when a subject's rate would be used no more (µs). It belongs to no queue; hash hides the subject.
func keyLimit(hash string) string { return "punctual:limit:" + hash }

// keys spells the Redis keys of one queue. All lie in one Cluster slot, for {queue} is a hash tag.
type keys struct{ prefix string }

func keysOf(queue string) keys { return keys{"punctual:{" + queue + "}:"} }

// keysOfAll is a pattern of the keys of all queues.
var keysOfAll = keysOf("*").prefix + "*"

// queueOf is the name of the queue that a key belongs to; "" for none.
func queueOf(key string) string {
	before, after, _ := strings.Cut(keysOfAll, "*")
	rest, ours := strings.CutPrefix(key, before)
	name, _, whole := strings.Cut(rest, strings.TrimSuffix(after, "*"))
	if !ours || !whole || !isQueueName(name) {
		return ""
	}
	return name
}

func (k keys) jobs() string      { return k.prefix + "jobs" }      // HASH   id → the job as one line of JSON
func (k keys) scheduled() string { return k.prefix + "scheduled" } // ZSET   id, scored by due time in ms
func (k keys) dead() string      { return k.prefix + "dead" }      // ZSET   id, scored by time of death in ms
func (k keys) done() string      { return k.prefix + "done" }      // ZSET   id, scored by the time it may be forgotten
func (k keys) attempts() string  { return k.prefix + "attempts" }  // HASH   id → attempts begun; absent means none
func (k keys) errors() string    { return k.prefix + "errors" }    // HASH   id → its last failures, a JSON array, newest first
func (k keys) workers() string   { return k.prefix + "workers" }   // ZSET   worker id, scored by when its heartbeat runs out; no TTL
func (k keys) wake() string      { return k.prefix + "wake" }      // LIST   at most one token: "someone look again"
func (k keys) stats() string     { return k.prefix + "stats" }     // HASH   counters, written by the script that makes the move
func (k keys) groups() string    { return k.prefix + "groups" }    // HASH   id of a group of the dead → type, error, jobs, first, last, as JSON
func (k keys) minutes() string   { return k.prefix + "minutes" }   // HASH   minute of the day → minute since 1970, and by how much each counter grew; last → what they were
func (k keys) unique() string    { return k.prefix + "unique" }    // HASH   unique key → id of the job that holds it until its start or end

// trail is a LIST of what people did by hand, each as JSON, the latest first; the last 1,000.
func (k keys) trail() string { return k.prefix + "trail" }

// meta is a HASH: layout (version), interval and ttl (ms) of heartbeats, window_start and window_seen (ms) of the
// observation window, minute (since 1970, of the last heartbeat), reaping:<worker>, timekeeper (worker), timekeeper_due and timekeeper_until (ms),
// paused (1), order:<worker> (quiet or stop).
func (k keys) meta() string { return k.prefix + "meta" }

// orderField is the field of meta that keeps what a worker was told.
func orderField(worker string) string { return "order:" + worker }

// processing is a LIST of <claim number>:<id>: what this worker has claimed and not settled.
func (k keys) processing(worker string) string { return k.prefix + "processing:" + worker }

// heartbeat is a STRING with a TTL: JSON that says which worker lives.
func (k keys) heartbeat(worker string) string { return k.prefix + "heartbeat:" + worker }

// control is a LIST with a TTL: at most one token, "send a heartbeat now, there is something for you in its reply".
func (k keys) control(worker string) string { return k.prefix + "control:" + worker }

// cancelled is a SET of ids of jobs that are being cancelled while they are processed.
func (k keys) cancelled() string { return k.prefix + "cancelled" }

// idempotency is a STRING with a TTL: JSON of the id of the job that a key created, and the request's fingerprint.
func (k keys) idempotency(hash string) string { return k.prefix + "idempotency:" + hash }

// uniqueFor is a STRING with a TTL: the id of the job that holds a unique key for a fixed time.
func (k keys) uniqueFor(hash string) string { return k.prefix + "uniquefor:" + hash }
