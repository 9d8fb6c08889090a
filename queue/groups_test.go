package queue_test

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/integration/redistest"
	"github.com/punctualq/punctual/queue"
)

var (
	someUUID   = regexp.MustCompile(`[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)
	someHex    = regexp.MustCompile(`[0-9a-fA-F]{8,}`)
	someNumber = regexp.MustCompile(`[0-9]+`)
)

// groupOf is the group of a short error, made here once more: a test must not believe the code that it tests.
func groupOf(kind, text string) (id, common string) {
	for _, varies := range []*regexp.Regexp{someUUID, someHex, someNumber} {
		text = varies.ReplaceAllString(text, "#")
	}
	sum := sha1.Sum([]byte(kind + "\n" + text))
	return hex.EncodeToString(sum[:8]), text
}

// die makes jobs of a type die, each of one text, and returns their ids. The texts are in the order of the deaths.
func (r *rig) die(kind string, texts ...string) (ids []string) {
	r.Helper()
	jobs := make([]queue.NewJob, len(texts))
	for i := range jobs {
		jobs[i].Type = kind
	}
	ids = r.put(jobs...)
	r.makeDue(ids...)
	for some := range slices.Chunk(texts, 100) {
		var results []queue.Result
		for i, c := range r.take("w", len(some)) {
			results = append(results, queue.Result{Element: c.Element, Outcome: queue.OutcomeDead, Failure: &queue.Failure{Error: some[i]}})
		}
		r.settle("w", results...)
	}
	return ids
}

func (r *rig) groups() ([]queue.DeadGroup, int) {
	r.Helper()
	groups, others, err := r.client.DeadGroups(r.Context(), r.name)
	if err != nil {
		r.Fatal(err)
	}
	return groups, others
}

// sizes is how many jobs are in each group, by what their errors have in common; "" are those in none.
func (r *rig) sizes() map[string]int {
	r.Helper()
	groups, others := r.groups()
	sizes := map[string]int{"": others}
	for _, g := range groups {
		sizes[g.Error] += g.Jobs
	}
	return sizes
}

func TestDeadGroups(t *testing.T) {
	r := newRig(t)
	groups, others := r.groups()
	equal(t, "of nothing", len(groups)+others, 0)
	r.register("w")
	before := r.now()
	r.die("mail", "mailbox 17 is full", "no route to 10.0.0.7")
	between := r.now()
	for r.now() == between {
		continue
	}
	r.die("mail", "mailbox 4 is full")
	r.die("sms", "mailbox 5 is full")
	groups, others = r.groups()
	equal(t, "others", others, 0)
	equal(t, "groups", len(groups), 3)
	g := groups[0]
	id, _ := groupOf("mail", "mailbox # is full")
	if g.ID != id || g.Type != "mail" || g.Error != "mailbox # is full" || g.Jobs != 2 {
		t.Errorf("%+v, want two jobs in %s", g, id)
	}
	if first, last := g.First.UnixMilli(), g.Last.UnixMilli(); first < before || first > between || last <= between || last > r.now() {
		t.Errorf("the first died at %d, the latest at %d: the calls were at %d, until %d, and later", first, last, before, between)
	}
	equal(t, "the latest first", groups[1].Type, "sms")
	if _, _, err := r.client.DeadGroups(t.Context(), "Bad Name"); !errors.Is(err, queue.ErrInvalid) {
		t.Error(err)
	}
}

// Texts that differ in numbers and ids only are one kind, on each Redis.
func TestWhatErrorsHaveInCommon(t *testing.T) {
	long := strings.Repeat("ü", 150)
	texts := map[string]string{
		"dial tcp 10.0.0.7:6379: timeout after 30s":           "dial tcp #.#.#.#:#: timeout after #s",
		"no user 019A0000-0000-7000-8000-00000000000a, sorry": "no user #, sorry",
		"blob deadbeef01 of cafe is gone":                     "blob # of cafe is gone",
		"at 0xc000123abc":                                     "at #x#",
		"100% of \"%s\" %d+\n\ttwo\\lines":                    "#% of \"%s\" %d+",
		"\nbehind an empty line":                              "behind an empty line",
		"":                                                    "",
		"x" + long:                                            "x" + long[:198],
		"yz" + long:                                           "yz" + long[:196], // the last letter whole or not at all
		strings.Repeat("7", 5000) + "!":                       "#",
		strings.Repeat("019a0000-0000-7000-8000-00000000000a ", 8): strings.Repeat("# ", 8),
	}
	for _, s := range []*redistest.Server{redistest.Any(t), redistest.Embedded(t)} {
		r := rigOn(t, s, queue.Options{Timeout: bound})
		r.register("w")
		want := map[string]int{"": 0}
		for text, common := range texts {
			r.die("x", text)
			want[common]++
		}
		equal(t, s.Backend(), r.sizes(), want)
	}
}

// A group counts those that die, by whatever script, and forgets those that are dead no more.
func TestGroupsCountEveryDeath(t *testing.T) {
	r := newRig(t)
	r.register("w", "v")
	r.put(queue.NewJob{ID: "expired", Expires: time.Second}, queue.NewJob{ID: "ghost"}, queue.NewJob{ID: "bad-attempts", Type: "mail"})
	r.makeDue("expired", "ghost", "bad-attempts")
	r.do("HDEL", k("jobs"), "ghost")
	r.do("HSET", k("attempts"), "bad-attempts", "junk")
	equal(t, "claimed", len(r.claim("w", 9).Jobs), 0)

	r.put(queue.NewJob{ID: "corrupt"}, queue.NewJob{ID: "silent"}, queue.NewJob{ID: "victim", Type: "mail", MaxRetry: queue.NoRetry})
	r.makeDue("corrupt", "silent", "victim")
	outcomes := map[string]queue.Outcome{"silent": "dead", "corrupt": "corrupt"}
	for _, c := range r.take("w", 2) { // twice, and out of order: the second is lost, and not counted
		result := queue.Result{Element: c.Element, Outcome: outcomes[c.Job.ID]}
		equal(t, "settled", r.settle("w", queue.Result{Element: "9:x", Outcome: "dead"}, result, result), []queue.Outcome{"lost", "dead", "lost"})
	}
	r.take("v", 1)
	r.kill("v")
	equal(t, "buried", r.reap("v").Dead, 1)
	want := map[string]int{"": 0, "expired: not started within # s of its due time": 1, "unreadable: record is missing": 1,
		"unreadable: attempts are not a number": 1, "no reason was told": 1, "unreadable: record is not JSON": 1,
		"worker lost: v stopped sending heartbeats": 1}
	equal(t, "counted", r.sizes(), want)
	groups, _ := r.groups()
	for _, g := range groups {
		kind := queue.DefaultType
		switch {
		case strings.HasPrefix(g.Error, "unreadable: record"):
			kind = "unreadable"
		case strings.Contains(g.Error, "attempts") || strings.Contains(g.Error, "lost"):
			kind = "mail"
		}
		equal(t, g.Error, g.Type, kind)
	}

	redrive := func(common string) {
		equal(t, "redriven", r.client.Redrive(t.Context(), r.name, "victim"), nil)
		delete(want, common)
		equal(t, "redriven", r.sizes(), want)
	}
	redrive("worker lost: v stopped sending heartbeats")
	for _, text := range []string{"again 7", "again 8"} {
		r.makeDue("victim")
		c := r.take("w", 1)[0]
		r.settle("w", queue.Result{Element: c.Element, Outcome: queue.OutcomeDead, Failure: &queue.Failure{Error: text}})
		want["again #"] = 1
		equal(t, "died again", r.sizes(), want)
		redrive("again #")
	}
	if _, err := r.link.Trim(t.Context(), 2, time.Hour, 0); err != nil {
		t.Fatal(err)
	}
	equal(t, "jobs after a trim", r.overview().Dead, 2)
	moved, err := r.client.PurgeAll(t.Context(), r.name, queue.Filter{})
	equal(t, "purged", moved.Jobs, 2)
	equal(t, "error", err, nil)
	equal(t, "left", r.do("EXISTS", k("groups")), any(int64(0)))
}

// There are 500 groups at most. Who would make another is counted in none, and so are those who died before there were groups.
func TestTooManyGroups(t *testing.T) {
	r := newRig(t)
	r.register("w")
	fields := []any{"HSET", k("groups")}
	for i := range 498 {
		fields = append(fields, fmt.Sprintf("%016x", i), `{"type":"x","error":"x","jobs":1,"first":1,"last":1}`)
	}
	r.do(fields...)
	r.die("mail", "a", "b", "c", "a")
	r.do("ZADD", k("dead"), 1, "before")
	r.do("HSET", k("jobs"), "before", "{}")
	equal(t, "groups", r.do("HLEN", k("groups")), any(int64(500)))
	for i := range 498 {
		r.do("HDEL", k("groups"), fmt.Sprintf("%016x", i))
	}
	equal(t, "counted", r.sizes(), map[string]int{"": 2, "a": 2, "b": 1})
	moved, err := r.client.RedriveAll(t.Context(), r.name, queue.Filter{Type: "mail"})
	equal(t, "redriven", moved.Jobs, 4)
	equal(t, "error", err, nil)
	equal(t, "left", r.sizes(), map[string]int{"": 1})
}

// What another hand has written into a group is not counted on: it starts anew, and nothing fails.
func TestMalformedGroups(t *testing.T) {
	for _, text := range []string{"", "junk", "[]", "7", `{"type":"x","error":"x","jobs":"1","first":1,"last":1}`,
		`{"type":"x","error":"x","jobs":1.5,"first":1,"last":1}`, `{"type":"x","error":"x","jobs":1e300,"first":1,"last":1}`,
		`{"type":"x","error":"x","jobs":nan,"first":1,"last":1}`, `{"type":null,"error":"x","jobs":1,"first":1,"last":1}`, `{"jobs":1}`} {
		r := newRig(t)
		r.register("w")
		r.die("mail", "a")
		id, _ := groupOf("mail", "a")
		r.do("HSET", k("groups"), id, text)
		equal(t, "counted", r.sizes(), map[string]int{"": 1})
		equal(t, text, r.client.Redrive(t.Context(), r.name, r.raw.ZRange(t.Context(), r.key("dead"), 0, 0).Val()[0]), nil)
		r.take("w", 1)
		r.die("mail", "a")
		equal(t, "starts anew", r.sizes(), map[string]int{"": 0, "a": 1})
		r.kill("w")
		r.reap("w")
	}
}

// Records tell the types of those that die, and no call reads many of them.
func TestDeathsWithBigRecords(t *testing.T) {
	r := newRig(t)
	r.register("w")
	var results []queue.Result
	for range 12 {
		r.makeDue(r.put(queue.NewJob{Type: "big", Payload: json.RawMessage(`"` + strings.Repeat("x", 120<<10) + `"`)})...)
		results = append(results, queue.Result{Element: r.take("w", 1)[0].Element, Outcome: queue.OutcomeDead, Failure: &queue.Failure{Error: "x"}})
	}
	r.settle("w", results...)
	equal(t, "counted", r.sizes(), map[string]int{"": 3, "x": 9})
}
