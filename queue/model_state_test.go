package queue_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/punctualq/punctual/queue"
)

// model is what a queue should hold after any sequence of calls, kept beside it in the plainest way. A time that only the
// clock of Redis knows is learned once, within bounds, and must stay.
type model struct {
	*rig
	t       *both
	jobs    map[string]*modelJob
	workers map[string]*modelWorker
	stats   map[string]int
	counted map[string]int // what stats were at the turn of the minute
	meta    map[string]string
	groups  map[string]*modelGroup // of the dead
	minutes map[string]string      // with their words sorted
	known   map[string]bool        // settle and claim, as far as Redis knows them: their order depends on it
	token   bool
	full    bool
	past    []string // elements that were settled or reaped
	hired   int

	holders  map[string]string       // unique keys
	fixed    map[string]string       // those for a fixed time, by hash
	requests map[string]modelRequest // idempotency keys, by hash
	freed    int                     // how many unique keys were taken back
	repeated int                     // how many requests were answered with the job of an earlier one
}

type modelJob struct {
	state    queue.State
	record   string // "" with gone
	gone     bool   // another hand has deleted the record
	attempts string // "" for none
	retries  int
	at       float64 // due, died, or to be forgotten
	expires  bool    // 1 s after its due time, unless it was begun
	errors   string
	element  string
	ending   bool // it is being cancelled

	key, until string // unique; "" for none
}

type modelGroup struct {
	kind, common string
	jobs         int
	first, last  float64
}

type modelWorker struct {
	until float64
	info  string
	list  []string
	told  bool // there is a token on its control list
}

func (m *model) living() []string { return slices.Sorted(maps.Keys(m.workers)) }

// in lists the jobs of a state, in the order that Redis has them.
func (m *model) in(state queue.State) (ids []string) {
	for id, j := range m.jobs {
		if j.state == state {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Or(cmp.Compare(m.jobs[a].at, m.jobs[b].at), strings.Compare(a, b))
	})
	return ids
}

// ending are the jobs that are being cancelled, sorted.
func (m *model) ending() (ids []string) {
	for id, j := range m.jobs {
		if j.ending {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// head is when the next job is due; ok is false if none waits.
func (m *model) head() (due float64, ok bool) {
	if ids := m.in(queue.Scheduled); len(ids) > 0 {
		return m.jobs[ids[0]].at, true
	}
	return 1e300, false
}

// learn reads a score that must be within bounds.
func (m *model) learn(key, member string, least, most int64) float64 {
	score, err := m.raw.ZScore(m.Context(), m.key(key), member).Result()
	if err != nil || score < float64(least) || score > float64(most) {
		m.Fatalf("%s of %q is %.0f, want %d to %d (%v)", key, member, score, least, most, err)
	}
	return score
}

// failed adds a failure: the newest, of at most five, must be as it was reported and of now.
func (m *model) failed(id string, want queue.Failure, least, most int64) {
	text := m.raw.HGet(m.Context(), m.key("errors"), id).Val()
	var got, before []queue.Failure
	if err := json.Unmarshal([]byte(text), &got); err != nil || len(got) == 0 {
		m.Fatalf("errors of %s: %q, %v", id, text, err)
	}
	if m.jobs[id].errors != "" {
		if err := json.Unmarshal([]byte(m.jobs[id].errors), &before); err != nil {
			m.Fatal(err)
		}
	}
	if at := got[0].At; at < least || at > most {
		m.Fatalf("a failure at %d, want %d to %d", at, least, most)
	}
	want.At = got[0].At
	equal(m.rig, "failures of "+id, got, append([]queue.Failure{want}, before[:min(len(before), 4)]...))
	m.jobs[id].errors = text
}

// joined is that a job that has just died was counted in its group, which the newest of its failures alone names.
func (m *model) joined(id string) {
	j := m.jobs[id]
	var failures []struct{ Error, Group string }
	if err := json.Unmarshal([]byte(j.errors), &failures); err != nil || len(failures) == 0 {
		m.Fatalf("errors of %s, which is dead: %q, %v", id, j.errors, err)
	}
	record := struct{ Type string }{"unreadable"}
	_ = json.Unmarshal([]byte(j.record), &record)
	group, common := groupOf(record.Type, failures[0].Error)
	for i, f := range failures {
		equal(m.rig, fmt.Sprint("group in failure ", i), f.Group, map[bool]string{true: group}[i == 0])
	}
	g := m.groups[group]
	if g == nil {
		g = &modelGroup{kind: record.Type, common: common, first: j.at}
		m.groups[group] = g
	}
	g.jobs, g.last = g.jobs+1, j.at
}

// parted is that a job is dead no more.
func (m *model) parted(id string) {
	var failures []struct{ Group string }
	if err := json.Unmarshal([]byte(m.jobs[id].errors), &failures); err != nil || len(failures) == 0 {
		m.Fatalf("errors of %s, which was dead: %q, %v", id, m.jobs[id].errors, err)
	}
	g := m.groups[failures[0].Group]
	if g.jobs--; g.jobs == 0 {
		delete(m.groups, failures[0].Group)
	}
}

// entombed learns the record that took the place of one that could not be read.
func (m *model) entombed(id, reason string) {
	text := m.raw.HGet(m.Context(), m.key("jobs"), id).Val()
	var tomb struct{ Type, Reason, Was string }
	if err := json.Unmarshal([]byte(text), &tomb); err != nil || tomb.Type != "unreadable" || tomb.Reason != reason ||
		tomb.Was != m.jobs[id].record {
		m.Fatalf("record of %s: %q, want one that says %q and keeps %q", id, text, reason, m.jobs[id].record)
	}
	m.jobs[id].record, m.jobs[id].gone, m.jobs[id].retries = text, false, 0
}

// compare reads every key of the queue and each field of it.
func (m *model) compare() {
	got := m.everything()
	want := map[string]any{}
	hash := func(name string, all map[string]string) {
		if len(all) > 0 {
			want[name] = all
		}
	}
	records, attempts, failures := map[string]string{}, map[string]string{}, map[string]string{}
	for id, j := range m.jobs {
		if !j.gone {
			records[id] = j.record
		}
		if j.attempts != "" {
			attempts[id] = j.attempts
		}
		if j.errors != "" {
			failures[id] = j.errors
		}
	}
	hash("jobs", records)
	hash("attempts", attempts)
	hash("errors", failures)
	hash("meta", m.meta)
	hash("unique", m.holders)
	for key, id := range m.fixed {
		want["uniquefor:"+key] = id
	}
	for key, r := range m.requests {
		want["idempotency:"+key] = r.String()
	}
	groups := map[string]string{}
	for id, g := range m.groups {
		groups[id] = fmt.Sprintf(`{"type":%q,"error":%q,"jobs":%d,"first":%s,"last":%s}`, g.kind, g.common, g.jobs, ms(g.first), ms(g.last))
	}
	hash("groups", groups)
	hash("minutes", m.minutes)
	if ring, ok := got["minutes"].(map[string]string); ok {
		for minute, text := range ring {
			ring[minute] = sorted(strings.Fields(text))
		}
	}
	stats := map[string]string{}
	for name, n := range m.stats {
		if n > 0 {
			stats[name] = strconv.Itoa(n)
		}
	}
	hash("stats", stats)
	for name, state := range map[string]queue.State{"scheduled": queue.Scheduled, "dead": queue.Dead, "done": queue.Done} {
		var set []redis.Z
		for _, id := range m.in(state) {
			set = append(set, redis.Z{Score: m.jobs[id].at, Member: id})
		}
		if set != nil {
			want[name] = set
		}
	}
	var set []redis.Z
	for id, w := range m.workers {
		set = append(set, redis.Z{Score: w.until, Member: id})
		want["heartbeat:"+id] = w.info
		if len(w.list) > 0 {
			want["processing:"+id] = w.list
		}
		if w.told {
			want["control:"+id] = []string{"1"}
		}
		if ttl := m.raw.PTTL(m.Context(), m.key("heartbeat:"+id)).Val(); ttl <= 0 || ttl > timing.TTL {
			m.Errorf("heartbeat of %s ends in %s", id, ttl)
		}
	}
	slices.SortFunc(set, func(a, b redis.Z) int {
		return cmp.Or(cmp.Compare(a.Score, b.Score), strings.Compare(a.Member.(string), b.Member.(string)))
	})
	if set != nil {
		want["workers"] = set
	}
	if ending := m.ending(); len(ending) > 0 {
		want["cancelled"] = ending
	}
	if m.token {
		want["wake"] = []string{"1"}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if !reflect.DeepEqual(got[name], want[name]) {
			m.Errorf("%s holds\n     %v\nwant %v", name, got[name], want[name])
		}
		delete(want, name)
	}
	for name, value := range want {
		m.Errorf("%s is not there, want %v", name, value)
	}
}

func sorted(words []string) string { slices.Sort(words); return strings.Join(words, " ") }

func ms(n float64) string { return fmt.Sprintf("%.0f", n) }
