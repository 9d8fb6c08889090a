package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

// uses calls each script, some in several ways, in a state in which it has something to move, so that it wants every one
// of its keys.
// The worker is w, and it is alive but for reap.
var uses = map[string]func(r *rig) error{
	"enqueue": func(r *rig) error {
		_, err := r.client.Enqueue(r.Context(), queue.NewJob{Queue: r.name, Unique: &queue.Unique{Key: "key", For: time.Hour},
			Idempotency: &queue.Idempotency{Scope: "scope", Key: "key"}})
		return err
	},
	"claim":          func(r *rig) error { return r.exchange("w", 5).ClaimErr },
	"claim dead":     func(r *rig) error { return r.exchange("w", 5).ClaimErr },
	"settle":         settleAll("done", "retry", "dead", "release"),
	"settle done":    settleAll("done"),
	"settle retry":   settleAll("retry"),
	"settle dead":    settleAll("dead"),
	"settle release": settleAll("release"),
	"settle lost":    func(r *rig) error { return r.exchange("w", 0, queue.Result{Element: "0:x", Outcome: "done"}).SettleErr },
	"heartbeat":      func(r *rig) error { _, err := r.beat("w", false); return err },
	"heartbeat new":  func(r *rig) error { _, err := r.beat("w", true); return err },
	"reap":           reap,
	"reap dead":      reap,
	"cancel": func(r *rig) error {
		_, id, _ := strings.Cut(r.elements()[0], ":")
		_, err := r.client.Cancel(r.Context(), r.name, id)
		return err
	},
	"order": func(r *rig) error { return r.client.OrderIn(r.Context(), r.name, "w", queue.OrderQuiet) },
	"pause": func(r *rig) error { _, err := r.client.Pause(r.Context(), r.name); return err },
	"leave": func(r *rig) error { _, err := r.link.Leave(r.Context(), "w"); return err },
	"wake":  func(r *rig) error { return r.link.PassOn(r.Context()) },
	"trim":  func(r *rig) error { _, err := r.link.Trim(r.Context(), 0, 0, 0); return err },
	"audit": func(r *rig) error { return r.client.LookAt(r.Context(), r.name, "w", "dead000", "dead001") },
	"repair": func(r *rig) error {
		_, err := r.client.Repair(r.Context(), r.name, "nobody", "w")
		return err
	},
	"tidy": func(r *rig) error {
		_, err := r.client.Tidy(r.Context(), r.name, "counters-differ", "w", "")
		return err
	},
	"get": func(r *rig) error {
		_, err := r.client.Get(r.Context(), r.name, strings.SplitN(r.elements()[0], ":", 2)[1])
		return err
	},
	"reschedule": func(r *rig) error {
		_, err := r.client.Reschedule(r.Context(), r.name, "later", queue.When{})
		return err
	},
	"edit": func(r *rig) error {
		_, err := r.client.Edit(r.Context(), r.name, "later", queue.Changes{Payload: []byte("1")})
		return err
	},
	"redrive":         func(r *rig) error { return r.client.Redrive(r.Context(), r.name, "dead000") },
	"purge":           func(r *rig) error { return purgeFirst(r, queue.Dead) },
	"purge scheduled": func(r *rig) error { return purgeFirst(r, queue.Scheduled) },
	"list":            func(r *rig) error { return listAll(r, queue.Scheduled) },
	"list dead":       func(r *rig) error { return listAll(r, queue.Dead) },
	"list processing": func(r *rig) error { return listAll(r, queue.Processing) },
	"minutes":         func(r *rig) error { _, err := r.client.Minutes(r.Context(), r.name, 9); return err },
	"groups":          func(r *rig) error { _, _, err := r.client.DeadGroups(r.Context(), r.name); return err },
	"trail":           func(r *rig) error { return r.record(queue.Deed{Verb: "run"}) },
	"overview":        func(r *rig) error { _, err := r.client.Overview(r.Context(), r.name); return err },
	"forget": func(r *rig) error {
		if err := r.client.Forget(r.Context(), r.name); !errors.Is(err, queue.ErrInUse) {
			return err
		}
		return nil
	},
}

func reap(r *rig) error {
	got, err := r.link.Reap(r.Context(), "w")
	if err == nil && got.Verdict != "reaped" && got.Verdict != "alive" {
		r.Errorf("verdict %s", got.Verdict)
	}
	return err
}

// placeOf is where the job is of which a use of purge or list is.
var placeOf = map[string]string{"purge": "dead", "purge scheduled": "scheduled", "list": "scheduled", "list dead": "dead", "list processing": "processing:w"}

// purgeFirst drops the first job of a state, wherever a test has put it.
func purgeFirst(r *rig, state queue.State) error {
	score := "1"
	if first := r.raw.ZRangeWithScores(r.Context(), r.key(string(state)), 0, 0).Val(); len(first) > 0 {
		score = fmt.Sprintf("%.0f", first[0].Score)
		_, err := r.client.PurgeOf(r.Context(), r.name, state, first[0].Member.(string), score)
		return err
	}
	_, err := r.client.PurgeOf(r.Context(), r.name, state, "dead000", score)
	return err
}

func listAll(r *rig, state queue.State) error {
	_, err := r.client.List(r.Context(), r.name, queue.Listing{State: state})
	return err
}

func settleAll(outcomes ...queue.Outcome) func(r *rig) error {
	return func(r *rig) error {
		var results []queue.Result
		for i, element := range r.elements() {
			results = append(results, queue.Result{Element: element, Outcome: outcomes[i%len(outcomes)], Failure: &queue.Failure{Error: "x"}})
		}
		return r.exchange("w", 0, results...).SettleErr
	}
}

// The keys of the special job above, as sha256sum makes them of scope\0key and of key.
const (
	keyOfIdempotency = "idempotency:baa10e8dad00525101f40b23e3a47e49bfd49033515ddb1e7c7f205f3b91ab5e"
	keyOfUnique      = "uniquefor:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"
)

// unread are keys whose kind a script, or for groups a use of it, does not care for, with what it does instead.
var unread = map[string]string{
	"heartbeat heartbeat:w": "SET overwrites it: a heartbeat must not fail",
	"leave heartbeat:w":     "DEL deletes it",
	"leave control:w":       "DEL deletes it",
	"reap groups":           "nothing dies",
	"repair groups":         "nothing was dead, and nothing dies",
	"reap control:w":        "DEL deletes it",
	"reap heartbeat:w":      "it only asks whether it is there: alive",
	"tidy heartbeat:w":      "it only asks when it runs out",
	"claim groups":          "nothing dies",
	"settle done groups":    "nothing dies",
	"settle retry groups":   "nothing dies",
	"settle release groups": "nothing dies",
	"settle lost groups":    "nothing dies",
	"forget <others>: every other key of the queue that has no TTL": "DEL deletes them",
}

// busy fills a queue with jobs in every state, for worker w.
func busy(r *rig) {
	r.Helper()
	bury(r, 2)
	r.putNow(6)
	r.take("w", 4)
	r.put(queue.NewJob{ID: "later", Delay: time.Hour})
}

// elements reads the list of w, wherever a test has put it.
func (r *rig) elements() []string {
	r.Helper()
	for _, key := range []string{"kept", "processing:w"} {
		if r.raw.Type(r.Context(), r.key(key)).Val() == "list" {
			return r.raw.LRange(r.Context(), r.key(key), 0, -1).Val()
		}
	}
	r.Fatal("no list")
	return nil
}

// Redis does not roll back: a script that finds a key of a wrong kind must find it before its first write.
func TestKeysOfAWrongKind(t *testing.T) {
	servers := []*redistest.Server{redistest.Any(t)}
	if servers[0].Backend() != "embedded" {
		servers = append(servers, redistest.Embedded(t))
	}
	contracts := headers(t)
	delete(contracts, "permit") // it looks at no key
	delete(contracts, "limit")  // its key is of no queue: limit_test.go
	for script := range contracts {
		equal(t, script+" is used", uses[script] != nil, true)
	}
	for _, s := range servers {
		for name := range uses {
			t.Run(s.Backend()+"/"+name, func(t *testing.T) {
				script, _, _ := strings.Cut(name, " ")
				header := contracts[script]
				var free []string
				r := busyRig(t, s, name)
				for _, key := range strings.Split(field(t, header, "KEYS"), ",") {
					key = strings.NewReplacer("<worker>", "w", "<victim>", "w", "idempotency:<hash>", keyOfIdempotency,
						"uniquefor:<hash>", keyOfUnique, "<place>", placeOf[name]).Replace(strings.TrimSpace(key))
					if unread[name+" "+key] != "" || key != "groups" && unread[script+" "+key] != "" {
						free = append(free, key)
						continue
					}
					before, err := spoil(r, name, key)
					if !errors.Is(err, queue.ErrUnavailable) || !strings.Contains(err.Error(), "WRONGTYPE") {
						t.Errorf("%s is of a wrong kind, and the answer is %v", key, err)
					}
					r.unchanged(before)
				}
				if err := uses[name](r); err != nil {
					t.Errorf("when all is well again: %v", err)
				}
				for _, key := range free {
					if _, err := spoil(busyRig(t, s, name), name, key); err != nil {
						t.Errorf("it does not care for %s, and yet: %v", key, err)
					}
				}
			})
		}
	}
}

func busyRig(t *testing.T, s *redistest.Server, name string) *rig {
	t.Helper()
	r := rigOn(t, s, queue.Options{Timeout: bound})
	busy(r)
	switch name {
	case "claim dead":
		r.do("HSET", k("attempts"), r.raw.ZRange(t.Context(), r.key("scheduled"), 0, 0).Val()[0], "junk")
	case "reap dead":
		r.do("HSET", k("attempts"), strings.SplitN(r.elements()[0], ":", 2)[1], queue.DefaultMaxRetry+1)
	}
	if strings.HasPrefix(name, "reap") {
		r.kill("w")
	}
	return r
}

// spoil uses a script while a key is of a wrong kind, and puts the key back. What was there before is read without it.
func spoil(r *rig, name, key string) (before map[string]any, err error) {
	r.Helper()
	before = r.everything()
	there := r.do("EXISTS", k(key)) == any(int64(1))
	if there {
		r.do("RENAME", k(key), k("kept"))
	}
	if kind, _, _ := strings.Cut(key, ":"); slices.Contains([]string{"heartbeat", "idempotency", "uniquefor"}, kind) { // strings
		r.do("RPUSH", k(key), "spoiled")
	} else {
		r.do("SET", k(key), "spoiled")
	}
	err = uses[name](r)
	r.do("DEL", k(key))
	if there {
		r.do("RENAME", k("kept"), k(key))
	}
	return before, err
}
