package queue_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/punctualq/punctual/queue"
)

// record adds a deed to the trail of the queue of this test.
func (r *rig) record(d queue.Deed) error {
	d.Queue, d.Via = r.name, "cli"
	return r.client.Record(r.Context(), d)
}

func (r *rig) trail(limit int) []queue.Deed {
	r.Helper()
	deeds, err := r.client.Trail(r.Context(), r.name, limit)
	if err != nil {
		r.Fatal(err)
	}
	return deeds
}

// A deed comes back as it was, dated by Redis, the latest first; and it can be read by eye.
func TestTrail(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{Delay: time.Hour})
	equal(t, "before", len(r.trail(1000)), 0)
	first := queue.Deed{Verb: "cancel", Who: "ann@desk", Target: `a "b" <c> é`, At: time.UnixMilli(1)}
	second := queue.Deed{Verb: "redrive", Who: "bob", Target: "type mail", Jobs: 70}
	from := r.now()
	for _, d := range []queue.Deed{first, second} {
		if err := r.record(d); err != nil {
			t.Fatal(err)
		}
	}
	got := r.trail(1000)
	for i, want := range []queue.Deed{second, first} {
		if at := got[i].At.UnixMilli(); at < from || at > r.now() {
			t.Errorf("dated %v", got[i].At)
		}
		want.Queue, want.Via, want.At = r.name, "cli", got[i].At
		equal(t, "deed", got[i], want)
	}
	equal(t, "one", r.trail(1), got[:1])
	equal(t, "as text", r.raw.LIndex(t.Context(), r.key("trail"), 0).Val(), fmt.Sprintf(
		`{"at":%d,"who":"bob","via":"cli","verb":"redrive","queue":%q,"target":"type mail","jobs":70}`, got[0].At.UnixMilli(), r.name))
	equal(t, "findings", found(r.audit(false)), []string{})
}

// The trail is bounded, in deeds and in their length.
func TestTrailIsBounded(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{Delay: time.Hour})
	for i := range 1003 {
		if err := r.record(queue.Deed{Verb: "run", Who: strings.Repeat("é", 500), Target: fmt.Sprint(i, strings.Repeat("語", 500))}); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "kept", r.do("LLEN", k("trail")), any(int64(1000)))
	all := r.trail(1000)
	equal(t, "read", len(all), 1000)
	for i, d := range all {
		if !strings.HasPrefix(d.Target, fmt.Sprint(1002-i, "語")) || len(d.Target) > 512 || len(d.Who) > 256 || len(d.Who) < 250 ||
			!utf8.ValidString(d.Who+d.Target) {
			t.Fatalf("deed %d: %+v", i, d)
		}
	}
}

func TestTrailRefuses(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{Delay: time.Hour})
	before := r.everything()
	good := queue.Deed{Queue: r.name, Via: "api", Verb: "run"}
	for want, change := range map[error]func(*queue.Deed){
		queue.ErrInvalid:                 func(d *queue.Deed) { d.Queue = "No Queue" },
		queue.ErrNoQueue:                 func(d *queue.Deed) { d.Queue += "-never" },
		errors.New("via must match"):     func(d *queue.Deed) { d.Via = "" },
		errors.New("verb must match [a"): func(d *queue.Deed) { d.Verb = "run\n" },
	} {
		d := good
		change(&d)
		if err := r.client.Record(t.Context(), d); !errors.Is(err, want) && !strings.Contains(fmt.Sprint(err), want.Error()) {
			t.Errorf("%+v: %v, want %v", d, err, want)
		}
	}
	r.unchanged(before)
	for _, limit := range []int{0, 1001, -1} {
		if _, err := r.client.Trail(t.Context(), r.name, limit); !errors.Is(err, queue.ErrInvalid) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
	if _, err := r.client.Trail(t.Context(), "No Queue", 1); !errors.Is(err, queue.ErrInvalid) {
		t.Error(err)
	}
	none, err := r.client.Trail(t.Context(), r.name+"-never", 1)
	equal(t, "of a queue that is not there", len(none) == 0 && err == nil, true)
}

// What another hand has left is left out, and of a date that is none nothing breaks.
func TestTrailOfAnotherHand(t *testing.T) {
	r := newRig(t)
	r.put(queue.NewJob{Delay: time.Hour})
	equal(t, "error", r.record(queue.Deed{Verb: "run"}), nil)
	r.do("LPUSH", k("trail"), "junk", "{}", `{"at":"x","verb":"run"}`, `{"at":1e300,"verb":"run"}`, "null", `[1]`, `{"verb":"edit","queue":"other"}`)
	got := r.trail(1000)
	equal(t, "deeds", len(got), 2)
	equal(t, "its queue", got[0].Queue, r.name)
	equal(t, "verb", got[1].Verb, "run")
}
