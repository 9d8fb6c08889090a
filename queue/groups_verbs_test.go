package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/punctualq/punctual/queue"
)

// A listing of a group has its jobs, all of them, each once.
func TestListOfAGroup(t *testing.T) {
	r := newRig(t)
	r.register("w")
	texts := make([]string, 2300)
	for i := range texts {
		texts[i] = "often"
		if i%100 == 7 {
			texts[i] = "seldom"
		}
	}
	r.die("mail", texts...)
	for common, n := range map[string]int{"seldom": 23, "often": 2277, "never": 0} {
		id, _ := groupOf("mail", common)
		var want []string
		for _, job := range r.raw.ZRange(t.Context(), r.key("dead"), 0, -1).Val() {
			if strings.Contains(r.raw.HGet(t.Context(), r.key("errors"), job).Val(), `"error":"`+common+`"`) {
				want = append(want, job)
			}
		}
		equal(t, common, len(want), n)
		l := queue.Listing{State: queue.Dead, Group: id, Limit: 20}
		equal(t, common, r.pages(l, nil), want)
		slices.Reverse(want)
		l.Newest = true
		equal(t, common+", newest first", r.pages(l, nil), want)
		l.Type = "sms"
		equal(t, common+" of another type", len(r.pages(l, nil)), 0)
	}
	id, _ := groupOf("mail", "never")
	page := r.list(queue.Listing{State: queue.Dead, Group: id})
	if len(page.Jobs) != 0 || page.Next == "" {
		t.Errorf("a page that looked at 1,000 of 2,300 has %d jobs, and behind it: %q", len(page.Jobs), page.Next)
	}
	_, err := r.client.List(t.Context(), r.name, queue.Listing{State: queue.Dead, Cursor: page.Next})
	equal(t, "the cursor is of this group", errors.Is(err, queue.ErrCursor), true)
}

func TestRedriveAndPurgeOfAGroup(t *testing.T) {
	r := newRig(t)
	r.register("w")
	texts := make([]string, 2300)
	for i := range texts {
		texts[i] = fmt.Sprint([]string{"a", "b", "b", "c"}[i%4], " ", i)
	}
	r.die("mail", texts...)
	group := func(letter string) string { id, _ := groupOf("mail", letter+" #"); return id }
	moved, err := r.client.RedriveAll(t.Context(), r.name, queue.Filter{Group: group("a")})
	equal(t, "redriven", moved, queue.Moved{Jobs: 575, Seen: 2300})
	equal(t, "error", err, nil)
	equal(t, "counted", r.sizes(), map[string]int{"": 0, "b #": 1150, "c #": 575})
	moved, err = r.client.PurgeAll(t.Context(), r.name, queue.Filter{Group: group("b"), Limit: 150})
	equal(t, "purged", moved.Jobs, 150)
	equal(t, "more", moved.More, true)
	equal(t, "error", err, nil)
	moved, err = r.client.PurgeAll(t.Context(), r.name, queue.Filter{Group: group("c"), Limit: 1000})
	equal(t, "purged", moved.Jobs, 575)
	equal(t, "error", err, nil)
	equal(t, "counted", r.sizes(), map[string]int{"": 0, "b #": 1000})
	equal(t, "scheduled", r.overview().Scheduled, 575)
}

// Scripts look at the group once more, for they alone know what is so at their instant.
func TestVerbsForAGroupCheckAgain(t *testing.T) {
	r := newRig(t)
	r.register("w")
	id := r.die("mail", "a")[0]
	score := fmt.Sprintf("%.0f", r.raw.ZScore(t.Context(), r.key("dead"), id).Val())
	right, _ := groupOf("mail", "a")
	wrong, _ := groupOf("mail", "b")
	before := r.everything()
	for _, verb := range []func(group string) ([]string, error){
		func(group string) ([]string, error) { return r.client.RedriveIn(t.Context(), r.name, group, id, score) },
		func(group string) ([]string, error) { return r.client.PurgeIn(t.Context(), r.name, group, id, score) },
	} {
		words, err := verb(wrong)
		if err != nil || words[2] != "other" {
			t.Errorf("%q, %v", words, err)
		}
		r.unchanged(before)
	}
	words, err := r.client.PurgeIn(t.Context(), r.name, right, id, score)
	if err != nil || words[2] != "purged" {
		t.Errorf("%q, %v", words, err)
	}
}

func TestGroupsThatAreRefused(t *testing.T) {
	r := newRig(t)
	good, _ := groupOf("mail", "a")
	for _, c := range []struct {
		state queue.State
		group string
	}{{queue.Scheduled, good}, {queue.Done, good}, {queue.Dead, "A" + good[1:]}, {queue.Dead, good + "0"}, {queue.Dead, good[1:]}, {queue.Dead, "*"}} {
		_, listed := r.client.List(t.Context(), r.name, queue.Listing{State: c.state, Group: c.group})
		_, purged := r.client.PurgeAll(t.Context(), r.name, queue.Filter{State: c.state, Group: c.group})
		_, redriven := r.client.RedriveAll(t.Context(), r.name, queue.Filter{Group: c.group})
		for verb, err := range map[string]error{"list": listed, "purge": purged, "redrive": redriven} {
			var invalid *queue.InvalidError
			fine := verb == "redrive" && c.group == good
			if fine && errors.Is(err, queue.ErrNoQueue) {
				continue // it came as far as to look
			}
			if fine != (err == nil) || !fine && (!errors.As(err, &invalid) || invalid.Field != "group") {
				t.Errorf("%s of %+v: %v", verb, c, err)
			}
		}
	}
}
