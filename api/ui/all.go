package ui

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/punctualq/punctual/queue"
)

// allVerbs are what can be done to all jobs of a filter, by their state.
var allVerbs = map[string][]string{
	string(queue.Scheduled):  {"run", "reschedule", "cancel"},
	string(queue.Processing): {"cancel"},
	string(queue.Dead):       {"redrive", "purge"},
	string(queue.Done):       {"purge"},
}

// allData is the question before something is done to all jobs that match, and the report while it is under way.
type allData struct {
	Filter  jobsFilter
	Verb    string
	Words   string // of the filter
	Jobs    int    // that match, as far as was counted
	AtLeast bool   // there may be more
	Looked  int    // at how many it was looked
	CountOn string // address that goes on counting; ""

	Begun    bool // some are done
	Done     int
	Not      int
	Unread   int // nothing could run their records
	Cursor   string
	When     string
	From, To string // see step.first
	Auto     bool
	Back     string
}

const (
	countPages = 5                      // of 1,000 jobs that one request looks at to count
	lastMoment = 200 * time.Millisecond // of a request: what is left for the trail and the answer
)

func aboutToEnd(ctx context.Context) bool {
	end, set := ctx.Deadline()
	return ctx.Err() != nil || set && time.Until(end) < lastMoment
}

// allFilter reads the filter and the verb, and refuses what does not fit.
func (v *visit) allFilter(values url.Values) (f jobsFilter, verb string, err error) {
	f, verb = filterOf(values), values.Get("verb")
	if err := v.mayTouch(f.Queue); err != nil {
		return f, "", err
	}
	if !slices.Contains(allVerbs[f.State], verb) {
		return f, "", errVerb
	}
	return f, verb, nil
}

// allPage answers GET /ui/all: how many match, or how far it is.
func (u *ui) allPage(v *visit) error {
	q := v.r.URL.Query()
	f, verb, err := v.allFilter(q)
	if err != nil {
		return err
	}
	d := allData{Filter: f, Verb: verb, Words: f.Words(), Back: f.URL(), When: q.Get("when"), Cursor: q.Get("cursor"), From: q.Get("from"), To: q.Get("to"),
		Done: natural(q.Get("done")), Not: natural(q.Get("skipped")), Unread: natural(q.Get("unread")), Auto: q.Get("auto") == "1"}
	if d.Begun = q.Get("begun") == "1"; !d.Begun {
		if err := v.count(&d, q); err != nil {
			return err
		}
	}
	return v.show("all", "All that match", time.Now(), d)
}

// count finds out how many match: by a figure that is kept, or by looking at some thousands, and then going on if wanted.
func (v *visit) count(d *allData, q url.Values) error {
	switch {
	case !d.Filter.narrow():
		o, err := v.u.Queue.Overview(v.ctx, d.Filter.Queue)
		if err != nil {
			return err
		}
		d.Jobs = map[string]int{string(queue.Scheduled): o.Scheduled, string(queue.Processing): o.Processing, string(queue.Dead): o.Dead,
			string(queue.Done): o.Done}[d.Filter.State]
		return nil
	case d.Filter.Group != "" && d.Filter.Type == "" && d.Filter.Text == "":
		groups, _, err := v.u.Queue.DeadGroups(v.ctx, d.Filter.Queue)
		if i := slices.IndexFunc(groups, func(g queue.DeadGroup) bool { return g.ID == d.Filter.Group }); err == nil && i >= 0 {
			d.Jobs, d.Words = groups[i].Jobs, "all dead, type "+groups[i].Type+", error “"+short(120, groups[i].Error)+"”"
			return nil
		}
	}
	cursor := q.Get("counted_to")
	d.Jobs, d.Looked = natural(q.Get("counted")), natural(q.Get("looked"))
	for range countPages {
		page, err := v.u.Queue.List(v.ctx, d.Filter.Queue, d.Filter.listing(1000, cursor))
		if err != nil {
			if d.Jobs > 0 && cursor != "" && !errors.Is(err, queue.ErrCursor) {
				break
			}
			return err
		}
		d.Jobs, d.Looked = d.Jobs+len(page.Jobs), d.Looked+page.Seen
		if cursor = page.Next; cursor == "" {
			return nil
		}
		if aboutToEnd(v.ctx) {
			break
		}
	}
	d.AtLeast = true
	more := d.Filter.query()
	for name, value := range map[string]string{"verb": d.Verb, "when": d.When, "counted_to": cursor, "counted": strconv.Itoa(d.Jobs), "looked": strconv.Itoa(d.Looked)} {
		more.Set(name, value)
	}
	d.CountOn = "/ui/all?" + more.Encode()
	return nil
}

// all answers POST /ui/all: as much as fits into one request; then the report, from which one goes on.
func (u *ui) all(v *visit) error {
	form := v.r.PostForm
	f, verb, err := v.allFilter(form)
	if err != nil {
		return err
	}
	s := step{filter: f, verb: verb, when: form.Get("when"), cursor: form.Get("cursor"), first: milli(form.Get("from")), last: milli(form.Get("to"))}
	refused, err := u.step(v.ctx, &s)
	switch {
	case refused != "":
		return v.back(f.URL(), notice{Code: refused})
	case errors.Is(err, queue.ErrCursor):
		return err
	case err != nil && s.jobs+s.not+s.unreadable == 0 && form.Get("begun") == "":
		return v.back(f.URL(), v.failed(err))
	}
	var trouble notice
	if err != nil {
		trouble = v.failed(err)
		s.more = true // some are done, and the rest is not
		form.Del("auto")
	}
	if v.note.Jobs = s.jobs; s.jobs > 0 {
		v.record(queue.Deed{Verb: verb, Queue: f.Queue, Target: f.Words(), Jobs: s.jobs})
	}
	done, not, unread := natural(form.Get("done"))+s.jobs, natural(form.Get("skipped"))+s.not, natural(form.Get("unread"))+s.unreadable
	if !s.more {
		n := notice{Code: verb, N: done, Not: not, Unreadable: unread}
		switch {
		case done+not+unread == 0:
			n.Code = "nothing"
		case verb == "cancel" && f.State == string(queue.Processing):
			n.Code = "cancelling"
		}
		return v.back(f.URL(), n)
	}
	q := f.query()
	for name, value := range map[string]string{"verb": verb, "when": s.when, "cursor": s.cursor, "from": milliText(s.first), "to": milliText(s.last), "begun": "1",
		"done": strconv.Itoa(done), "skipped": strconv.Itoa(not), "unread": strconv.Itoa(unread), "auto": form.Get("auto")} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if trouble.Code != "" {
		maps.Copy(q, trouble.query())
	}
	v.tell()
	http.Redirect(v.w, v.r, "/ui/all?"+q.Encode(), http.StatusSeeOther)
	return nil
}

func milli(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

func milliText(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}
