package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/punctualq/punctual/queue"
)

func TestRedrive(t *testing.T) {
	r := newRig(t)
	bury(r, 2)
	r.dropToken()
	before := r.now()
	if err := r.client.Redrive(t.Context(), r.name, "dead001"); err != nil {
		t.Fatal(err)
	}
	info := r.get("dead001")
	if info.State != queue.Scheduled || info.Attempts != 0 || len(info.Failures) != 1 || info.Due.UnixMilli() < before || info.Due.UnixMilli() > r.now() {
		t.Errorf("%+v", info)
	}
	equal(t, "token", r.token(), true)
	equal(t, "redriven", r.stat("redriven"), 1)
	equal(t, "the other", r.get("dead000").State, queue.Dead)
	c := r.take("w", 1)[0]
	equal(t, "attempt", c.Attempt, 1)
	r.dropToken()

	r.putNow(1) // is due before
	r.dropToken()
	if err := r.client.Redrive(t.Context(), r.name, "dead000"); err != nil {
		t.Fatal(err)
	}
	equal(t, "token behind one that is due", r.token(), false)
}

func TestRedriveOnlyWhatIsDead(t *testing.T) {
	r := newRig(t)
	scattered(r)
	before := r.everything()
	for id, want := range map[string]queue.State{"runs": queue.Processing, "waits": queue.Scheduled} {
		var state *queue.StateError
		if err := r.client.Redrive(t.Context(), r.name, id); !errors.As(err, &state) || state.State != want {
			t.Errorf("%s: %v, want that it is %s", id, err, want)
		}
	}
	if err := r.client.Redrive(t.Context(), r.name, "nobody"); !errors.Is(err, queue.ErrNotFound) {
		t.Error(err)
	}
	if err := r.client.Redrive(t.Context(), "Bad Name", "a"); !errors.Is(err, queue.ErrInvalid) {
		t.Error(err)
	}
	r.unchanged(before)
}

// Nothing could run a tombstone, nor what is no JSON. A job whose payload only looks like one is redriven.
func TestRedriveOfWhatCannotBeRead(t *testing.T) {
	r := newRig(t)
	bury(r, 1)
	for _, record := range []string{`{"type":"unreadable","max_retry":0,"reason":"record is missing"}`, `junk`, ``, `{"type":}`,
		`{"max_retry":0,"reason":"record is not JSON","was":"{\"type\":\"x\",\"payload\":1","type":"unreadable"}`} {
		r.do("HSET", k("jobs"), "dead000", record)
		before := r.everything()
		if err := r.client.Redrive(t.Context(), r.name, "dead000"); !errors.Is(err, queue.ErrInvalid) {
			t.Errorf("%s: %v", record, err)
		}
		moved, err := r.client.RedriveAll(t.Context(), r.name, queue.Filter{})
		if err != nil || moved != (queue.Moved{Seen: 1, Unreadable: 1}) {
			t.Errorf("%s: %+v, %v", record, moved, err)
		}
		r.unchanged(before)
	}
	r.do("HSET", k("jobs"), "dead000", `{"type":"x","payload":{"type":"unreadable"}}`)
	if err := r.client.Redrive(t.Context(), r.name, "dead000"); err != nil {
		t.Error(err)
	}
}

// graveyard buries n jobs in one go, the i-th i minutes ago, of two types in turn.
func graveyard(r *rig, n int, payload string) {
	r.Helper()
	now := r.now()
	for from := 0; from < n; from += 100 {
		jobs, dead := []any{"HSET", k("jobs")}, []any{"ZADD", k("dead")}
		for i := from; i < min(n, from+100); i++ {
			id := fmt.Sprintf("d%05d", i)
			jobs = append(jobs, id, fmt.Sprintf(`{"type":"%s","created":1000,"payload":%s}`, []string{"even", "odd"}[i%2], payload))
			dead = append(dead, now-int64(i)*60_000, id)
		}
		r.do(jobs...)
		r.do(dead...)
	}
	r.do("HSET", k("stats"), "adjusted", n)
}

func TestRedriveAll(t *testing.T) {
	for name, c := range map[string]struct {
		filter queue.Filter
		want   queue.Moved
		last   string // the one that was redriven last: the longest dead go first
	}{
		"all":               {queue.Filter{}, queue.Moved{Jobs: 250, Seen: 250}, "d00000"},
		"up to a limit":     {queue.Filter{Limit: 120}, queue.Moved{Jobs: 120, Seen: 120, More: true}, "d00130"},
		"just the limit":    {queue.Filter{Limit: 250}, queue.Moved{Jobs: 250, Seen: 250}, "d00000"},
		"one type":          {queue.Filter{Type: "odd"}, queue.Moved{Jobs: 125, Seen: 250}, "d00001"},
		"one type, limited": {queue.Filter{Type: "odd", Limit: 3}, queue.Moved{Jobs: 3, Seen: 5, More: true}, "d00245"},
		"the old":           {queue.Filter{MinAge: 200 * time.Minute}, queue.Moved{Jobs: 50, Seen: 50}, "d00200"},
		"none is so old":    {queue.Filter{MinAge: 250 * time.Minute}, queue.Moved{}, ""},
		"nobody's":          {queue.Filter{Subject: "nobody"}, queue.Moved{Seen: 250}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			graveyard(r, 250, "1")
			moved, err := r.client.RedriveAll(t.Context(), r.name, c.filter)
			if moved.Next = ""; err != nil || moved != c.want {
				t.Errorf("%+v, %v, want %+v", moved, err, c.want)
			}
			equal(t, "redriven", r.stat("redriven"), c.want.Jobs)
			back := r.raw.ZRange(t.Context(), r.key("scheduled"), 0, -1).Val()
			equal(t, "scheduled", len(back), c.want.Jobs)
			if c.last != "" && slices.Min(back) != c.last {
				t.Errorf("the last is %s, want %s", slices.Min(back), c.last)
			}
		})
	}
}

// Records are bigger than one call may read: the rest comes in further calls, and none is left out.
func TestRedriveAllOfBigRecords(t *testing.T) {
	r := newRig(t)
	graveyard(r, 40, `"`+strings.Repeat("x", 100_000)+`"`)
	moved, err := r.client.RedriveAll(t.Context(), r.name, queue.Filter{})
	if err != nil || moved != (queue.Moved{Jobs: 40, Seen: 40}) {
		t.Errorf("%+v, %v", moved, err)
	}
}

func TestRedriveAllRefuses(t *testing.T) {
	r := newRig(t)
	for _, f := range []queue.Filter{{State: queue.Done}, {Type: "No Type"}, {MinAge: -1}, {Limit: -1}, {Limit: 100_001}} {
		if _, err := r.client.RedriveAll(t.Context(), r.name, f); !errors.Is(err, queue.ErrInvalid) {
			t.Errorf("%+v: %v", f, err)
		}
	}
	if _, err := r.client.RedriveAll(t.Context(), "Bad Name", queue.Filter{}); !errors.Is(err, queue.ErrInvalid) {
		t.Error(err)
	}
}

// A context that is about to end lets nothing begin.
func TestRedriveAllBeforeItsContextEnds(t *testing.T) {
	r := newRig(t)
	graveyard(r, 5, "1")
	before := r.everything()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if moved, err := r.client.RedriveAll(ctx, r.name, queue.Filter{}); !errors.Is(err, queue.ErrUnavailable) || moved.Jobs != 0 {
		t.Errorf("%+v, %v", moved, err)
	}
	r.unchanged(before)
}

// A job that died again, after it was looked at, is another death: it was not meant.
func TestRedriveOfAnotherDeath(t *testing.T) {
	r := newRig(t)
	bury(r, 1)
	for _, c := range []struct{ score, want string }{{"1", "dead"}, {"", "redriven"}} {
		words, err := r.client.RedriveOf(t.Context(), r.name, "dead000", c.score)
		if err != nil || words[2] != c.want {
			t.Errorf("%q: %v, %v", c.score, words, err)
		}
	}
	words, err := r.client.RedriveOf(t.Context(), r.name, "dead000", "")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "twice", words[2], "scheduled")
}

// What is told of each job, before and after.
func TestRedriveAndPurgeTellTheHistory(t *testing.T) {
	var told []string
	r := rigOn(t, newRig(t).server, queue.Options{Timeout: bound, History: func(e queue.Event) {
		switch e.Op {
		case queue.OpRedrive, queue.OpPurge, queue.OpReschedule, queue.OpEdit:
			told = append(told, fmt.Sprint(e.Op, " ", e.ID, " ", e.Mode, " ", e.Res, " ", e.RedisMS > 0, " ", e.DueMS > 0))
		}
	}})
	graveyard(r, 2, "1")
	_ = r.client.Redrive(t.Context(), r.name, "d00000")
	_ = r.client.Redrive(t.Context(), r.name, "d00000")
	r.reschedule("d00000", queue.When{In: time.Hour})
	if _, err := r.client.Edit(t.Context(), r.name, "d00000", queue.Changes{Payload: json.RawMessage("2")}); err != nil {
		t.Fatal(err)
	}
	_, _ = r.client.PurgeAll(t.Context(), r.name, queue.Filter{})
	equal(t, "told", told, []string{
		"redrive d00000  invoke false false", "redrive d00000  ok true false", "redrive d00000  invoke false false", "redrive d00000  fail false false",
		"reschedule d00000  invoke false false", "reschedule d00000  ok true true", "edit d00000  invoke false false", "edit d00000  ok false false",
		"purge d00001 dead invoke false false", "purge d00001 dead ok true false"})
}

// Nobody takes a name that was misspelt for a queue in which nothing matched.
func TestBulkOfNoQueue(t *testing.T) {
	r := newRig(t)
	_, redrive := r.client.RedriveAll(t.Context(), r.name+"-x", queue.Filter{})
	_, purge := r.client.PurgeAll(t.Context(), r.name+"-x", queue.Filter{State: queue.Scheduled})
	if !errors.Is(redrive, queue.ErrNoQueue) || !errors.Is(purge, queue.ErrNoQueue) {
		t.Errorf("%v, %v; want ErrNoQueue", redrive, purge)
	}
}

func TestFilterInWords(t *testing.T) {
	for f, want := range map[queue.Filter]string{
		{Limit: 5}: "all dead",
		{State: queue.Done, Type: "mail.send", MinAge: 90 * time.Minute}: "all done, type mail.send, for 1h30m or longer",
		{MinAge: 30 * 24 * time.Hour}:                                    "all dead, for 720h or longer",
		{MinAge: 70 * time.Second}:                                       "all dead, for 1m10s or longer",
		{Group: "ab12", Subject: "shop"}:                                 "all dead, group ab12, subject shop",
	} {
		equal(t, "words", f.String(), want)
	}
}

// A bulk verb goes on behind what was looked at: jobs that do not match are looked at once, however many calls it takes.
func TestBulkGoesOn(t *testing.T) {
	r := newRig(t)
	var jobs []queue.NewJob
	for i := range 305 {
		jobs = append(jobs, queue.NewJob{Type: "other", Delay: time.Hour + time.Duration(i)*time.Second})
	}
	for i := 100; i < 305; i += 50 {
		jobs[i].Type = "wanted"
	}
	r.put(jobs...)
	f := queue.Filter{State: queue.Scheduled, Type: "wanted", Limit: 1}
	total, calls, last := queue.Moved{}, 0, ""
	for more := true; more; calls++ {
		moved, err := r.client.PurgeAll(t.Context(), r.name, f)
		if err != nil || moved.More != (moved.Next != "") {
			t.Fatalf("%+v, %v", moved, err)
		}
		total.Jobs, total.Seen = total.Jobs+moved.Jobs, total.Seen+moved.Seen
		if more, f.Cursor = moved.More, moved.Next; more {
			last = moved.Next
		}
	}
	equal(t, "moved, seen, calls", fmt.Sprint(total.Jobs, total.Seen, calls), "5 305 6")
	equal(t, "left", r.do("ZCARD", k("scheduled")), any(int64(300)))
	if _, err := r.client.PurgeAll(t.Context(), r.name, queue.Filter{State: queue.Scheduled, MinAge: time.Hour, Cursor: last}); !errors.Is(err, queue.ErrInvalid) {
		t.Errorf("the cursor of another filter: %v", err)
	}
	f.Cursor = "e30"
	var invalid *queue.InvalidError
	if _, err := r.client.PurgeAll(t.Context(), r.name, f); !errors.As(err, &invalid) || invalid.Field != "cursor" {
		t.Errorf("a cursor that was made up: %v", err)
	}
}

// What nothing could run stays, and is counted apart.
func TestRedriveAllCountsTheUnreadable(t *testing.T) {
	r := newRig(t)
	bury(r, 3)
	r.do("HSET", k("jobs"), "dead001", `{"type":"unreadable","max_retry":0}`)
	moved, err := r.client.RedriveAll(t.Context(), r.name, queue.Filter{})
	if err != nil || moved != (queue.Moved{Jobs: 2, Seen: 3, Unreadable: 1}) {
		t.Errorf("%+v, %v", moved, err)
	}
}
